"""The hooks that extend the plugin: write one into your conftest.py. Our own metrics and reporters use them too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_gomem.measure.metric import Metric
    from pytest_gomem.observe.sources import Source
    from pytest_gomem.results.run_record import RunRecord


@pytest.hookspec
def pytest_gomem_metrics() -> Sequence[Metric]:  # type: ignore[empty-body]
    """Metrics to add; their names can then be used in budgets. None adds nothing.

    Called once, before gomem.yaml is read, so from a plugin or the rootdir's conftest.py. A name that is taken is a
    usage error. A metric that raises costs only itself: it is unavailable with the error as its reason.

    Example::

        import pytest_gomem as gm

        @gm.metric(group="gc", unit=gm.SECONDS, better=gm.Better.LOWER, noise=gm.Noise.NOISY, sources=("gctrace",))
        def gc_mark_time(window):
            "Wall time of concurrent mark, all GC cycles together."
            if isinstance(window.gctrace, gm.Unavailable):
                return window.gctrace
            return gm.Reading(sum(cycle.concurrent_mark for cycle in window.gctrace.cycles), "gctrace")

        def pytest_gomem_metrics():
            return [gc_mark_time]
    """


@pytest.hookspec
def pytest_gomem_sources() -> Sequence[Source]:  # type: ignore[empty-body]
    """Sources to add, which read quantities of a process at a window's edges. None adds nothing.

    Called once, before the first service starts. If several report one quantity, metrics take the most trusted one,
    and the others are compared with it.

    Example::

        import time
        from pathlib import Path
        import pytest_gomem as gm

        class Descriptors:
            def __init__(self, pid):
                self._folder = Path(f"/proc/{pid}/fd")

            def read(self):
                try:
                    return gm.Observed(time.monotonic(), {"fds": len([*self._folder.iterdir()])})
                except OSError as error:
                    raise gm.ObserveError(f"its descriptors cannot be read: {error.strerror}") from None

            def close(self):
                pass

        def pytest_gomem_sources():
            return [gm.Source("proc", 60, frozenset({"fds"}), lambda process: Descriptors(process.pid))]
    """


@pytest.hookspec
def pytest_gomem_report(run: RunRecord, config: pytest.Config) -> None:
    """Called once at the end of a run that measured something, in the controlling process under xdist.

    run: all measured tests with their windows, metrics and verdicts. Each is read from disk when you come to it: go
    through them in one loop, and keep no list of them. config: pytest's own. What it raises ends no other reporter's
    work; pytest then exits with status 4.

    Example::

        import pytest_gomem as gm

        def pytest_gomem_report(run, config):
            found = [v.status for test in run.tests for window in test.windows for v in window.verdicts]
            print(found.count(gm.Status.FAIL), "of", len(found), "limits broken")
    """
