"""Owns the picture: RSS over time of a bad and a good version, as one self-contained SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, log10

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 76, 32, 76, 56
MB = 1e6

# The two hues differ in lightness too, for eyes that tell red from blue badly. A viewer that knows no media queries
# shows the light version, on a background of its own: text never stands on an unknown ground.
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #333 }
  .title { font-size: 16px; font-weight: 600 }
  .ground { fill: #fff } .grid { stroke: #ddd } .axis { stroke: #777 }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round }
  .bad { stroke: #c2410c } .dot.bad { fill: #c2410c } .good { stroke: #0369a1 } .dot.good { fill: #0369a1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .ground { fill: #16181d } .grid { stroke: #333842 } .axis { stroke: #8a909c }
    .bad { stroke: #fb923c } .dot.bad { fill: #fb923c } .good { stroke: #7dd3fc } .dot.good { fill: #7dd3fc }
  }
"""


@dataclass(frozen=True)
class Curve:
    """A line of the picture: its label, its style ("bad" or "good"), seconds, and bytes at those times."""

    label: str
    style: str
    t: Sequence[float]
    v: Sequence[float]


@dataclass(frozen=True)
class Scale:
    """Maps 0..top in data onto start..end in pixels; `step` lies between two ticks."""

    top: float
    step: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + value / self.top * (self.end - self.start)

    def ticks(self) -> list[float]:
        return [i * self.step for i in range(round(self.top / self.step) + 1)]


def draw(title: str, curves: Sequence[Curve]) -> str:
    """The SVG's text; the curves need at least one point each."""
    x = _scale(max(t for c in curves for t in c.t), LEFT, WIDTH - RIGHT)
    y = _scale(max(v for c in curves for v in c.v) / MB, HEIGHT - BOTTOM, TOP)
    parts = [*_frame(title, x, y)]
    for row, curve in enumerate(curves):
        parts += _curve(curve, x, y)
        parts += _legend(curve, LEFT + row * 300)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<style>{STYLE}</style>",
            *parts,
            "</svg>\n",
        ]
    )


def _scale(most: float, start: float, end: float) -> Scale:
    """Round ticks (1, 2 or 5 times a power of ten), six steps at most, the last one at or above `most`."""
    raw = max(most, 1e-9) / 6
    power = 10.0 ** ceil(log10(raw) - 1)
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    return Scale(ceil(most / step) * step or step, step, start, end)


def _frame(title: str, x: Scale, y: Scale) -> Iterator[str]:
    yield f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>'
    yield _text(LEFT, 28, title, "start", 'class="title"')
    for tick in y.ticks():
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
        yield _text(LEFT - 8, y(tick) + 4, f"{tick:g}", "end")
    for tick in x.ticks():
        yield _text(x(tick), HEIGHT - BOTTOM + 20, f"{tick:.6g}", "middle")
    yield f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>'
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "time since the window opened (s)", "middle")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield _text(20, middle, "resident memory, RSS (MB)", "middle", f'transform="rotate(-90 20 {middle:.0f})"')


def _curve(curve: Curve, x: Scale, y: Scale) -> Iterator[str]:
    points = [f"{x(t):.1f},{y(v / MB):.1f}" for t, v in zip(curve.t, curve.v, strict=True)]
    yield f'<polyline class="line {curve.style}" points="{" ".join(points)}"/>'
    # The dot marks the end of the work, and is all there is to see of a window with a single sample.
    end_x, _, end_y = points[-1].partition(",")
    yield f'<circle class="dot {curve.style}" cx="{end_x}" cy="{end_y}" r="3.5"/>'


def _legend(curve: Curve, left: float) -> Iterator[str]:
    yield f'<line class="line {curve.style}" x1="{left}" x2="{left + 22}" y1="50" y2="50"/>'
    yield _text(left + 30, 54, curve.label, "start")


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'
