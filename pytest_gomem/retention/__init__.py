"""Who holds the memory: a heap dump of a Go process, read by a Go program that comes with the package."""
