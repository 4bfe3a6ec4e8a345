"""The helper process that launches, reaps, samples and guards services."""
