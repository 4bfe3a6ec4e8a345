"""The supervisor: a helper process that launches, samples and ends services."""
