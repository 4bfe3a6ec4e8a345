"""From settings to a running, ready service."""
