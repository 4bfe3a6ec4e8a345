"""Owns the history: what each run measured, a line per window, and the course of a metric over commits."""
