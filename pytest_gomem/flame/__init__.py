"""Flame graphs of profiles: their tree, its layout, and the page and the pictures drawn from it."""
