"""Runs a test's rounds on two sides and compares their windows."""
