"""Keeps what each run measured, and shows the trend of a metric over commits."""
