"""The colours of flame graphs: no pair differs only in red and green, and all contrast with the text."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from pytest_gomem.flame.frame import Change, Kind

TEXT = "#111111"  # on every frame, in both themes
ROOT = {"light": "#dfe3e8", "dark": "#8a929b"}

# Orange, blue, yellow and grey differ with any common deficiency of colour vision.
KINDS: Mapping[str, Mapping[Enum, str]] = {
    "light": {
        Kind.OWN: "#f4a95c",
        Kind.DEPENDENCY: "#93c0e8",
        Kind.STANDARD: "#f2e6a2",
        Kind.RUNTIME: "#cfd3d8",
    },
    "dark": {
        Kind.OWN: "#e08f3c",
        Kind.DEPENDENCY: "#6ca6d9",
        Kind.STANDARD: "#cfc074",
        Kind.RUNTIME: "#8f979f",
    },
}
# From blue over grey to red-orange, lighter in the middle, so that a grey print still shows changes.
CHANGES: Mapping[str, Mapping[Enum, str]] = {
    "light": {
        Change.GONE_MOSTLY: "#5b9fd0",
        Change.SHRUNK: "#9bc6e3",
        Change.SHRUNK_LITTLE: "#d0e3f0",
        Change.SAME: "#e9e9e6",
        Change.GROWN_LITTLE: "#fbdcc6",
        Change.GROWN: "#f5ae84",
        Change.GROWN_MUCH: "#e3734f",
    },
    "dark": {
        Change.GONE_MOSTLY: "#4a9fe0",
        Change.SHRUNK: "#74afd8",
        Change.SHRUNK_LITTLE: "#92b1c6",
        Change.SAME: "#a3a3a0",
        Change.GROWN_LITTLE: "#c9a590",
        Change.GROWN: "#dd9468",
        Change.GROWN_MUCH: "#ec6f48",
    },
}


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours "#rrggbb", 1 to 21, as WCAG 2 defines it."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
