"""Owns which runs of a window make one course: those under the same conditions, and those that took their place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pytest_gomem.report.history.conditions import differing_conditions
from pytest_gomem.report.history.entry import Entry

Stretch = list[Entry]  # runs under the same conditions, in the order of their time


def strands(entries: Sequence[Entry]) -> list[list[Stretch]]:
    """The entries of one window, which are in the order of their time, as courses of stretches.

    Conditions that take turns, as those of two machines do, have a course each: side by side they would be steps up and
    down. Conditions whose first run came after the last one of others go on with the course of these, as after an
    update of Go; of several such courses, with that from which they differ least, and then with the newest.
    """
    found: list[list[Stretch]] = []
    for stretch in _alike(entries):
        ended = [strand for strand in found if strand[-1][-1].time <= stretch[0].time]
        if ended:
            min(ended, key=lambda strand: _distance(strand[-1][-1], stretch[0])).append(stretch)
        else:
            found.append([stretch])
    return found


def _distance(last: Entry, first: Entry) -> tuple[int, timedelta]:
    return len(differing_conditions(last, first)), first.time - last.time


def _alike(entries: Sequence[Entry]) -> list[Stretch]:
    """The entries by their conditions. One without them is with the first of which its facts do not tell it apart."""
    stretches: list[Stretch] = []
    known: list[Entry] = []  # of each stretch an entry that tells its conditions best
    for entry in entries:
        at = next((at for at, other in enumerate(known) if not differing_conditions(other, entry)), None)
        if at is None:
            stretches.append([entry])
            known.append(entry)
        else:
            stretches[at].append(entry)
            known[at] = known[at] if known[at].conditions else entry
    return stretches
