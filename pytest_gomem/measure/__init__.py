"""Owns from window records to metric values."""
