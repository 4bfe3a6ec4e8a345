"""The injected load that `gomem selftest` hands to its runs, and when a window is under it."""

from __future__ import annotations

import pytest

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.instruments.injected_load import NOTE, VARIABLE, InjectedLoad
from pytest_gomem.session.instrument import Closes, WindowPlan
from pytest_gomem.testing import FakeProcess

LOAD = InjectedLoad(0.05, {("t.py::test_a[x]", "api", "test"): 123, ("t.py::test_a[x]", "api", "steady"): 0})


def test_it_comes_back(tmp_path, monkeypatch):
    """What was written is read again; without the variable there is none."""
    LOAD.write(tmp_path / "load.json")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "load.json"))
    assert InjectedLoad.of_environment() == LOAD
    monkeypatch.delenv(VARIABLE)
    assert InjectedLoad.of_environment() == InjectedLoad()


@pytest.mark.parametrize("text", ["{", "{}", '{"churn": "much", "retain": []}', '{"churn": 1, "retain": [1]}', None])
def test_a_damaged_one_is_named(tmp_path, monkeypatch, text):
    """A file that is none is an error that names the variable and the file."""
    path = tmp_path / "load.json"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(ConfigError, match=rf"load.json: {VARIABLE} names no load"):
        InjectedLoad.of_environment()


def under_load(process: FakeProcess, window: str):
    plan = WindowPlan("api", None, (), "t.py::test_a[x]", window)
    return process.open_window(window, instruments=LOAD.instruments(plan))


def test_a_window_is_made_worse_from_its_opening_to_its_verdicts():
    """What is held is there before anything is read, what is churned is between the readings; both end."""
    process = FakeProcess()
    window = under_load(process, "test")
    assert (process.events[0], process.events[-1]) == ("hold 123 bytes", "churn 0.05")
    process.events.clear()
    window.close()
    assert process.events[0] == "churn 0"
    window.instruments.close(Closes.JUDGED, window)
    assert process.events[-1] == "end injected"
    allocated, held = (found for _, found in window.instruments.findings())
    assert (allocated.notes, allocated.figures, held.figures) == ((NOTE,), {"churn": 0.05}, {"retained": 123.0})


def test_other_windows_are_left_alone():
    """So is a service without the agent, or one that has ended, and nothing is said of them."""
    for process, name in ((FakeProcess(), "another"), (FakeProcess(inside="pprof"), "test")):
        window = under_load(process, name)
        window.close()
        assert not {event for event in process.events if event.startswith(("hold", "churn"))}
        assert [found.notes for _, found in window.instruments.findings() if found.notes] == []
    process = FakeProcess()
    window = under_load(process, "test")
    process.end(code=1)
    window.close()
    assert "churn 0" not in process.events
