"""Reads, checks, aggregates, compares and writes pprof profiles."""
