"""Finds out why a window failed: from profiles, the compiler, git and the modules."""
