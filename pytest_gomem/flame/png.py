"""Owns the flame graph as a PNG: the SVG, drawn by resvg of the extra [report]."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from pytest_gomem.base.errors import GomemError

_SHARP = 2  # pixels of the PNG for one of the SVG
_HIGHEST = 16_000  # pixels; a taller picture is drawn less sharp, or it would take hundreds of MB


def png(svg: str) -> bytes:
    """The picture of one of our SVGs; raises GomemError without the extra, or when resvg fails."""
    try:
        import resvg_py
    except ImportError:
        raise GomemError("a PNG needs resvg: pip install 'pytest-gomem[report]', or write an .svg") from None
    zoom = _SHARP if float(ET.fromstring(svg).get("height", "0")) * _SHARP <= _HIGHEST else 1
    try:
        return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=zoom))
    except ValueError as error:
        raise GomemError(f"the picture could not be drawn as PNG: {error}") from None
