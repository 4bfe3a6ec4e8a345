"""What an execution trace tells: GC cycles and their causes, stops of the world, mark assists, scheduling latency."""
