//go:build !cgo

package main

import "log"

func malloc(int) {
	log.Fatal("--malloc needs cgo")
}
