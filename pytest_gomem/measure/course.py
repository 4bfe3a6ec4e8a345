"""Whether a course grows, by a rule that a cache which fills, a pool or a saw-tooth does not meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from pytest_gomem.measure.shape import FEWEST, Shape
from pytest_gomem.measure.slope import Line, Point, blocks, line_through, theil_sen

_WARM_UPS = (1 / 8, 1 / 4, 3 / 8, 1 / 2)  # shares of the course that may be left out at its beginning
_NARROWER = 0.8  # the least that must be left of the interval's width for one more of them
_SURE = 0.5  # of the slope, that its interval keeps at least after a warm-up: the end of one rises too
_FASTER = 2  # times the slope: before the end of a warm-up the course rises no faster
_HALF = 0.5  # of the slope, that each half of the course has at least
_HELD = 0.75  # of the first half's slope, that the second one has at least
_QUARTER = 1 / 3  # of its share in the rise, that each quarter has at least
_FEW_STEPS = 0.5  # of the rise: if two steps make more, it did not grow all the time
_FALL = 0.4  # of the rise: after such a fall it is not known how much stays
_AT_THE_END = 0.5  # of what the line foretells for the last points, that they rise at least
_FULL, _STILL = 0.9, 0.15  # of the whole rise: what makes a cache full, and what it may still take afterwards
_SIGMAS = 5  # a rise of fewer is no saturation, but scatter


@dataclass(frozen=True)
class Course:
    """What is known of a course.

    points: all of them, at most slope.BLOCKS, each the middle of a stretch. count: the readings they were made from.
    warm: points at the beginning that are left out as warm-up. line: through the others. why: what speaks against
    growth although the line rises, in words that follow "it"; "" for none. rise, filled: of a course that saturates,
    how much it rose, and after which share of it that was done.
    """

    points: tuple[Point, ...]
    count: int
    warm: int
    line: Line
    shape: Shape
    why: str = ""
    rise: float = 0.0
    filled: float = 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of the growth; unless growth is told, it reaches from 0 or below to 0 or above."""
        if self.shape is Shape.GROWS:
            return self.line.low, self.line.high
        return min(self.line.low, 0.0), max(self.line.high, 0.0)


def course_of(points: Sequence[Point], least: float = 0.0) -> Course:
    """Judge at least FEWEST points in order of x; raises ObserveError if all have one x.

    least: what the course may rise by, in all, by what is none of the work: no more than that is no growth, and the
    interval reaches down by so much.
    """
    whole = blocks(points)
    warm, line, is_over = _warmed_up(points)
    left = blocks(points[warm:])
    rises, line = line.low > 0, _without(line, left, least)
    course = Course(tuple(whole), len(points), _blocks_in(warm, len(points), len(whole)), line, Shape.LEVEL)
    why = _against(left, line, least) if is_over else "rises less and less"
    if line.low > (_SURE * line.slope if warm else 0.0) and not why:
        return replace(course, shape=Shape.GROWS)
    saturated = _saturated(whole)
    if saturated is not None:
        late = blocks(points[len(points) // 2 :])
        rise, filled = saturated
        line = _without(line_through(late), late, least) if len(late) >= FEWEST // 2 else line
        return replace(course, line=line, warm=len(whole) // 2, shape=Shape.SATURATES, rise=rise, filled=filled)
    return replace(course, why=why if rises else "")


def _blocks_in(warm: int, count: int, most: int) -> int:
    return warm * most // count


def _warmed_up(points: Sequence[Point]) -> tuple[int, Line, bool]:
    """How many points are left out, the line through the others, and whether the warm-up is over by then.

    Left out are those without which the interval is narrowest, and more if the last of them still rise faster.
    """
    warm_ups = [warm for share in (0.0, *_WARM_UPS) if len(points) - (warm := int(len(points) * share)) >= FEWEST]
    lines = {warm: line_through(blocks(points[warm:])) for warm in dict.fromkeys(warm_ups)}
    chosen = 0
    for warm, line in lines.items():
        if line.high - line.low < _NARROWER * (lines[chosen].high - lines[chosen].low):
            chosen = warm
    for warm, line in lines.items():
        if warm >= chosen and not _is_faster(points, warm, line):
            return warm, line, True
    return chosen, lines[chosen], False


def _without(line: Line, points: Sequence[Point], rise: float) -> Line:
    """The line with an interval that allows for so much of the rise through these points being none of the work."""
    return replace(line, low=line.low - rise / (points[-1][0] - points[0][0]))


def _is_faster(points: Sequence[Point], warm: int, line: Line) -> bool:
    """Whether the course rose faster than the line right before the end of the warm-up."""
    before = points[max(warm - max(3, len(points) // 8), 0) : warm + 1]
    return bool(warm) and len(before) > 1 and theil_sen(blocks(before)) > _FASTER * max(line.slope, 0.0)


def _against(points: Sequence[Point], line: Line, least: float) -> str:
    """What speaks against steady growth of these points, in words that follow "it"; "" if nothing does."""
    rise = line.slope * (points[-1][0] - points[0][0])
    steps = sorted(b - a for a, b in pairwise(_without_spikes([y for _, y in points])))
    if rise < least:
        return "rises by no more than a service does by itself"
    if -steps[0] > _FALL * rise:
        return "also falls"
    if steps[-1] + steps[-2] > _FEW_STEPS * rise:
        return "rises in one or two steps"
    middle = (len(points) + 1) // 2
    first, second = theil_sen(points[:middle]), theil_sen(points[len(points) - middle :])
    if min(first, second) < _HALF * line.slope or second < _HELD * first:
        return "rises less in one half than in the other"
    levels = [median(y for _, y in quarter) for quarter in _quarters(points)]
    if min(b - a for a, b in pairwise(levels)) < _QUARTER * (levels[-1] - levels[0]) / 3:
        return "does not rise in each quarter"
    if any(_ends_flat(points, last, line.sigma) for last in {2, 3, max(2, len(points) // 4)}):
        return "no longer rises at the end"
    return ""


def _without_spikes(values: Sequence[float]) -> list[float]:
    """Each value but the outermost as the median of its neighbours and itself: what falls back at once was no step."""
    inner = [median(values[at - 1 : at + 2]) for at in range(1, len(values) - 1)]
    return [values[0], *inner, values[-1]]


def _quarters(points: Sequence[Point]) -> Iterator[Sequence[Point]]:
    return (points[at * len(points) // 4 : (at + 1) * len(points) // 4] for at in range(4))


def _ends_flat(points: Sequence[Point], last: int, sigma: float) -> bool:
    """Whether the last points stay below the line through those before them, by more than a point scatters."""
    before, after = points[:-last], points[-last:]
    slope = theil_sen(before)
    level = median(y - slope * x for x, y in before)
    reached = level + slope * before[-1][0]
    foretold = sum(level + slope * x - reached for x, _ in after) / last
    found = sum(y - reached for _, y in after) / last
    return found < _AT_THE_END * foretold and foretold - found > sigma


def _saturated(points: Sequence[Point]) -> tuple[float, float] | None:
    """How much a course rose that has stopped, and after which share of it; None if it did neither."""
    late = points[len(points) // 2 :]
    *_, before, last = (median(y for _, y in quarter) for quarter in _quarters(points))
    rise = last - points[0][1]
    sigma = line_through(late).sigma if len(late) >= FEWEST // 2 else 0.0
    if rise <= _SIGMAS * sigma or abs(last - before) > _STILL * rise:
        return None
    length = points[-1][0] - points[0][0]
    filled = next(x for x, y in points if y >= points[0][1] + _FULL * rise)
    return rise, (filled - points[0][0]) / length


def repeated_step(values: Sequence[float]) -> int:
    """By how many objects each of the later readings exceeds the one before: the same number each time, else 0.

    The first half may be warm-up. Scatter does not repeat itself exactly, so even 1 in each cycle is a leak.
    """
    steps = {b - a for a, b in pairwise(values[len(values) // 2 :])}
    return max(int(next(iter(steps))), 0) if len(steps) == 1 and len(values) >= FEWEST else 0
