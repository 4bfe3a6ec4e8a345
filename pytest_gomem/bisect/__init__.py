"""Finds the first commit that made a metric worse: the search, which end a commit is like, and what is kept of it."""
