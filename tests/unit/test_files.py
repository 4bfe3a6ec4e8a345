"""What we write is there whole or not at all; where that fails, the file is named."""

from __future__ import annotations

import contextlib
import io
import resource

import pytest
from pprof_profiles import HEAP, location, profile
from test_baseline_files import snapshot
from test_history import entry

from pytest_gomem.base.errors import GomemError
from pytest_gomem.base.files import write_whole
from pytest_gomem.baseline.store import Store
from pytest_gomem.commands import cli
from pytest_gomem.history.file import append
from pytest_gomem.pprof.write import compressed
from pytest_gomem.report.json_report import write_json
from pytest_gomem.results.run_record import RunRecord

HELD = profile([([1], (1, 7, 1, 7))], {1: location("main.leak" * 99)}, HEAP)


@contextlib.contextmanager
def files_of_at_most(size):
    """No file may grow beyond it: a write fails in its middle, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _flame(path):
    err = io.StringIO()
    assert cli.main(["flame", str(path.parent / "read"), "-o", str(path)], io.StringIO(), err) == 2
    raise GomemError(err.getvalue())


WRITERS = {
    "report.json": lambda path: write_json(RunRecord("1.0", {"kernel": "6.18"}, ()), path),
    "history.jsonl": lambda path: append(path, [entry()]),
    "test_it.json": lambda path: Store(path.parent).change("test_it.py", lambda _: {"test_a": {"w": (snapshot(1.0),)}}),
    "flame.svg": _flame,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_names_the_file(name, tmp_path):
    """Nothing is left of what could not be written whole."""
    (tmp_path / "read").write_bytes(compressed(HELD))
    with pytest.raises(GomemError) as caught, files_of_at_most(50):
        WRITERS[name](tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "File too large" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir() if path.is_file() and path.stat().st_size] == ["read"]


def test_what_was_there_stays(tmp_path):
    """A file that cannot be replaced is the one that it was."""
    path = tmp_path / "kept"
    write_whole(path, "old")
    with pytest.raises(OSError, match=f"File too large: '{path}'"), files_of_at_most(50):
        write_whole(path, "new" * 99)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
