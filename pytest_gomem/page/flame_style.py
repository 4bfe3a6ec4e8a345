"""The style sheet of flame graphs in the page, with the colours that every flame graph has."""

from __future__ import annotations

from pathlib import Path

from pytest_gomem.flame.frame import CHANGES, KINDS, MARK, ROOT, TEXT

_SHEET = Path(__file__).parent / "assets" / "flame.css"
_PLACES = {"light": ":root", "dark": ':root[data-theme="dark"]'}


def flame_style() -> str:
    """The style sheet; its classes and variables begin with flame-."""
    themes = (_theme(theme) for theme in _PLACES)
    fills = (f".flame-{name} {{ background: var(--flame-{name}); }}\n" for name in _fills("light"))
    return "".join((*themes, *fills, _SHEET.read_text("utf-8")))


def _theme(theme: str) -> str:
    colours = {"text": TEXT, "above": ROOT[theme], "own": MARK[theme], **_fills(theme)}
    return f"{_PLACES[theme]} {{ {' '.join(f'--flame-{name}: {colour};' for name, colour in colours.items())} }}\n"


def _fills(theme: str) -> dict[str, str]:
    """The colours by class: k0 and on of whose code it is, c0 and on of how much it changed."""
    kinds = {f"k{at}": colour for at, colour in enumerate(KINDS[theme].values())}
    return kinds | {f"c{at}": colour for at, colour in enumerate(CHANGES[theme].values())}
