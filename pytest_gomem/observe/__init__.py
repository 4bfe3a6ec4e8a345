"""Owns what can be seen of a process."""
