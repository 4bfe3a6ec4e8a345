"""Finds the GC settings and memory limits that a service needs: the search, and what is asked of it."""
