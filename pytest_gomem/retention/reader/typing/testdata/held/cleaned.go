//go:build go1.24

package main

import "runtime"

type InCleanup struct {
	body [27]int64
	me   *InCleanup
}

func init() {
	cleaned = func(int) {
		one := &InCleanup{}
		runtime.AddCleanup(one, func(kept *InCleanup) { kept.body[0]++ }, &InCleanup{me: one})
	}
}
