"""HTTP requests and load against a service."""
