"""The shapes of a course, and how many points tell one."""

from __future__ import annotations

from enum import Enum

FEWEST = 10  # points that tell anything


class Shape(Enum):
    """What a course does."""

    GROWS = "grows"
    SATURATES = "saturates"
    LEVEL = "level"  # no growth that can be told
