//go:build go1.24

package main

import "runtime"

type cleaned struct{ session *session }

type owner struct{ cleaned *cleaned }

// keepCleaned has a cleanup whose argument reaches its own object, so that it never runs.
func keepCleaned(id int) {
	one := &cleaned{newSession(id)}
	runtime.AddCleanup(one, func(by owner) { by.cleaned.session.id++ }, owner{one})
}
