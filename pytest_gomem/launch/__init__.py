"""Owns from settings to a running process."""
