"""The stacks of goroutines of a window: when they are taken, and what several rounds tell together."""

from __future__ import annotations

from test_session_window import CLOSING, OPENING, read_in

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.diagnosis.goroutines import grown_goroutines
from pytest_gomem.instruments.goroutines import AT_CLOSE, AT_OPENING, Goroutines
from pytest_gomem.launch.go_module import GoModule
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
