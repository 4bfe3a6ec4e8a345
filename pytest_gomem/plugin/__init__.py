"""The pytest plugin: hooks, fixtures, markers, options."""
