"""`gomem tighten` on a project: it prints, applies to gomem.yaml alone, and refuses what it cannot know."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pytest_gomem.base.errors import ConfigError, GomemError
from pytest_gomem.baseline.snapshot import Snapshot
from pytest_gomem.baseline.store import Store
from pytest_gomem.commands import tighten
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.tighten.yaml_edits import Edited

TESTS = """
@pytest.mark.gomem(peak_rss="64MiB")
def test_a(go_service): ...

class TestB:
    def test_b(self, go_service): ...

def test_plain(): ...
"""
BUDGETS = """\
budgets:
  defaults:
    live_heap: {max: 64MiB, warn: 60MiB}  # agreed in May
    gc_pause_max: 5ms
"""
DEFINITIONS = {metric.name: metric.definition for metric in builtin_metrics()}


@pytest.fixture
def project(dry_scenario):
    """Two tests with baselines of 40 and 50 MB."""
    made = dry_scenario(TESTS, budgets=BUDGETS)
    kept = {
        name: {
            "api/test": (Snapshot({}, {"live_heap": (live,) * 8, "peak_rss": (2 * live,) * 8}, 9, "", "2030-01-01"),)
        }
        for name, live in (("test_a", 2e7), ("TestB::test_b", 3e7))
    }
    for windows in kept.values():
        (one,) = windows["api/test"]
        one.definitions.update({name: DEFINITIONS[name] for name in one.metrics if DEFINITIONS[name] != 1})
    Store(made.folder / "gomem_baselines").change("test_it.py", lambda _: kept)
    return made


def test_it_prints_and_applies(project, gomem):
    """What it prints is a difference that git applies; gomem.yaml changes with --apply, test files never."""
    yaml, test = project.folder / "gomem.yaml", project.folder / "test_it.py"
    # Two commits that each run is to compare: nothing of them is looked for.
    (project.folder / "pytest.ini").write_text("[pytest]\ngomem_against = gone\ngomem_head = HEAD\n")
    before = yaml.read_text(), test.read_text()
    status, text = gomem(project.folder, "tighten")
    assert (status, yaml.read_text(), test.read_text()) == (0, *before), text
    assert "warn 60MiB -> 28.8MiB, max 64MiB -> 30.7MiB" in text
    assert "test_it.py::TestB::test_b / api/test: 30.0 MB at worst in 8 rounds, smallest visible change " in text
    assert "gc_pause_max: stays: it is noisy" in text
    assert '+@pytest.mark.gomem(peak_rss="40.' in text
    subprocess.run(["git", "apply", "--check", "-"], cwd=project.folder, input=text, text=True, check=True)
    yaml.chmod(0o640)
    status, text = gomem(project.folder, "tighten", "--apply")
    assert status == 0, text
    assert "1 of gomem.yaml tightened; 1 in Python files" in text
    assert yaml.read_text() == before[0].replace("{max: 64MiB, warn: 60MiB}", "{max: 30.7MiB, warn: 28.8MiB}")
    assert (test.read_text(), yaml.stat().st_mode & 0o777) == (before[1], 0o640)


@pytest.mark.parametrize(
    ("data", "words"), [(None, "there is no budget here"), ({"whole": False}, "a limit may judge")]
)
def test_what_pytest_must_know(data, words):
    """All tests that a limit judges: with a path or -k it may judge others."""
    with pytest.raises(ConfigError, match=words):
        tighten._project(data, Registry(()))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "there are no figures in kept"),
        ("history", "there is no lines.jsonl\n  pytest --gomem-history=lines.jsonl writes it"),
        ("other.jsonl", "there is no other.jsonl"),
        ("empty.jsonl", "there are no figures in empty.jsonl"),
        ("missing.json", "missing.json"),
        (".", "there are no figures in ."),
    ],
)
def test_a_source_without_figures_is_named(tmp_path, monkeypatch, source, words):
    """With what would write it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.jsonl").touch()
    project = tighten._Project(tmp_path, (), None, Path("kept"), Path("lines.jsonl"), Registry(builtin_metrics()))
    with pytest.raises(GomemError, match=re.escape(words)):
        tighten._known(source, project)


def test_a_file_that_changed_meanwhile_stays(tmp_path):
    """Somebody's editor has saved it since it was read."""
    path = tmp_path / "gomem.yaml"
    path.write_text("theirs")
    with pytest.raises(ConfigError, match="changed meanwhile: nothing is written"):
        tighten._apply(tighten._File(path, b"as it was read", Edited("ours", (), ())))
    assert path.read_text() == "theirs"
    assert [one.name for one in tmp_path.iterdir()] == ["gomem.yaml"]
