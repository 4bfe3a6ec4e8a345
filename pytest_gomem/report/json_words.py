"""Words of the JSON schema that many records share."""

from __future__ import annotations

from typing import Any

COUNT = {"minimum": 0}
NUMBER = {"type": "number"}
NUMBERS = {"items": NUMBER}
WHY_NONE = {"description": "Why there is no figure; null where there is one.", "minLength": 1}


def count(description: str) -> dict[str, Any]:
    """A whole number that is never negative."""
    return {**COUNT, "description": description}
