"""When a heap dump is refused, and what becomes of its file."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.config.dump_limits import DumpLimits
from pytest_gomem.retention import dumping, holding
from pytest_gomem.retention.dumping import estimate, heap_dump, why_refused


class Agent:
    """An agent that writes so many bytes, and remembers how the file was."""

    def __init__(self, folder: Path, writes: bytes = b"go1.7 heap dump\nrest", objects: int = 1000) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.mode = 0
        self.seconds = 0.0
        self._writes, self._objects = writes, objects

    def gc(self) -> None:
        self.asked.append("gc")

    def memstats(self) -> SimpleNamespace:
        self.asked.append("memstats")
        return SimpleNamespace(common=SimpleNamespace(heap_alloc=1_000_000, heap_objects=self._objects))

    def dump_heap(self, path: Path, seconds: float) -> None:
        self.asked.append("dump")
        self.mode, self.seconds = stat.S_IMODE(path.stat().st_mode), seconds
        path.write_bytes(self._writes)


def test_what_a_dump_takes():
    """1.2 times the live heap; half a second of stop, and 5 s more of patience, for each million objects or so."""
    expected = estimate(100_000_000, 1_100_000)
    assert (expected.bytes, expected.objects) == (120_000_000, 1_100_000)
    assert expected.stop == pytest.approx(0.5)
    assert expected.patience == pytest.approx(15.5)


@pytest.mark.parametrize(
    ("live", "objects", "free", "says"),
    [
        (1_000_000_000, 1_000_000, 10**12, ""),
        (1_700_000_000, 1_000_000, 10**12, "would take 2.04 GB, more than 2.00 GB; .*retention: {max_dump: ...}"),
        (900_000_000, 8_000_001, 10**12, "8.00M objects, more than 8.00M: .* still for about 3.6 s; .*max_objects"),
        (1_000_000_000, 1_000_000, 10**9, "would take 1.20 GB, and the disk has 1.00 GB free"),
    ],
)
def test_a_dump_that_is_too_large_is_refused(live, objects, free, says):
    """By its size, its objects, and the disk; the reason names the setting."""
    found = why_refused(estimate(live, objects), DumpLimits(), free)
    if says:
        assert re.search(says, found)
    else:
        assert found == ""


def test_the_file_is_private_and_goes(tmp_path):
    """It is there with mode 0600 when the service writes, and gone after the block, also if that fails."""
    agent = Agent(tmp_path)
    with heap_dump(agent, DumpLimits()) as dump:
        assert dump.read_bytes().startswith(b"go1.7")
    assert (agent.asked, agent.mode, list(tmp_path.iterdir())) == (["gc", "memstats", "dump"], 0o600, [])
    with pytest.raises(KeyboardInterrupt), heap_dump(agent, DumpLimits()):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_dumped_above_a_limit(tmp_path):
    """The service is asked what is live, and no more."""
    agent = Agent(tmp_path, objects=10)
    with pytest.raises(ObserveError, match="10 objects, more than 9"), heap_dump(agent, DumpLimits(max_objects=9)):
        pass
    assert agent.asked == ["gc", "memstats"]


def test_a_service_that_writes_elsewhere(tmp_path):
    """One that sees another file under that name leaves ours as it is."""
    with pytest.raises(ObserveError, match="may see other files there"), heap_dump(Agent(tmp_path, b""), DumpLimits()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_no_place_for_it(tmp_path):
    """A folder that is gone is a reason."""
    with (
        pytest.raises(ObserveError, match="there is no place for a heap dump"),
        heap_dump(Agent(tmp_path / "x"), DumpLimits()),
    ):
        pass


def test_limits_are_of_the_service(monkeypatch, tmp_path):
    """The disk is asked where the dump goes."""
    monkeypatch.setattr(dumping.shutil, "disk_usage", lambda folder: SimpleNamespace(free=5))
    with pytest.raises(ObserveError, match=r"has 5\.00 B free"), heap_dump(Agent(tmp_path), DumpLimits()):
        pass


@pytest.mark.parametrize("end", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_half_a_dump_is_not_kept(monkeypatch, tmp_path, end):
    """It is as secret as a whole one."""

    def copied(source, target):
        target.write(source.read(4))
        raise end

    monkeypatch.setattr(holding.shutil, "copyfileobj", copied)
    with pytest.raises((ObserveError, KeyboardInterrupt)):
        holding.holders_now(Agent(tmp_path), None, DumpLimits(), tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []
