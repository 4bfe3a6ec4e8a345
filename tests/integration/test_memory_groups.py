"""A service with a memory limit runs in a memory cgroup of its own, which is read, and removed whatever dies."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pytest_gomem.base.errors import SupervisorError
from pytest_gomem.cgroup import simulated
from pytest_gomem.cgroup.hierarchy import hierarchies
from pytest_gomem.cgroup.owner import owned
from pytest_gomem.supervisor.client import LaunchRequest, SupervisorClient

pytestmark = pytest.mark.usefixtures("memory_groups")

MIB = 1 << 20
PATIENCE = 60.0  # seconds until a test gives up; none comes near when all is well


def is_on_tmpfs(folder):
    """Whether files in it are memory that nobody can take back."""
    said = subprocess.run(["stat", "-f", "-c", "%T", folder], stdout=subprocess.PIPE, text=True, check=True).stdout
    return said.strip() in ("tmpfs", "ramfs")


def limit(mib, mode="auto"):
    return {"max": mib * MIB, "mode": mode}


def groups_of(pid):
    """Folders of groups that a supervisor owns."""
    # os.walk passes over what vanishes meanwhile, as groups of other runs do.
    folders = [Path(folder) for hierarchy in hierarchies() for folder, _, _ in os.walk(hierarchy.root)]
    return [folder for folder in folders if owned(folder) and folder.name.startswith(f"pytest-gomem-{pid}-")]


def memory_group(pid):
    """The folder of the memory cgroup of a process, by the kernel."""
    lines = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    (path,) = [path for _, controllers, path in lines if controllers in ("memory", "") and "pytest-gomem" in path]
    return path


class TestBirth:
    def test_the_limit_stands_on_the_very_group_of_the_service(self, start):
        """A library in the service that looks for a limit, as automemlimit does, finds this one."""
        child = start("/bin/sleep", "100", memory_limit=limit(64))
        group = child.state().group
        assert group.path.endswith(memory_group(child.pid))
        assert group.limit == child.read_group().limit == 64 * MIB
        assert (Path(group.path) / "cgroup.procs").read_text().split() == [str(child.pid)]

    def test_what_starts_a_program_is_not_in_its_figures(self, start):
        """setsid and the fork are in the group for a moment: less than 1 MiB, which a Go program has anyway."""
        child = start("/bin/sleep", "100", memory_limit=limit(64))
        assert child.read_group().peak < MIB

    def test_each_launch_has_its_own(self, supervisor, start):
        """And a program without a limit stays where we are."""
        first, second = (start("/bin/sleep", "100", memory_limit=limit(64)) for _ in range(2))
        assert memory_group(first.pid) != memory_group(second.pid)
        plain = start("/bin/sleep", "100")
        assert f"pytest-gomem-{supervisor.pid}-" not in Path(f"/proc/{plain.pid}/cgroup").read_text()
        with pytest.raises(SupervisorError, match="the service has no memory limit"):
            plain.read_group()
        assert plain.state().group is None

    def test_a_program_that_cannot_be_started_leaves_no_group(self, supervisor, start):
        """Its error is that of any launch."""
        with pytest.raises(SupervisorError, match="/no/such"):
            start("/no/such", memory_limit=limit(64))
        (folder,) = groups_of(supervisor.pid)
        assert [path for path in folder.iterdir() if path.is_dir()] == []


class TestFigures:
    def test_anonymous_memory(self, programs, start, until):
        """The group holds what the program holds, as anonymous memory, and its peak is the kernel's."""
        child = start(programs["hold"], "--mb", "32", memory_limit=limit(128))
        until(lambda: "holding" in child.log()[0])
        reading = child.read_group()
        assert 32 * MIB < reading.anon <= reading.anon_peak <= reading.peak < 48 * MIB
        assert 0 < reading.kernel < 4 * MIB

    def test_the_peak_can_begin_anew(self, supervisor, start, until):
        """On v1, and on v2 from Linux 6.12; the reading says since when it is."""
        hold = (
            "import time\nheld = bytearray(40 << 20)\nprint('full', flush=True)\ndel held\nprint('empty', flush=True)\n"
        )
        child = start(sys.executable, "-c", f"{hold}time.sleep(100)", memory_limit=limit(128))
        until(lambda: "empty" in child.log()[0])
        before = child.read_group(reset_peak=True)
        after = child.read_group()
        assert before.peak > 40 * MIB
        if after.peak_since > before.peak_since:
            assert after.peak < 20 * MIB
            assert after.anon_peak < 20 * MIB
        else:
            assert after.peak == before.peak

    def test_page_cache_is_no_anonymous_memory(self, start, tmp_path):
        """A file of five times the limit is read and nothing dies; what it takes is page cache."""
        if is_on_tmpfs(tmp_path):
            pytest.skip("temporary files are on a tmpfs, which is no page cache")
        file = tmp_path / "file"
        child = start("/bin/dd", "if=/dev/zero", f"of={file}", "bs=1M", "count=80", memory_limit=limit(16))
        state = child.wait(PATIENCE)
        assert state.exit.code == 0
        assert state.group_last.oom_kills == 0
        assert state.group_last.anon_peak < 8 * MIB


class TestEnds:
    def test_a_kill_at_the_limit_is_told(self, programs, start):
        """By the counter of its own group, and the last figures are kept when the group is gone."""
        state = start(programs["hold"], "--mb", "64", memory_limit=limit(32)).wait(PATIENCE)
        assert state.exit.signal == signal.SIGKILL
        assert "oom_kill in" in state.exit.oom
        assert state.group_last.oom_kills >= 1  # v2 counts the victim once more when it kills the whole group
        assert 28 * MIB < state.group_last.peak < 33 * MIB  # the kernel itself may charge a little beyond
        assert not Path(state.group.path).exists()

    def test_a_raised_limit_lets_it_live(self, programs, start, until):
        """For a round that is to see what comes after the limit."""
        child = start(programs["hold"], "--mb", "24", memory_limit=limit(32))
        child.raise_limit(64 * MIB)
        assert child.state().group.limit == child.read_group().limit == 64 * MIB
        with pytest.raises(SupervisorError, match="can only be raised"):
            child.raise_limit(MIB)

    def test_nothing_of_it_is_left(self, supervisor, start):
        """Also what the service has started, and what would escape by a session and an environment of its own."""
        escape = "setsid -f env -i /bin/sleep 100; exec /bin/sleep 100"
        child = start("/bin/sh", "-c", escape, memory_limit=limit(64))
        group = Path(child.state().group.path)
        child.kill()
        child.wait(PATIENCE)
        child.forget()
        supervisor.close()
        assert not group.exists()
        assert groups_of(supervisor.pid) == []

    def test_groups_of_a_killed_supervisor_are_removed_by_the_next(self, until):
        """With the processes in them, though nobody else knows of these."""
        killed = SupervisorClient()
        request = LaunchRequest(["/bin/sleep", "100"], dict(os.environ), "/", memory_limit=limit(64))
        child = killed.launch(request)
        os.kill(killed.pid, signal.SIGKILL)
        until(lambda: not psutil.pid_exists(killed.pid) or psutil.Process(killed.pid).status() == "zombie")
        with contextlib.closing(SupervisorClient()) as following:
            following.launch(request)
            until(lambda: not psutil.pid_exists(child.pid))
            assert groups_of(killed.pid) == []
            assert len(groups_of(following.pid)) == 1
        killed.close()
        assert groups_of(following.pid) == []

    def test_groups_of_a_killed_supervisor_are_removed_at_the_close(self, start, supervisor):
        """If pytest itself lives, it need not wait for the next run."""
        start("/bin/sleep", "100", memory_limit=limit(64))
        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.close()
        assert groups_of(supervisor.pid) == []

    def test_groups_of_a_killed_pytest_are_removed_by_its_supervisor(self, until):
        """It notices."""
        dying = (
            "import os, signal\n"
            "from pytest_gomem.supervisor.client import LaunchRequest, SupervisorClient\n"
            f"request = LaunchRequest(['/bin/sleep', '100'], {{}}, '/', memory_limit={limit(64)})\n"
            "print(SupervisorClient().launch(request).state().group.path, flush=True)\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        told = subprocess.run([sys.executable, "-c", dying], stdout=subprocess.PIPE, text=True, check=False).stdout
        folder = Path(told.strip()).parent
        assert owned(folder)
        until(lambda: not folder.exists())


class TestSimulated:
    def test_the_supervisor_kills_and_says_so(self, programs, start):
        """Without any group: by the anonymous pages of all processes of the service."""
        state = start(programs["hold"], "--mb", "64", memory_limit=limit(32, "simulated")).wait(PATIENCE)
        assert state.group.by == "simulated"
        assert state.exit.signal == signal.SIGKILL
        assert "simulated limit: RssAnon was" in state.exit.oom
        assert state.group_last.peak is None
        assert state.group_last.anon_peak > 32 * MIB

    def test_what_turns_out_to_serve_counts_at_once(self, programs, monkeypatch):
        """Descendants are looked for once a second, within which it may fill its memory many times."""
        monkeypatch.setattr(simulated, "_FAMILY_EVERY", 1e3)
        command = ["/bin/sh", "-c", f"read go; {programs['hold']} --mb 32; exit"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as shell:
            group = simulated.SimulatedGroup(16 * MIB)
            group.watch(shell.pid)
            assert not group.exceeded()
            shell.stdin.write(b"go\n")
            shell.stdin.flush()
            assert b"holding" in shell.stdout.readline()
            assert not group.exceeded()
            (holding,) = psutil.Process(shell.pid).children()
            group.watch(holding.pid)
            assert group.exceeded()
            group.close()
            os.killpg(shell.pid, signal.SIGKILL)


@pytest.mark.parametrize("mode", ["cgroup", "simulated"])
def test_the_limit_of_a_daemon_outlives_what_has_started_it(programs, start, until, mode):
    """Its figures go on, and its own end is the one that tells the last ones."""
    script = f"{programs['hold']} --mb 16 & exit 0"
    child = start("/bin/sh", "-c", script, memory_limit=limit(64, mode))
    assert child.wait(PATIENCE).exit.code == 0
    until(lambda: "holding" in child.log()[0])
    (daemon,) = child.members()
    child.serve_by(daemon)
    assert child.read_group(reset_peak=True).anon > 16 * MIB
    assert child.read_group().anon_peak > 16 * MIB
    assert child.state().group_last is None
    os.kill(daemon, signal.SIGKILL)
    until(lambda: child.state().serving_exit)
    assert child.state().group_last.anon_peak > 16 * MIB
    assert not child.state().group.path or not Path(child.state().group.path).exists()
