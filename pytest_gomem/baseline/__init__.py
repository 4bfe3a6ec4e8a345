"""Kept baselines: what earlier rounds of each test measured, in files that you commit with the tests."""
