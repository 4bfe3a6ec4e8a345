"""The profile model: reading, checking, aggregating, comparing and writing pprof profiles."""
