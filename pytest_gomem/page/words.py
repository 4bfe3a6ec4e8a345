"""Texts that many tests share, such as the source of a metric: each is in the page once."""

from __future__ import annotations


class Words:
    """Numbers texts by their first use; number 0 is the empty text."""

    def __init__(self) -> None:
        self._numbers = {"": 0}

    def number(self, text: str) -> int:
        """The place of a text in `texts`."""
        return self._numbers.setdefault(text, len(self._numbers))

    @property
    def texts(self) -> list[str]:
        """All texts, in the order of their numbers."""
        return list(self._numbers)
