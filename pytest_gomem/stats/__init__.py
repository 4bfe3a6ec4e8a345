"""Decides whether two sets of rounds differ: decision, separation, scatter and ranks."""
