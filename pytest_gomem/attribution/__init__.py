"""Which lines of Go a profile's memory is charged to, and why; all of it is pure."""
