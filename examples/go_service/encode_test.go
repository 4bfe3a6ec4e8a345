package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// The three encodings are only comparable while they produce the same bytes.
func TestEncodingsAgree(t *testing.T) {
	want := body(encodeFresh)
	for name, handler := range map[string]http.HandlerFunc{"pool": encodePool, "unsafe": encodeUnsafe} {
		if got := body(handler); got != want {
			t.Errorf("%s: %q, fresh: %q", name, got, want)
		}
	}
}

func body(handler http.HandlerFunc) string {
	recorder := httptest.NewRecorder()
	handler(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	return recorder.Body.String()
}
