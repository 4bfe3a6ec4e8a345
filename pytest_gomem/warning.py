"""Owns the category of our warnings, by which a user filters them."""

from __future__ import annotations

import pytest


class GomemWarning(pytest.PytestWarning):
    """Something in gomem.yaml or a marker has no effect."""
