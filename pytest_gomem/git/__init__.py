"""Asks git about the user's repository, and never writes to it."""
