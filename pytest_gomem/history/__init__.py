"""What each run measured, a line per window, and the trend of a metric over commits."""
