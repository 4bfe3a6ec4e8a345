"""Owns asking the agent inside a service, and the records of its answers."""
