"""Finalizers and cleanups that keep their own objects: read from a log, and named where no dump shows a holder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_holders_explained import FOUND, LOST, SESSIONS, WORKERS, found

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.diagnosis import finalizers
from pytest_gomem.diagnosis.finalizers import is_unheld, with_self_held
from pytest_gomem.launch.build import BinaryInfo
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.launch.launched import Built
from pytest_gomem.launch.sides import Source
from pytest_gomem.retention.finalizers import SelfHeld, in_log, names_them
from pytest_gomem.retention.model import AllocationSite, HolderKind, Step

# As Go 1.26 prints it, among lines of the program.
LOG = """listening
checkfinalizers: queue: 0 finalizers + 0 cleanups
WARNING: LIKELY CLEANUP/FINALIZER ISSUES

Value of type main.fin at 0x388717261b0
  is reachable from finalizer

Has finalizer at 0x7f507d271118
  main.openfin.func1()
      /srv/app/main.go:26 +0x0
created at: 
  main.openfin()
      /srv/app/main.go:27 +0xb9

Value of type main.file at 0x388718740c0
  is reachable from cleanup or cleanup argument

Has cleanup at 0x7f507d27d030
  main.open.func1()
      /srv/app/main.go:37 +0x0
created at: 
  main.open()
      /srv/app/main.go:38 +0x165

Value of type main.file at 0x38871874120
  is reachable from cleanup or cleanup argument
  is in a tiny block with other (possibly long-lived) values
  may be in the same tiny block as cleanup or cleanup argument

Has cleanup at 0x7f507d27d068
  main.open.func1()
      /srv/app/main.go:37 +0x0
created at: 
  main.open()
      /srv/app/main.go:38 +0x165

Value of type main.small at 0x38871874128
  is in a tiny block with other (possibly long-lived) values

Has cleanup at 0x7f507d27d070
  main.small.func1()
      /srv/app/main.go:57 +0x0
created at: 
  main.newSmall()
      /srv/app/main.go:58 +0x165

... too many potential issues ...
fatal error: detected possible issues with cleanups and/or finalizers
"""  # noqa: W291 - the runtime prints that blank
CLEANUP = SelfHeld(
    "main.file",
    "cleanup",
    "main.open.func1",
    AllocationSite("main.open", "/srv/app/main.go", 38, 2),
    "main.open+0x165",
)
FINALIZER = SelfHeld(
    "main.fin",
    "finalizer",
    "main.openfin.func1",
    AllocationSite("main.openfin", "/srv/app/main.go", 27, 1),
    "main.openfin+0xb9",
)
UNHELD = replace(FOUND, go_version="go1.26.8", holders=(LOST, SESSIONS))
BUILT = Built(
    Path("/bin/api"), BinaryInfo(module=GoModule("example.com/app", "example.com/app")), Source(None, (), Path("/"))
)


@pytest.fixture(autouse=True)
def lines(monkeypatch):
    """Where the calls are: that of the cleanup is known, a line before the one that it returns to."""
    known = {CLEANUP.call: ("/srv/app/main.go", 37)}
    monkeypatch.setattr(finalizers, "lines_of_calls", lambda binary, calls: [known.get(call) for call in calls])


def test_the_runtimes_report_is_read():
    """By type, function and the line that added it; what is only in a tiny block keeps nothing."""
    assert in_log(LOG) == (CLEANUP, FINALIZER)
    assert in_log("Value of type x at 0x1\nlistening\n") == ()
    assert in_log(LOG[: LOG.index("main.open.func1")]) == (FINALIZER,), "a log that is cut"


@pytest.mark.parametrize(
    ("version", "can"), [("go1.24.9", False), ("go1.25", True), ("go1.26-devel_x", True), ("devel", False), ("", False)]
)
def test_a_go_that_can_name_them(version, can):
    assert names_them(version) == can


def test_a_dump_without_a_holder_of_most():
    """What the runtime holds does not count, and an older Go could not name anybody."""
    runtime = replace(WORKERS, kind=HolderKind.RUNTIME)
    assert is_unheld(UNHELD)
    assert is_unheld(replace(UNHELD, holders=(runtime, LOST)))
    for other in (
        FOUND,
        replace(UNHELD, go_version="go1.24.1"),
        replace(UNHELD, holders=()),
        Unavailable("none"),
        None,
    ):
        assert not is_unheld(other)


def test_who_keeps_its_own_object_is_named_as_the_holder():
    """By the type or the function on the path; the line is the one that adds it."""
    named = with_self_held(found(UNHELD), [FINALIZER, CLEANUP], BUILT)
    first, second = named.holders
    assert (first.kind, first.file, first.line) == (HolderKind.FINALIZER, "main.go", 37)
    assert first.root == (
        "cleanup main.open.func1 of main.file, which reaches that object itself, added at main.open (main.go:37)"
    )
    assert second == SESSIONS
    by_function = replace(UNHELD, holders=(replace(LOST, path=(Step("func main.open.func1", 1, 8),)),))
    assert with_self_held(found(by_function), [CLEANUP], BUILT).holders[0].line == 37


def test_what_was_looked_for_in_vain_is_a_note():
    """Another object's, or none."""
    window = found(UNHELD)
    words = "a further round looked for finalizers and cleanups that keep their own object, and names"
    assert with_self_held(window, [], BUILT).notes[-1] == f"no holder in the dump: {words} none"
    assert f"{words} another one: finalizer main.openfin" in with_self_held(window, [FINALIZER], BUILT).notes[-1]
    assert with_self_held(found(FOUND), [], BUILT).notes[-1].endswith("names none")
    held = found(replace(FOUND, holders=(SESSIONS,)))
    assert with_self_held(held, [CLEANUP], BUILT) == held
