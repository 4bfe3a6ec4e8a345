"""The example in the docstring of each hook runs, and gives what the hook is for."""

from __future__ import annotations

import inspect
import os
from types import SimpleNamespace

import pytest

import pytest_gomem as gm
from pytest_gomem.plugin import hookspecs
from pytest_gomem.testing import fake_run, fake_window, fake_window_record


def example(hook: str) -> dict[str, object]:
    """What a conftest.py with the example defines."""
    _, _, code = inspect.getdoc(getattr(hookspecs, hook)).partition("Example::\n")
    names: dict[str, object] = {}
    exec(inspect.cleandoc(code), names)
    return names


def test_metrics():
    """The metric reads a window, and says why it cannot."""
    (metric,) = example("pytest_gomem_metrics")["pytest_gomem_metrics"]()
    window = fake_window()
    marks = [cycle.concurrent_mark for cycle in window.gctrace.cycles]
    assert metric.compute(window).value == pytest.approx(sum(marks))
    assert metric.compute(fake_window(gctrace=gm.Unavailable("not ours"))) == gm.Unavailable("not ours")


def test_sources():
    """The source reads a process, and says why it cannot."""
    (source,) = example("pytest_gomem_sources")["pytest_gomem_sources"]()
    assert source.quantities <= gm.QUANTITIES
    assert source.find(SimpleNamespace(pid=os.getpid())).read().quantities["fds"] > 2
    with pytest.raises(gm.ObserveError, match="cannot be read"):
        source.find(SimpleNamespace(pid=2**22 + 1)).read()


def test_report(capsys):
    """The reporter sees the verdicts of a run."""
    window = fake_window_record({"peak_rss": 5e6, "live_heap": 1e6}, {"peak_rss": "1MB", "live_heap": "1MB"})
    example("pytest_gomem_report")["pytest_gomem_report"](fake_run({"test_it.py::test_a": [window]}), None)
    assert capsys.readouterr().out == "1 of 2 limits broken\n"
