"""The rule of growth on simulated courses: its interval, what it takes for growth and is none, and what it finds.

The courses are those of tests/unit/courses.py, drawn anew each time: eleven kinds that only look like a leak, and four
leaks. Their readings scatter by about 1.

    python benchmarks/growth.py [--small]

--small: 40 courses of each kind.
Exit status 1 when the interval held the truth less than 19 times in 20 although neighbours correlate by 0.8 at most,
when a kind that is no leak was taken for growth in more than 1 of 500 courses, or when a leak of 40 sigmas in 20
readings was not found in 9 of 10.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "unit"))

import courses
from common import small_asked, table, verdict

from pytest_gomem.measure.course import course_of
from pytest_gomem.measure.shape import Shape
from pytest_gomem.measure.slope import blocks, line_through

READINGS = (10, 20, 60, 200)
ALIKE, MOST_ALIKE = (0.0, 0.5, 0.8, 0.9), 0.8
HELD, FALSE, FOUND = 0.95, 1 / 500, 0.9
SIZES = (5, 10, 20, 40)  # sigmas that a leak rises by in all


def points(values: courses.Sequence[float]) -> list[tuple[float, float]]:
    """A reading each second."""
    return [(float(at), value) for at, value in enumerate(values)]


def intervals(runs: int) -> Iterator[str]:
    """How often the interval holds the slope, and how wide it is."""
    rows = []
    for alike in ALIKE:
        row: list[object] = [f"neighbours correlate by {alike}"]
        for count in READINGS:
            rng, held, width = Random(1), 0, 0.0
            for _ in range(runs):
                noise = courses.remembering(count, alike, rng)
                line = line_through(blocks(points([0.5 * at + value for at, value in enumerate(noise)])))
                held += line.low <= 0.5 <= line.high
                width += (line.high - line.low) / 2 * count / runs
            row.append(f"{held / runs:.1%}, +-{width:.1f}")
            if alike <= MOST_ALIKE and held / runs < HELD - 3 * (HELD * (1 - HELD) / runs) ** 0.5:
                yield f"{row[0]}, {count} readings: the interval held the truth in {held} of {runs}"
        rows.append(row)
    head = ["the interval holds the truth", *(f"{count} readings" for count in READINGS)]
    table(f"{runs} courses each; +-: half its width, in sigmas of a reading over the whole course", head, rows)


def shapes(make: courses.Course, count: int, runs: int) -> list[Shape]:
    """What courses of a kind are taken for."""
    rng = Random(2)
    return [course_of(points(make(count, rng))).shape for _ in range(runs)]


def look_alikes(runs: int) -> Iterator[str]:
    """What is no leak."""
    rows = []
    for make in courses.LOOK_ALIKES:
        row: list[object] = [make.__name__.replace("_", " ")]
        for count in READINGS[1:]:
            found = shapes(make, count, runs)
            alarms, stops = found.count(Shape.GROWS), found.count(Shape.SATURATES)
            row.append(f"{alarms}, {stops / runs:.0%}")
            if alarms > max(runs * FALSE, 1):
                yield f"{row[0]}, {count} readings: {alarms} of {runs} were taken for growth"
        rows.append(row)
    head = ["no leak: taken for growth, named saturation", *(f"{count} readings" for count in READINGS[1:])]
    table(f"{runs} courses each", head, rows)


def leaks(runs: int) -> Iterator[str]:
    """How many leaks are found, by their size and kind."""
    rows = []
    for size in SIZES:
        row: list[object] = [f"a leak of {size} sigmas"]
        for count in READINGS:
            rng = Random(3)
            grown = [[size * at / count + rng.gauss(0, 1) for at in range(count)] for _ in range(runs)]
            found = sum(course_of(points(values)).shape is Shape.GROWS for values in grown) / runs
            row.append(f"{found:.0%}")
            if size == SIZES[-1] and count == 20 and found < FOUND:
                yield f"{row[0]}, {count} readings: found in {found:.0%}"
        rows.append(row)
    for make in courses.LEAKS[1:]:
        found_in = [f"{shapes(make, count, runs).count(Shape.GROWS) / runs:.0%}" for count in READINGS]
        rows.append([make.__name__.replace("_", " "), *found_in])
    table(f"{runs} courses each", ["found", *(f"{count} readings" for count in READINGS)], rows)


def main() -> int:
    """Print the tables."""
    runs = 40 if small_asked(__doc__) else 2000
    missed = [*intervals(runs), *look_alikes(runs), *leaks(runs)]
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
