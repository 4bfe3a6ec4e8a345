"""Judges metric values against budgets, and gives verdicts."""
