"""Charges a profile's memory to lines of Go, and says why. Pure functions."""
