"""Kept baselines: what earlier rounds of each test measured, in files that are committed beside the tests."""
