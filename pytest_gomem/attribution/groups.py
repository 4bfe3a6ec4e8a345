"""Growth that is spread over many lines: which function has most of it, all its lines together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from pytest_gomem.attribution.sampling import Line, sigma_of_all

LEAST = 0.1  # of the growth: a smaller part explains nothing


def largest_function(ours: Iterable[Line], theirs: Iterable[Line], growth: int, sigmas: float) -> str:
    """Such as "; of the functions main.load has most: 24%, in 12 lines", "" if none has enough beyond chance.

    theirs: the lines of another side, less which `ours` counts. sigmas: how far a change must stand out of chance.
    """
    functions: defaultdict[str, tuple[list[Line], list[Line]]] = defaultdict(lambda: ([], []))
    for side, found in enumerate((ours, theirs)):
        for line in found:
            functions[line.site.function][side].append(line)

    def change(function: str) -> int:
        new, old = functions[function]
        return sum(line.change for line in new) - sum(line.after for line in old)

    most = max(functions, key=lambda function: (change(function), function), default="")
    least = max(LEAST * growth, sigmas * sigma_of_all(line for side in functions[most] for line in side))
    if not growth or change(most) < least:
        return ""
    lines = len(functions[most][0])
    where = f"in {lines} lines" if lines > 1 else "in 1 line"
    return f"; of the functions {most} has most: {change(most) / growth:.0%}, {where}"
