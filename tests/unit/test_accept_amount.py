"""The amount that `gomem accept` writes when none is given."""

from __future__ import annotations

import pytest

from pytest_gomem.commands.accept import _widest
from pytest_gomem.quantity import BYTES
from pytest_gomem.report.broken import Broken


def broken(share, by, visible=0.0):
    return Broken("t.py::test_a", "live_heap", "max", share, by, BYTES, visible)


@pytest.mark.parametrize(
    ("limits", "written"),
    [
        ([broken(0.0421, 4.21e6)], "4.7%"),
        ([broken(0.0421, 4.21e6), broken(0.2, 20e6)], "22%"),
        ([broken(0.003, 3e5, visible=3e6)], "1.3%"),  # barely broken: the noise decides, not the tenth
        ([broken(28.44, 228e6)], "3200%"),
        ([broken(None, 1234.0)], "1400"),  # of a limit of 0 there is no share
        ([broken(None, 12.0), broken(0.1, 1000.0)], "1100"),
    ],
)
def test_the_excess_with_room_for_the_next_run(limits, written):
    """A tenth more or a third of what is visible, rounded up to two digits, and never below what was broken."""
    found = _widest(limits)
    assert str(found) == written
    assert all(found.quantity.value > (limit.share if found.relative else limit.by) for limit in limits)
