"""The private folder of a run: what kill -9 leaves goes with a later run, and nothing that is somebody's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_gomem.base.files import held, run_folder

RUN = """
import sys
from pathlib import Path
from pytest_gomem.base.files import held, run_folder
given = sys.argv[1]
with held(Path(given)) if "/" in given else run_folder(given) as folder:
    (folder / "bin").mkdir(exist_ok=True)
    print(folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def running(given: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process that has a folder of its own, or holds the one that is given."""
    command = [sys.executable, "-c", RUN, given]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process, Path(process.stdout.readline().strip())
        process.stdin.close()


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch) -> Path:
    """A folder for temporary files of the test's own, also for its children."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_what_a_killed_run_left_goes_with_the_next(temporary):
    """Only with one of the same kind, and not while a worker of that run still lives."""
    with running("pytest-gomem-") as (process, left):
        with running(str(left)) as (worker, _):
            killed(process)
            with run_folder("pytest-gomem-"):
                assert (left / "bin").is_dir()
            killed(worker)
        with run_folder("gomem-run-"):
            assert left.is_dir()
        with run_folder("pytest-gomem-") as own:
            assert set(temporary.iterdir()) == {own}
            assert own.stat().st_mode & 0o777 == 0o700
    assert not list(temporary.iterdir())


def test_what_is_in_use_or_not_ours_stays(temporary):
    """A live run's folder, in this process or another; one without our mark; and whatever a link leads to."""
    other, linked = temporary / "pytest-gomem-of-others", temporary / "elsewhere"
    other.mkdir()
    with running("elsewhere-") as (process, marked):
        killed(process)
    marked.rename(linked)
    (temporary / "pytest-gomem-link").symlink_to(linked)
    with running("pytest-gomem-") as (_, live), run_folder("pytest-gomem-") as first, run_folder("pytest-gomem-"):
        assert (live / "bin").is_dir()
        assert first.is_dir()
    assert other.is_dir()
    assert (linked / "bin").is_dir()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a file of another user")
def test_another_users_folder_stays(temporary):
    """It looks as if it were left, and root could remove it."""
    with running("pytest-gomem-") as (process, left):
        killed(process)
    os.chown(left, 65534, 65534)
    with run_folder("pytest-gomem-"):
        assert left.is_dir()


def test_a_folder_that_is_gone_is_held_all_the_same(temporary):
    """A worker whose controller was killed, and its folder removed, fails for better reasons than ours."""
    with held(temporary / "gone") as folder:
        assert not folder.exists()
