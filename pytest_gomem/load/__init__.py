"""Sends HTTP requests and load to a service."""
