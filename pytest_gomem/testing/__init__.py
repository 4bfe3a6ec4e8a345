"""Fakes for tests of your own metrics, sources and reporters: no Go, no service, no waiting.

- `fake_window()` is a `Window` with plausible figures, from which a metric is computed.
- `FakeProcess` is a process on which real windows open. You say what happens to it, and see in which order it is read.
- `fake_run()` is a finished run for a reporter, made of `fake_window_record()`s.
"""

from pytest_gomem.testing.fake_process import FakeProcess
from pytest_gomem.testing.fake_run import fake_run, fake_window_record
from pytest_gomem.testing.fake_window import fake_gc_cycle, fake_kernel_reading, fake_memstats, fake_window

__all__ = [
    "FakeProcess",
    "fake_gc_cycle",
    "fake_kernel_reading",
    "fake_memstats",
    "fake_run",
    "fake_window",
    "fake_window_record",
]
