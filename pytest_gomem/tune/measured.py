"""What one run of the test has shown of a setting, from its record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.judge.conditions import ATTACHED, PROCESS
from pytest_gomem.judge.death_spiral import spiral_words
from pytest_gomem.judge.oom import oom_words
from pytest_gomem.results.keys import keys, numbered
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.tune.records import Ended, RunResult, Setting

# Of a service that was killed before it was ready, and so before a window.
_KILLED = re.compile(r"for lack of memory|at (?:the|its) memory limit")


def result_of(setting: Setting, window: WindowRecord | None, seconds: float, failed: str) -> RunResult:
    """Of the window that is followed; None if there is none. failed: why the test failed, "" if it passed."""
    figures, missing = ({}, {}) if window is None else _figures(window)
    spiral = window.death_spiral if window else None
    killed = oom_words(window.oom) if window and window.oom else ""
    if not killed and isinstance(setting.memory_limit, int) and _KILLED.search(failed):
        killed = failed
    if killed:
        ended, why = Ended.KILLED, killed
    elif spiral is not None and not spiral.doubt:
        ended, why = Ended.THRASHING, spiral_words(spiral)
    else:
        ended, why = (Ended.FAILED if failed else Ended.OK), failed
    return RunResult(setting, ended, figures, why, round(seconds, 1), missing)


def _figures(window: WindowRecord) -> tuple[Mapping[str, float], Mapping[str, str]]:
    figures, missing = dict[str, float](), dict[str, str]()
    for metric in window.metrics:
        if isinstance(metric.result, Unavailable):
            missing[metric.name] = metric.result.reason
        elif isfinite(metric.result.value):
            figures[metric.name] = metric.result.value
    return figures, missing


def followed(test: TestRecord, service: str, name: str) -> WindowRecord | None:
    """The window of the test that is meant, None if the test opened none; "" means the only one there is.

    Raises ConfigError if several are meant, or a process that is not started by the test.
    """
    every = list(zip(keys(test.windows), test.windows, strict=True))
    found = [
        (key, window)
        for key, window in every
        if (not service or window.service == service) and (not name or numbered(key) == name)
    ]
    if not found and every and (service or name):
        raise ConfigError(f"the test has no such window: {_named(every)}", hint="name it by --service and --window")
    if len(found) > 1:
        raise ConfigError(f"the test has several windows: {_named(found)}", hint="say which: --service and --window")
    if not found:
        return None
    window = found[0][1]
    if window.conditions.get(PROCESS) == ATTACHED:
        raise ConfigError(
            f"{window.service} was not started by the test: no setting can be laid over it",
            hint="declare it in gomem.yaml, and use go_service or gomem.launch()",
        )
    return window


def _named(windows: Sequence[tuple[tuple[str, str, int], WindowRecord]]) -> str:
    return ", ".join(f"'{numbered(key)}' of {window.service}" for key, window in windows)
