"""Owns the Go source of the agent, which `go build -overlay` puts beside package main."""
