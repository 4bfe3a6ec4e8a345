"""gomem.yaml and markers, read into frozen settings."""
