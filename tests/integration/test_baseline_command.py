"""`gomem baseline` on kept files of a real git repository."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from git_repository import GitRepository

from pytest_gomem.baseline.snapshot import Snapshot
from pytest_gomem.baseline.store import Store
from pytest_gomem.commands import cli
from pytest_gomem.pprof.read import read_profile
from pytest_gomem.pprof.write import compressed

RECORDED = Path(__file__).parents[1] / "recorded/go1.26/heap_debug1.txt"


def snapshot(*live_heap: float, go: str = "go1.26") -> Snapshot:
    return Snapshot({"go": go}, {"live_heap": live_heap}, 10, "0a1b2c3", "2026-01-31")


def making(bytes_made: float, kept: Snapshot) -> Snapshot:
    """With what functions made in each round: one exactly, one as uncertain as it is large."""
    rounds = len(kept.rounds)
    figures = dict[str, tuple[float, ...]]()
    for name, interval in (("alloc_space[main.encode*] cum", 0.0), ("alloc_space[main.rare]", bytes_made)):
        figures |= {name: (bytes_made,) * rounds, f"{name} interval": (interval,) * rounds}
    return replace(kept, metrics={**kept.metrics, **figures})


def gomem(*args: str) -> tuple[int, str]:
    out = io.StringIO()
    status = cli.main(["baseline", *args], out, out)
    return status, out.getvalue()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    store = Store(Path("gomem_baselines"))
    made = making(4e6, snapshot(10e6, 10.001e6, 10.002e6))
    kept = {"test_a": {"api/test": (made,)}, "test_b": {"api/test": (snapshot(5e6),)}}
    store.change("test_it.py", lambda _: kept)
    return store


def test_list_and_show(store, tmp_path, monkeypatch):
    """What is kept, in one line each; all metrics of a test with its conditions; a wrong name has the nearest."""
    status, text = gomem("list")
    assert status == 0
    assert text.splitlines()[1].split() == ["test_it.py::test_a", "api/test", "3", "1", "2026-01-31", "0a1b2c3"]
    status, text = gomem("show", "test_a")
    assert (status, "go go1.26" in text) == (0, True)
    assert "  live_heap is not comparable any more: recorded before" in text  # as a file of an older version holds it
    assert text.splitlines()[4].split() == ["live_heap", "10.0", "MB", "10.0", "MB", "10.0", "MB", "3"]
    assert text.splitlines()[5].split()[-7:] == ["4.00", "MB", "4.00", "MB", "4.00", "MB", "3"]
    profile = store.folder / "profiles/kept.pb.gz"
    profile.parent.mkdir()
    profile.write_bytes(compressed(read_profile(RECORDED)))
    kept = {"api/test": (replace(snapshot(1e6), profile="profiles/gone.pb.gz", peak_profile="profiles/kept.pb.gz"),)}
    store.change("test_it.py", lambda tests: {**tests, "test_p": kept})
    close, peak = [line for line in gomem("show", "test_p")[1].splitlines() if "heap profile" in line]
    assert close.startswith("  heap profile ")
    assert "gone.pb.gz, is missing" in close
    assert peak.startswith("  heap profile of the peak gomem_baselines/profiles/kept.pb.gz, ")
    status, text = gomem("show", "test_c")
    assert status == 2
    assert "no test 'test_c'" in text
    assert gomem("list", "--dir", "nowhere")[0] == 2
    below = tmp_path / "cmd" / "api"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert gomem("list")[1].splitlines()[1].startswith("test_it.py::test_a ")
    assert gomem("prine")[0] == 2


def test_diff_against_a_commit(store, tmp_path):
    """What moved beyond its scatter, what is new, removed, or of new conditions."""
    repository = GitRepository(tmp_path)
    repository.git("init", "-q")
    repository.commit()
    assert gomem("diff") == (0, "no baseline has changed since HEAD\n")
    moved = (making(5e6, snapshot(10.2e6, 10.201e6, 10.202e6)), snapshot(1e6, go="go1.27"))
    store.change("test_it.py", lambda _: {"test_a": {"api/test": moved}, "test_c": {"api/test": (snapshot(1e6),)}})
    status, text = gomem("diff", "HEAD")
    assert status == 0
    assert "changed: test_it.py::test_a  api/test\n  live_heap 10.0 MB -> 10.2 MB, +2.00%" in text
    assert "\n  alloc_space[main.encode*] cum 4.00 MB -> 5.00 MB, +25.0%" in text
    assert "main.rare" not in text, "within its interval"
    assert "new conditions: test_it.py::test_a  api/test" in text
    assert "removed: test_it.py::test_b" in text
    assert "new: test_it.py::test_c" in text
    assert gomem("diff", "nonsense")[0] == 2
    repository.commit()
    store.change("test_it.py", lambda _: {"test_a": {"api/test": moved[:1]}, "test_c": {"api/late": (snapshot(1e6),)}})
    assert gomem("diff")[1].splitlines() == [
        "removed conditions: test_it.py::test_a  api/test",
        "new conditions: test_it.py::test_c  api/late",
        "removed: test_it.py::test_c  api/test",
    ]


def test_diff_knows_a_metric_of_the_users_own(store, tmp_path):
    """Its unit and direction are what the plugin declares, whom pytest loads."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text(
        "from pytest_gomem.measure.metric import Better, Metric, Noise\n"
        "from pytest_gomem.base.units import BYTES\n"
        "OWN = Metric('own', 'memory', BYTES, Better.LOWER, Noise.NEAR_EXACT, ('a source',), 'Mine.', print)\n"
        "def pytest_gomem_metrics(): return [OWN]\n"
    )
    repository = GitRepository(tmp_path)
    repository.git("init", "-q")
    for level in (10e6, 11e6):
        kept = replace(snapshot(1e6, 1e6, 1e6), metrics={"own": (level, level + 1, level + 2)})
        store.change("test_it.py", lambda _, kept=kept: {"test_a": {"api/test": (kept,)}})
        if level == 10e6:
            repository.commit()
    assert "own 10.0 MB -> 11.0 MB, +10.00%" in gomem("diff")[1]


def test_prune_lists_and_removes_what_pytest_does_not_collect(store, tmp_path):
    """Listed with status 1; removed on request; nothing to remove is fine."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text("def test_a():\n    pass\n")
    status, text = gomem("prune")
    assert (status, text.splitlines()[0]) == (1, "test_it.py::test_b")
    assert set(Store(store.folder).tests("test_it.py")) == {"test_a", "test_b"}
    assert gomem("prune", "--delete")[0] == 0
    assert set(Store(store.folder).tests("test_it.py")) == {"test_a"}
    assert gomem("prune") == (0, "every baseline belongs to an existing test\n")
    (tmp_path / "test_it.py").write_text("nonsense(\n")
    assert gomem("prune")[0] == 2
    store.path("test_other.py").write_bytes(b"{\n \xff")
    status, text = gomem("prune")
    assert (status, "test_other.json:2: the baselines cannot be read: invalid start byte" in text) == (2, True)
    assert "could not collect" not in text


def test_prune_leaves_what_was_not_looked_for(store, tmp_path):
    """Deselected, ignored or outside of the arguments: such a test lives; one whose module is no more does not."""
    kept = {"test_a": {"api/test": (snapshot(1e6),)}}
    for module in ("slow/test_slow.py", "slow/test_removed.py", "fast/test_fast.py", "fast/test_removed.py"):
        store.change(module, lambda _: kept)
    store.change("test_it.py", lambda _: {"test_a": kept["test_a"], "test_b": kept["test_a"]})
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -m 'not mem'\nmarkers = mem\n")
    marked = "import pytest\npytestmark = pytest.mark.mem\ndef test_a():\n    pass\n"
    for path in ("slow/test_slow.py", "fast/test_fast.py", "test_it.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(marked)
    for args, gone in (
        ((), {"test_it.py::test_b", "slow/test_removed.py::test_a", "fast/test_removed.py::test_a"}),
        (("slow",), {"slow/test_removed.py::test_a"}),
        (("test_it.py::test_a",), set()),
        (("--", "--ignore=test_it.py"), {"slow/test_removed.py::test_a", "fast/test_removed.py::test_a"}),
    ):
        status, text = gomem("prune", *args)
        assert {line for line in text.splitlines() if "::" in line} == gone
        assert status == (1 if gone else 0)
