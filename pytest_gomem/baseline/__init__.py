"""Owns kept baselines: what earlier rounds of each test measured, in files that are committed beside the tests."""

FOLDER = "gomem_baselines"  # beside gomem.yaml, unless an option names another
