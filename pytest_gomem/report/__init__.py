"""Writes the records of a run to terminal, JSON and JUnit."""
