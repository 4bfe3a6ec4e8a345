"""Finds out why a window failed: asks profiles, the compiler, git and the modules."""
