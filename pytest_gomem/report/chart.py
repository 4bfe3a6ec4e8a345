"""Draws a chart of a few curves as one self-contained SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 76, 32, 76, 56

# The two hues differ in lightness too, for people who see red and blue badly. A viewer without media queries
# shows the light version, with its own background.
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #333 }
  .title { font-size: 16px; font-weight: 600 }
  .ground { fill: #fff } .grid { stroke: #ddd } .axis { stroke: #777 }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round } .mark { stroke: #777; stroke-dasharray: 4 4 }
  .break { stroke: #777; stroke-width: 1.5 }
  .bad { stroke: #c2410c } .dot.bad { fill: #c2410c } .good { stroke: #0369a1 } .dot.good { fill: #0369a1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .ground { fill: #16181d } .grid { stroke: #333842 } .axis, .break { stroke: #8a909c }
    .bad { stroke: #fb923c } .dot.bad { fill: #fb923c } .good { stroke: #7dd3fc } .dot.good { fill: #7dd3fc }
  }
"""


@dataclass(frozen=True)
class Curve:
    """A line of the chart: its label, its style ("bad" or "good"), and its points; dots: they alone are drawn."""

    label: str
    style: str
    x: Sequence[float]
    y: Sequence[float]
    dots: bool = False


@dataclass(frozen=True)
class Axis:
    """What an axis shows, and the divisor for the figures on it.

    zero: the axis begins at 0, so that heights compare by eye; else near the lowest figure, so that small steps show.
    step: the least distance of two ticks.
    """

    title: str
    divisor: float = 1.0
    zero: bool = True
    step: float = 0.0


@dataclass(frozen=True)
class Scale:
    """Maps low..top in data onto start..end in pixels; `step` lies between two ticks."""

    low: float
    top: float
    step: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.top - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """The values to print, both ends among them."""
        return [self.low + i * self.step for i in range(round((self.top - self.low) / self.step) + 1)]


def draw(
    title: str,
    curves: Sequence[Curve],
    x_axis: Axis,
    y_axis: Axis,
    marks: Sequence[float] = (),
    breaks: Sequence[float] = (),
    levels: Sequence[float] = (),
) -> str:
    """The SVG's text; the curves need at least one point each.

    marks, levels: x, and y, of dashed lines. breaks: x of solid lines; figures on their two sides do not compare.
    """
    every_x, every_y = [*marks, *(v for c in curves for v in c.x)], [*levels, *(v for c in curves for v in c.y)]
    x = _scale([value / x_axis.divisor for value in every_x], x_axis, LEFT, WIDTH - RIGHT)
    y = _scale([value / y_axis.divisor for value in every_y], y_axis, HEIGHT - BOTTOM, TOP)
    parts = [*_frame(title, x, y, x_axis.title, y_axis.title)]
    for kind, place in (*(("mark", mark) for mark in marks), *(("break", at) for at in breaks)):
        at = x(place / x_axis.divisor)
        parts.append(f'<line class="{kind}" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
    for level in levels:
        at = y(level / y_axis.divisor)
        parts.append(f'<line class="mark" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
    for row, curve in enumerate(curves):
        points = [(x(a / x_axis.divisor), y(b / y_axis.divisor)) for a, b in zip(curve.x, curve.y, strict=True)]
        parts += _curve(curve, points)
        parts += _legend(curve, LEFT + row * 300)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<style>{STYLE}</style>",
            *parts,
            "</svg>\n",
        ]
    )


def _scale(values: Sequence[float], axis: Axis, start: float, end: float) -> Scale:
    """A scale with round ticks (1, 2 or 5 times a power of ten), at most six steps, that holds all values."""
    least, most = min(0.0, *values) if axis.zero else min(values), max(values)
    raw = max(most - least, 1e-9 * max(abs(most), 1.0)) / 6
    power = 10.0 ** ceil(log10(raw) - 1)
    step = max(next(m * power for m in (1, 2, 5, 10) if m * power >= raw), axis.step)
    low = floor(least / step) * step
    return Scale(low, max(ceil(most / step) * step, low + step), step, start, end)


def _frame(title: str, x: Scale, y: Scale, x_title: str, y_title: str) -> Iterator[str]:
    yield f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>'
    yield _text(LEFT, 28, title, "start", 'class="title"')
    for tick in y.ticks():
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
        yield _text(LEFT - 8, y(tick) + 4, f"{tick:.6g}", "end")
    for tick in x.ticks():
        yield _text(x(tick), HEIGHT - BOTTOM + 20, f"{tick:.6g}", "middle")
    yield f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(y.low):.1f}" y2="{y(y.low):.1f}"/>'
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_title, "middle")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield _text(20, middle, y_title, "middle", f'transform="rotate(-90 20 {middle:.0f})"')


def _curve(curve: Curve, points: Sequence[tuple[float, float]]) -> Iterator[str]:
    if not curve.dots:
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        yield f'<polyline class="line {curve.style}" points="{line}"/>'
    # The last dot marks the end of the work, and shows a curve of a single point.
    for x, y in points if curve.dots else points[-1:]:
        yield f'<circle class="dot {curve.style}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'


def _legend(curve: Curve, left: float) -> Iterator[str]:
    yield f'<line class="line {curve.style}" x1="{left}" x2="{left + 22}" y1="50" y2="50"/>'
    yield _text(left + 30, 54, curve.label, "start")


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'
