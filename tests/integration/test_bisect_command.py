"""`gomem bisect` in a git repository: its range, what it refuses, what it keeps, and how it ends when it is killed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from git_repository import GitRepository

from pytest_gomem.base.locks import locked_file
from pytest_gomem.bisect.likeness import Kind
from pytest_gomem.bisect.state import Asked, State, Step, read_state, write_state
from pytest_gomem.commands import bisect as command
from pytest_gomem.commands import cli
from pytest_gomem.git import commits as git_commits
from pytest_gomem.git.commits import commits_between
from pytest_gomem.git.repository import GitError, Repository
from pytest_gomem.plugin.compared_closely import METRIC_VARIABLE, pytest_collection_modifyitems


def gomem(*args: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    status = cli.main(["bisect", *args], out, err)
    return status, out.getvalue(), err.getvalue()


@pytest.fixture
def made(tmp_path, monkeypatch) -> GitRepository:
    """Four commits tagged v0 to v3, and beside v1 a branch that is merged by v3."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = GitRepository.made(tmp_path / "repo")
    monkeypatch.chdir(made.folder)
    for at in range(2):
        made.commit(**{"a.txt": f"{at}", "test_it.py": "def test_one(): pass\ndef test_two(): pass\n"})
        made.git("tag", f"v{at}")
    made.git("checkout", "--quiet", "-b", "side", "v0")
    made.commit(**{"b.txt": "side"})
    made.git("checkout", "--quiet", "main")
    made.commit(**{"a.txt": "2"})
    made.git("tag", "v2")
    made.git("merge", "--quiet", "--no-edit", "side")
    made.git("tag", "v3")
    return made


def between(made: GitRepository, good: str, bad: str, **options: bool):
    repository = Repository.around(made.folder)
    found = commits_between(repository, repository.commit(good), repository.commit(bad), **options)
    names = {made.git("rev-parse", name): name for name in ("v0", "v1", "v2", "side", "v3")}
    return {names[one.hash]: tuple(names[parent] for parent in one.parents) for one in found}


def test_the_range_has_merged_branches(made):
    """Parents come first; by first parents alone a merge stands for its branch."""
    found = between(made, "v0", "v3")
    assert found == {"v1": ("v0",), "v2": ("v1",), "side": ("v0",), "v3": ("v2", "side")}
    assert list(found)[-1] == "v3"
    assert between(made, "v0", "v3", first_parent=True) == {"v1": ("v0",), "v2": ("v1",), "v3": ("v2",)}
    assert between(made, "v2", "v3") == {"side": ("v0",), "v3": ("v2", "side")}


def test_a_commit_has_its_words(made):
    """Also an empty subject, and one with what a terminal would obey."""
    made.git("commit", "--quiet", "--allow-empty", "--allow-empty-message", "--message=")
    made.git("commit", "--quiet", "--allow-empty", "--message=a \x1b[2J b\n\nmore")
    repository = Repository.around(made.folder)
    first, second = commits_between(repository, repository.commit("v3"), repository.commit("HEAD"))
    assert (first.subject, first.author) == ("", "a@example.com")
    assert second.subject == "a \x1b[2J b"
    assert second.date.startswith("20")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["v3", "v0", "test_one"], "comes before"),
        (["v3", "--rounds", "9", "v3", "test_one"], "both ends are the commit"),
        (["v2", "side", "test_one"], "is no ancestor of"),
        (["gone", "test_one"], "git knows no commit 'gone'"),
        (["v0"], "expected GOOD [BAD] TEST [METRIC], not 1 word"),
        (["v0", "v1", "test_one", "live_heap", "more"], "not 5 words"),
        (["v0", "v1", "test_one", "--rounds=2"], "expected a whole number of at least 3"),
        (["--resume"], "no bisection was stopped in"),
        (["v0", "v3", "test_*"], "means 2 tests: test_it.py::test_one, test_it.py::test_two"),
    ],
)
def test_bad_input_is_one_answer(made, args, says):
    """Status 2, and the repository stays as it was."""
    before = made.state()
    status, out, err = gomem(*args)
    assert (status, out) == (2, "")
    assert says in err
    assert made.state() == before


def test_no_repository_and_a_range_that_is_too_long(tmp_path, monkeypatch, made):
    """Each with what to do."""
    monkeypatch.setattr(git_commits, "MOST", 2)
    with pytest.raises(GitError, match=r"there are more than 2 commits .*\n.*nearer to BAD"):
        between(made, "v0", "v3")
    monkeypatch.chdir(tmp_path)
    status, _, err = gomem("v0", "test_one")
    assert (status, "is not in a git repository" in err) == (2, True)


def test_of_three_words_the_second_may_be_a_commit(made):
    """Else it is the test."""
    repository = Repository.around(made.folder)
    assert command._words(["v0", "v1", "test_one"], repository) == ("v0", "v1", "test_one", "")
    assert command._words(["v0", "test_one", "live_heap"], repository) == ("v0", "HEAD", "test_one", "live_heap")


def test_what_was_stopped_is_resumed_as_it_was_asked(made):
    """Another question is refused with the first one's words, and a damaged state with what to do."""
    repository = Repository.around(made.folder)
    kept = command._state_file(repository)
    asked = Asked(repository.commit("v0"), repository.commit("v3"), "test_one", "live_heap", pytest_args=("-x",))
    write_state(kept, State(asked))
    status, _, err = gomem("v1", "test_one", "--resume")
    assert status == 2
    assert f"it was  gomem bisect {asked.good[:12]} {asked.bad[:12]} test_one live_heap -- -x" in err
    assert read_state(kept) == State(asked)
    kept.write_text("torn")
    status, _, err = gomem("--resume")
    assert (status, "start anew: leave out --resume" in err) == (2, True)


def test_there_is_one_at_a_time(made):
    """A lock ends with its process; the next one starts."""
    lock = command._state_file(Repository.around(made.folder)).with_suffix(".lock")
    with locked_file(lock):
        status, _, err = gomem("v0", "test_one")
    assert (status, "another gomem bisect runs in" in err) == (2, True)
    assert "another gomem bisect" not in gomem("v3", "v0", "test_one")[2]


def test_ctrl_c_keeps_the_steps(made, monkeypatch):
    """And says how to go on."""
    kept, step = command._state_file(Repository.around(made.folder)), Step("v1", Kind.GOOD)

    def stopped(search):
        search.save(search.state.with_step(step))
        raise KeyboardInterrupt

    monkeypatch.setattr("pytest_gomem.commands.bisecting.Bisection.run", stopped)
    status, _, err = gomem("v0", "test_one")
    assert status == 130
    assert "go on by  gomem bisect --resume" in err
    assert read_state(kept).steps == (step,)


def test_the_answer_is_compared_without_a_tolerance(pytester, monkeypatch):
    """Whatever the user's own marker says of the metric; what it says of others stays."""
    monkeypatch.setenv(METRIC_VARIABLE, "peak_rss")
    item = pytester.getitem(
        "import pytest\n@pytest.mark.gomem(peak_rss='1GB', live_heap='1MB')\ndef test_func(): pass\n"
    )
    pytest_collection_modifyitems([item])
    marks = [mark.kwargs for mark in item.iter_markers("gomem")]
    assert marks == [{"peak_rss": {"regression": "0%"}}, {"peak_rss": "1GB", "live_heap": "1MB"}]


def test_a_run_ends_with_the_command_that_is_killed(tmp_path):
    """SIGKILL leaves no time to end anything: the run of pytest sees that its parent is gone."""
    (tmp_path / "test_it.py").write_text(
        "import os, time\nfrom pathlib import Path\n\n\n"
        "def test_long():\n    Path('pid').write_text(str(os.getpid()))\n    time.sleep(100)\n"
    )
    code = (
        "from pathlib import Path\nfrom pytest_gomem.commands.one_test import run_beside\n"
        "run_beside(Path('kept'), [])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment) as parent:
        pid = _until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        parent.send_signal(signal.SIGKILL)
    assert _until(lambda: not psutil.pid_exists(int(pid)) or psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE)


def _until(come):
    """Its first answer that is not empty, within a minute."""
    deadline = time.monotonic() + 60
    while not (found := come()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
