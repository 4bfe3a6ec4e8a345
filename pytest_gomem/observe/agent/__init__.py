"""The agent inside a service: its Go source, asking it, and the records of its answers."""
