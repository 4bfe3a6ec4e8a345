"""Owns from the report model to terminal, JSON and JUnit."""
