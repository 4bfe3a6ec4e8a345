"""The live line of a measured test: what a terminal shows meanwhile, and that nothing of it is left."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import pytest
from _pytest.terminal import TerminalReporter
from terminal import in_terminal

from pytest_gomem.plugin.measured import MeasuredItem
from pytest_gomem.plugin.progress import is_wanted

PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
BUSY = """
    import os, signal, time
    from pytest_gomem.plugin import live_line

    def shown(word="rss", meanwhile=lambda: None):
        until = time.monotonic() + 20
        while word not in live_line._shown._drawn and time.monotonic() < until:
            meanwhile()
            time.sleep(0.02)

    @pytest.mark.gomem(rounds=2)
    def test_served(go_service):
        print("printed by a test that passes")
        shown("heap", lambda: go_service.get("/alloc?bytes=8000000"))

    def test_broken(gomem):
        with gomem.measure(gomem.attach(pid=os.getpid())):
            print("printed before the failure")
            os.write(2, b"written to fd 2")
            shown()
            assert "wrong" == ""

    def test_forks(gomem, recwarn):
        gomem.attach(pid=os.getpid())
        shown()
        if (child := os.fork()) == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert not recwarn.list

    def test_lets_through(gomem, request):
        gomem.attach(pid=os.getpid())
        shown()
        with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
            print("let through")
        shown()
"""


def test_line_comes_and_goes(scenario):
    """Round, resident memory, heap of the last collection and time stand behind pytest's own line, and then go.

    Letters of outcomes, captured output and what is let through to the terminal stay whole. A fork meets no thread.
    """
    project = scenario(BUSY)
    shown = in_terminal(PYTEST, project.folder)
    assert shown.status == 1
    seen = [line for screen in shown.screens for line in screen]
    amounts = r"rss \d[\d.]* MB"
    for of_round in (1, 2):
        line = rf"^test_it.py  test_served  round {of_round} of 2  {amounts}  heap <?\d+ MB  0:0\d$"
        assert any(re.search(line, one) for one in seen), shown.ever("test_served")
    assert any(re.search(rf"^test_it.py \. test_broken  {amounts}  0:0\d$", one) for one in seen)
    assert any(re.search(r"^test_it.py \.F test_forks  ", one) for one in seen)
    assert {line for line in shown.lines if line.startswith("test_it.py ")} == {"test_it.py .F.let through"}
    assert "." in shown.lines[shown.lines.index("test_it.py .F.let through") + 1]
    assert not re.search(r"  rss |  0:0\d$", shown.text), shown.text
    assert "printed before the failure\n" in shown.text
    assert "written to fd 2\n" in shown.text
    assert "printed by a test that passes" not in "\n".join(map(str, shown.screens))


def test_leaves_the_terminal_to_others(scenario):
    """A debugger's prompt stands alone, and after Ctrl-C nothing of the line is left. A narrow terminal has less of it.

    Under -v, pytest shows the name.
    """
    stops = """
    def test_stops(gomem):
        gomem.attach(pid=os.getpid())
        shown()
        breakpoint()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # pdb has taken it
    """
    tests = BUSY.replace("    @pytest.mark", f"{stops}\n    @pytest.mark", 1).replace('shown("heap"', 'shown("no end"')
    project = scenario(tests)
    keys = [("(Pdb)", b"c\n"), ("::test_served  round 1 of 2", b"\x03")]
    shown = in_terminal([*PYTEST, "-v", "-k", "served or stops"], project.folder, columns=60, answers=keys)
    assert shown.status == pytest.ExitCode.INTERRUPTED
    assert shown.ever("test_it.py::test_stops  rss ")
    assert shown.lines[shown.lines.index("test_it.py::test_stops") + 1].strip(">").startswith(" PDB set_trace ")
    assert shown.ever("test_it.py::test_served  round 1 of 2  rss ")
    (line,) = (line for line in shown.lines if line.startswith("test_it.py::test_served"))
    assert line in ("test_it.py::test_served", "test_it.py::test_served ^C")
    assert "  rss " not in shown.text


def item(monkeypatch, *, options=(), verbosity=0, style="progress", isatty=True, reporter=None, fixtures=(), **env):
    """An item of a run with these options."""
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    made = object.__new__(reporter or TerminalReporter)
    made.isatty = isatty
    given = {"capture": "fd", "usepdb": False, "trace": False, **dict(options)}
    config = SimpleNamespace(
        pluginmanager=SimpleNamespace(get_plugin=lambda name: made),
        getoption=given.get,
        getini=lambda name: style,
        get_verbosity=lambda: verbosity,
    )
    return SimpleNamespace(config=config, fixturenames=("gomem", *fixtures))


def test_wanted_in_a_plain_terminal(monkeypatch):
    """The usual run has the line, and so has one under -v."""
    assert is_wanted(item(monkeypatch))
    assert is_wanted(item(monkeypatch, verbosity=2))


@pytest.mark.parametrize(
    "what",
    [
        {"isatty": False},
        {"verbosity": -1},
        {"options": {"capture": "no"}},
        {"options": {"capture": "sys"}},
        {"options": {"capture": "tee-sys"}},
        {"options": {"usepdb": True}},
        {"options": {"trace": True}},
        {"style": "classic"},
        {"fixtures": ("capsys",)},
        {"reporter": type("OfAPlugin", (TerminalReporter,), {})},
        {"TERM": "dumb"},
        {"CI": "true"},
        {"BUILD_NUMBER": "7"},
    ],
    ids=str,
)
def test_not_wanted(monkeypatch, what):
    """Where something else may write to the terminal, or nobody looks at one, there is none."""
    assert not is_wanted(item(monkeypatch, **what))


def test_a_name_keeps_all_of_its_parameters():
    """They may have what stands between the names of an id."""
    item = SimpleNamespace(_nodeid="test_it.py::TestA::test_b[x::y]")
    assert MeasuredItem.name.fget(item) == "test_b[x::y]"
