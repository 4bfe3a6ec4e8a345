"""From metric values and budgets to verdicts."""
