"""What the kernel and the runtime say of real processes, and what is said where they say nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe import kernel, sampler
from pytest_gomem.observe.sampler import Sampler

MIB = 1 << 20
SPIKE = "import mmap, sys; sys.stdin.readline(); m = mmap.mmap(-1, 100 << 20); m.write(b'x' * (100 << 20)); m.close(); print(flush=True); sys.stdin.readline()"  # noqa: E501 - one program


@pytest.fixture
def process():
    """A Python process that holds 100 MiB for a moment when it is told to."""
    with subprocess.Popen([sys.executable, "-c", SPIKE], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        yield running
        running.kill()


def spike(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n")
    process.stdin.flush()
    process.stdout.readline()


def test_a_spike_is_in_the_peak_alone(process):
    """A spike between two readings is whole in VmHWM and gone from RSS; a reset takes it away."""
    before = kernel.read(process.pid)
    assert kernel.reset_peak(process.pid)
    spike(process)
    after = kernel.read(process.pid)
    assert after.hwm >= before.rss + 100 * MIB
    assert after.rss < before.rss + 50 * MIB
    assert kernel.reset_peak(process.pid)
    assert kernel.read(process.pid).hwm < before.rss + 50 * MIB


def test_without_a_kernel_peak(process, monkeypatch):
    """A system that keeps no peak gives None, never 0, and no reset."""
    monkeypatch.setattr(kernel, "keeps_peak", lambda: False)
    monkeypatch.setattr(sampler, "keeps_peak", lambda: False)
    assert kernel.read(process.pid).hwm is None
    assert Sampler(process.pid, tree=False).sample().hwm is None
    assert not kernel.reset_peak(process.pid)


def test_cpu_time_advances():
    """The CPU clock of a process counts what it did."""
    first = kernel.read(os.getpid()).cpu
    sum(range(3_000_000))
    assert kernel.read(os.getpid()).cpu > first


def test_a_tree_is_a_sum(process):
    """With tree, a reading covers the descendants, and says how many processes it covers."""
    alone, together = kernel.read(os.getpid()), kernel.read(os.getpid(), tree=True)
    assert alone.processes == 1
    assert together.processes >= 2
    assert together.rss > kernel.read(process.pid).rss


def test_an_ended_process_is_an_error(process):
    """Of a process that has ended, zombie or reaped, nothing is read."""
    process.kill()
    while process.poll() is None:
        pass
    with pytest.raises(ObserveError, match="has ended"):
        kernel.read(process.pid)
    assert kernel.peak_rss(process.pid) is None
