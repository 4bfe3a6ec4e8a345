"""Owns the category of our warnings, by which a user filters them."""

from __future__ import annotations

import pytest

from pytest_gomem.base.printable import printable_lines


class GomemWarning(pytest.PytestWarning):
    """Something in gomem.yaml or a marker has no effect."""

    def __init__(self, text: str) -> None:
        super().__init__(printable_lines(text))
