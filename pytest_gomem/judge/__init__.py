"""Owns from metric values and budgets to verdicts."""
