"""Runs a test's rounds on two sides and holds their windows against each other."""
