"""Builds and starts services, and waits until they are ready."""
