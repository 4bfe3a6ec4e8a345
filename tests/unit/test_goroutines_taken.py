"""The stacks of goroutines of a window: when they are taken, and what several rounds tell together."""

from __future__ import annotations

from dataclasses import replace

import pytest
from evidence_samples import Seen
from report_samples import verdict, window
from test_session_window import CLOSING, OPENING, read_in

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.diagnosis.explanation import ByProfiles
from pytest_gomem.diagnosis.goroutines import grown_goroutines
from pytest_gomem.instruments.goroutines import AT_CLOSE, AT_OPENING, Goroutines
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.report.failure import failure_text
from pytest_gomem.session.capture import Captured
from pytest_gomem.session.instrument import Closes
from pytest_gomem.testing import FakeProcess

STACKS = """goroutine 7 [chan receive]:
main.wait(...)
	/srv/app/main.go:48
created by main.start in goroutine 1
	/srv/app/main.go:25 +0xc5
"""


def test_goroutines_are_taken_before_the_opening_and_after_the_close():
    """Outside of the window; a reading that fails has its reason."""
    process = FakeProcess()
    process.profiles["stacks"] = b"first"
    window = process.open_window(instruments=[Goroutines()])
    assert read_in(process) == ["stacks", *OPENING]
    process.profiles["stacks"] = b"second"
    window.close()
    window.instruments.close(Closes.JUDGED, window)
    assert read_in(process) == [*CLOSING, "stacks"]
    assert {name: (one.raw, one.suffix) for name, one in window.profiles.artifacts().items()} == {
        AT_OPENING: (b"first", ".txt"),
        AT_CLOSE: (b"second", ".txt"),
    }
    process.failing["stacks"] = "it is busy"
    window.instruments.close(Closes.JUDGED, window)
    assert window.profiles.of(AT_CLOSE).raw == Unavailable("it is busy")


def test_goroutines_of_rounds_are_grouped_with_notes_on_what_is_missing():
    """Without stacks of the close there is no group."""
    text = Captured(STACKS.encode(), ".txt")
    lost, page = Captured(Unavailable("it has ended"), ".txt"), Captured(b"<html>\n", ".txt")
    cut = Captured(f"{STACKS}\n{STACKS}"[:-5].encode(), ".txt")
    module = GoModule("example.com/app")
    groups, notes = grown_goroutines([text, lost], [text, cut, page], module)
    assert [(group.function, group.before, group.after) for group in groups] == [("main.wait", 1, 1)]
    assert notes == (
        "no stacks of goroutines: it has ended",
        "the stacks of 1 goroutines were read, but there are more: Go writes at most 64 MiB of them",
        "no stacks of goroutines: the service sent something else",
    )
    assert grown_goroutines([text], [lost], module) == ((), ("no stacks of goroutines: it has ended",))


def waiting(count: int) -> Captured:
    """The text of so many goroutines."""
    return Captured("\n".join([STACKS] * count).encode(), ".txt")


def explained(*verdicts, **evidence):
    """What ByProfiles makes of these verdicts; base: the stacks, or the kept counts, of the other side."""
    base = evidence.pop("base", None)
    other = None if base is None else Seen({}, goroutines=base)
    return ByProfiles().explained(window(verdicts=verdicts), Seen({}, **evidence), other)


LIMIT = verdict("goroutines", "20", 312.0)
WORSE = replace(LIMIT, kind="regression", actual=310.0, baseline=10.0, change=300.0)


@pytest.mark.parametrize(
    ("base", "before"),
    [
        (None, 1),
        ((waiting(10),), 10),
        ({"chan receive in main.wait, created by main.start": 10.0}, 10),
        ({"select in main.gone": 3}, 0),
        ({}, 1),  # of a baseline that was recorded without them
        ((), 1),
    ],
)
def test_goroutines_stand_beside_those_of_the_base_else_of_the_opening(base, before):
    """The base may be a round of the other side, or what a baseline has kept."""
    found = explained(WORSE, goroutines=(waiting(310),), goroutines_before=(waiting(1),), base=base)
    (group,) = found.goroutine_groups
    assert (group.before, group.after) == (before, 310)
    assert found.diagnosis.reproduced


@pytest.mark.parametrize("broken", [LIMIT, WORSE])
def test_a_growth_that_is_not_there_again_names_nobody(broken):
    """Goroutines that are there anyway have not broken the limit."""
    found = explained(broken, goroutines=(waiting(12),), goroutines_before=(waiting(11),))
    assert (found.goroutine_groups, found.diagnosis.reproduced) == ((), False)
    assert found.culprit_summaries == {"goroutines": "nobody is named: the stacks show 12 goroutines"}
    assert "cause of goroutines" in failure_text(found, "test_a.py::test_b")[1]


def test_without_a_limit_on_goroutines_they_are_reported_all_the_same():
    """They may explain the memory; a limit of a phase says nothing of the whole window."""
    phase = replace(LIMIT, budget=replace(LIMIT.budget, phase="login"))
    for broken in (phase, verdict("live_heap", "1MB", 2e6)):
        found = explained(broken, goroutines=(waiting(2),))
        assert [(group.before, group.after) for group in found.goroutine_groups] == [(None, 2)]
    assert explained(LIMIT).goroutine_groups == ()
