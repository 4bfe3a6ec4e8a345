"""What is attached to a window beyond its readings, each in a file of its own."""
