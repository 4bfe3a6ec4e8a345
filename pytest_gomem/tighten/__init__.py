"""Lowers budgets to what is measured plus the smallest visible change."""
