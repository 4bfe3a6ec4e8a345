"""Reading processes: peaks, CPU time, trees and endings, from Linux itself."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time

import psutil
import pytest

from pytest_gomem.base.errors import LoadError, ObserveError
from pytest_gomem.launch.ports import free_ports
from pytest_gomem.load.connection import Request
from pytest_gomem.load.http_client import HttpClient
from pytest_gomem.observe import kernel, sampler
from pytest_gomem.observe.sampler import Sampler

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
MIB = 1 << 20


@pytest.fixture
def running():
    """Starts children of the test process, and ends them with it."""
    started = []

    def running(*argv, **options):
        started.append(subprocess.Popen(argv, **options))
        return started[-1]

    yield running
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def python(script):
    return (sys.executable, "-I", "-S", "-c", script)


def test_a_program_that_is_removed_is_the_same_program(tmp_path, running, until):
    """As one is that gets built anew while it runs; another one in its place is not."""
    program = tmp_path / "program"
    shutil.copy(shutil.which("dash") or "/bin/sh", program)
    process = running(str(program), "-c", "read x; exec sleep 100", stdin=subprocess.PIPE)
    before = kernel.image(process.pid)
    program.unlink()
    assert kernel.image(process.pid) == before
    process.stdin.write(b"\n")
    process.stdin.flush()
    until(lambda: kernel.image(process.pid) != before)


class TestPeak:
    def test_spike_of_milliseconds_is_seen_whole(self, start, programs, until):
        """200 MB held for 5 ms are in the peak, though no sample need have met them, and gone from RSS."""
        port = free_ports([""])[""]
        child = start(programs["spike"], "--listen", f"127.0.0.1:{port}")
        client = HttpClient(f"http://127.0.0.1:{port}")
        until(lambda: _healthy(client))
        assert kernel.reset_peak(child.pid)
        before = kernel.read(child.pid)
        client.request(Request("GET", "/spike?mb=200&ms=5"))
        after = kernel.read(child.pid)
        client.close()
        assert before.hwm < 60 * MIB
        assert 200 * MIB < after.hwm < before.hwm + 205 * MIB
        assert after.rss < 60 * MIB

    def test_reset_brings_the_peak_down_to_rss(self, running):
        """After a reset the peak begins anew at what is resident."""
        script = "held = bytearray(100 << 20); del held; print(flush=True); input()"
        process = running(*python(script), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.readline()
        assert kernel.read(process.pid).hwm > 100 * MIB
        assert kernel.reset_peak(process.pid)
        reading = kernel.read(process.pid)
        assert reading.rss <= reading.hwm < 60 * MIB

    def test_a_name_cannot_pose_as_the_peak(self, tmp_path, running, until):
        """A program that is called VmHWM: is read by its real line."""
        program = tmp_path / "VmHWM: 7 kB"
        program.symlink_to("/bin/sleep")
        process = running(str(program), "100")
        # A program that has just begun has a peak of a page or two; a name that posed as it would stay at 7 kB.
        until(lambda: (kernel.peak_rss(process.pid) or 0) > 100_000)

    def test_ended_process_has_no_peak(self, running):
        """Neither a zombie nor a missing process has a peak or a reset."""
        process = running("/bin/true")
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert kernel.peak_rss(process.pid) is None
        process.wait()
        assert kernel.peak_rss(process.pid) is None
        assert kernel.reset_peak(process.pid) is False

    def test_system_without_peaks(self, running, monkeypatch):
        """Where the kernel keeps no peak, readings and samples have none, and the rest all the same."""
        monkeypatch.setattr(kernel, "keeps_peak", lambda: False)
        monkeypatch.setattr(sampler, "keeps_peak", lambda: False)
        process = running("/bin/sleep", "100")
        reading, sample = kernel.read(process.pid), Sampler(process.pid, tree=False).sample()
        assert (reading.hwm, sample.hwm) == (None, None)
        assert reading.rss > 0
        assert sample.rss > 0
        assert kernel.reset_peak(process.pid) is False


def _healthy(client):
    try:
        return client.request(Request("GET", "/healthz")).ok
    except LoadError:
        return False


class TestReading:
    def test_figures_agree_with_proc(self, running):
        """Threads, descriptors and the proportional size are those of the process."""
        threads = "import threading; [threading.Thread(target=input).start() for _ in range(2)]; print(flush=True)"
        process = running(*python(threads), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.readline()
        reading = kernel.read(process.pid, pss=True)
        assert reading.threads == 3
        assert reading.fds == 3
        assert reading.processes == 1
        assert 0 < reading.pss <= reading.rss <= reading.hwm
        assert kernel.read(process.pid).pss is None

    def test_cpu_clock_counts_in_nanoseconds(self, running, until):
        """CPU time is that of the other process, finer than the 10 ms of /proc/PID/stat, and only rises."""
        process = running(*python("while True: pass"))
        first = kernel.cpu_seconds(psutil.Process(process.pid))
        until(lambda: kernel.cpu_seconds(psutil.Process(process.pid)) > first + 0.1)
        times = psutil.Process(process.pid).cpu_times()
        clock = kernel.cpu_seconds(psutil.Process(process.pid))
        assert times.user + times.system <= clock + 0.02
        assert clock * 100 != round(clock * 100)

    def test_cpu_without_the_clock(self, running, monkeypatch):
        """Where the clock of another process cannot be read, psutil's coarser times stand in."""

        def refused(clock):
            raise OSError(22, "Invalid argument")

        process = running("/bin/sleep", "100")
        monkeypatch.setattr(kernel.time, "clock_gettime", refused)
        times = psutil.Process(process.pid).cpu_times()
        assert kernel.cpu_seconds(psutil.Process(process.pid)) == times.user + times.system

    def test_ended_process_is_an_error(self, running):
        """A process that has ended, reaped or not, is no reading of zeros but an error."""
        process = running("/bin/true")
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        for read in (lambda: kernel.read(process.pid), lambda: kernel.family(process.pid, tree=True)):
            with pytest.raises(ObserveError, match=f"process {process.pid} has ended"):
                read()
        process.wait()
        with pytest.raises(ObserveError, match=f"process {process.pid} has ended"):
            kernel.read(process.pid)


class TestTree:
    @pytest.fixture
    def tree(self, running, programs, until):
        """A shell with two Go programs of 30 MiB below it, one of them in another session, and a zombie."""
        hold = f"{programs['hold']} --mb 30"
        below = f"import subprocess; below = subprocess.Popen(['/bin/sh', '-c', '{hold} & exec setsid {hold}'])"
        zombie = "zombie = subprocess.Popen(['/bin/true']); input()"
        process = running(*python(f"{below}; {zombie}"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def grown():
            children = psutil.Process(process.pid).children(recursive=True)
            zombies = [child for child in children if child.status() == psutil.STATUS_ZOMBIE]
            return len(zombies) == 1 and sum(_rss(child) > 30 * MIB for child in children) == 2

        until(grown)
        yield process
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()

    def test_is_summed(self, tree):
        """With tree=True memory, peaks, threads and CPU of all descendants are added; a zombie hides nothing."""
        alone, whole = kernel.read(tree.pid), kernel.read(tree.pid, tree=True, pss=True)
        assert (alone.processes, whole.processes) == (1, 3)
        assert alone.rss < 30 * MIB
        assert whole.hwm >= whole.rss > 60 * MIB
        assert whole.pss <= whole.rss
        assert whole.threads > alone.threads + 2
        assert whole.cpu > alone.cpu

    def test_is_sampled(self, tree):
        """So it is in the samples."""
        sample = Sampler(tree.pid, tree=True).sample()
        assert sample.hwm >= sample.rss > 60 * MIB
        assert Sampler(tree.pid, tree=False).sample().rss < 30 * MIB


def no_descriptor(*_):
    raise OSError(errno.EMFILE, "Too many open files")


def descriptors():
    return psutil.Process().num_fds()


def _rss(process):
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


class TestSampler:
    @pytest.mark.parametrize("has_descriptors", [True, False])
    def test_figures_are_psutil_s(self, running, monkeypatch, until, has_descriptors):
        """RSS and threads are to the byte what psutil tells, the peak is VmHWM, also where no file can be kept open."""
        process = psutil.Process(running("/bin/sleep", "100").pid)
        until(lambda: process.name() == "sleep" and process.status() == psutil.STATUS_SLEEPING)
        with monkeypatch.context() as patched:
            if not has_descriptors:
                patched.setattr(sampler.os, "open", no_descriptor)
            sample = Sampler(process.pid, tree=False).sample()
        assert (sample.rss, sample.threads) == (process.memory_info().rss, process.num_threads())
        assert sample.hwm == kernel.peak_rss(process.pid)

    def test_files_are_closed(self, running, monkeypatch, until):
        """A sampler of a tree closes the files of those that have ended, and all at its end."""
        monkeypatch.setattr(Sampler, "TREE_EVERY", 0.0)
        shell = running("/bin/sh", "-c", "sleep 100 & sleep 100 & wait")
        until(lambda: len(psutil.Process(shell.pid).children()) == 2)
        before = descriptors()
        whole = Sampler(shell.pid, tree=True)
        whole.sample()
        assert descriptors() == before + 3
        psutil.Process(shell.pid).children()[0].kill()
        until(lambda: len(psutil.Process(shell.pid).children()) == 1)
        whole.sample()
        assert descriptors() == before + 2
        psutil.Process(shell.pid).children()[0].kill()
        whole.close()
        assert descriptors() == before

    def test_descriptors_are_counted_now_and_then(self, running):
        """Counting descriptors is dear: the first sample has their number, the next ones have not."""
        sampler = Sampler(running("/bin/sleep", "100").pid, tree=False)
        assert [sampler.sample().fds for _ in range(2)] == [3, None]

    def test_ended_process_gives_no_samples(self, running):
        """A sampler survives its process: nothing is reported of a zombie or of nobody."""
        process = running("/bin/sleep", "100")
        single, tree = Sampler(process.pid, tree=False), Sampler(process.pid, tree=True)
        assert single.sample().t <= time.monotonic()
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert (single.sample(), tree.sample()) == (None, None)
        assert not single.has_ended  # its parent has not been told yet
        process.wait()
        assert (single.sample(), tree.sample()) == (None, None)
        assert single.has_ended
        assert tree.has_ended
