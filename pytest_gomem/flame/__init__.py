"""Draws flame graphs of profiles: call tree, layout, page and pictures."""
