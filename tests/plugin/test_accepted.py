"""gomem_accepted.yaml in real runs: accepted, too much, expired, vanished, gone, muted; and `gomem accept`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pytest_gomem.cli import main

TESTS = """
@pytest.mark.gomem(live_heap="1MB")
def test_grown(go_service):
    go_service.get("/alloc?bytes=2000000&keep=true")

@pytest.mark.gomem(alloc_bytes_per_op="1MB")
def test_unmeasured(go_service):
    pass
"""
# The one clock of all dates, four years later.
CONFTEST = """
import datetime, os
from pytest_gomem import clock
if "LATER" in os.environ:
    clock.now = lambda: datetime.datetime(2130, 1, 1, tzinfo=datetime.timezone.utc)
"""


@pytest.fixture
def gomem(capsys, monkeypatch):
    """Runs `gomem` in a folder; its status and all it printed."""

    def run(folder, *argv):
        monkeypatch.chdir(folder)
        status = main(argv, sys.stdout, sys.stderr)
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def test_the_life_of_an_acceptance(scenario, gomem):
    """What broke is accepted from what the run kept; then it passes with the reason, fails when it grows, when the day
    is over, and is to be removed when it is not needed."""
    project = scenario(TESTS, conftest=CONFTEST)
    command = [sys.executable, "-m", "pytest", "-q"]
    first = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, timeout=180)
    assert first.returncode == 1, first.stdout
    status, text = gomem(
        project.folder, "accept", "test_grown", "live_heap", "--reason", "a cache", "--owner", "ann", "--expires", "60d"
    )
    assert status == 0, text
    assert "live_heap (max) of test_it.py::test_grown is accepted up to" in text
    assert gomem(project.folder, "accept", "test_unmeasured", "alloc_bytes_per_op", "--reason", "x", "--owner", "bob",
                 "--mute", "--report", "report.json")[0] == 2  # fmt: skip
    assert gomem(project.folder, "accept", "test_it.py::test_unmeasured", "alloc_bytes_per_op", "--reason", "flaky",
                 "--owner", "bob", "--mute")[0] == 0  # fmt: skip

    passed = project.run("-n", "2", "--gomem-strict")
    assert passed.status == 0, passed.text
    (verdict,) = passed.window("test_grown")["verdicts"]
    assert verdict["status"] == "warn"
    assert (verdict["accepted"]["owner"], verdict["accepted"]["reason"]) == ("ann", "a cache")
    assert verdict["actual"] > 2e6
    (muted,) = passed.window("test_unmeasured")["verdicts"]
    assert (muted["status"], muted["accepted"]["amount"], muted["actual"]) == ("warn", None, None)
    assert "limits: 2 accepted" in passed.text
    said = " ".join(passed.text.split())
    assert "test_it.py::test_grown: live_heap 1MB is accepted up to" in said
    assert "by ann: a cache" in said

    late = project.run(env={"LATER": "1"})
    assert late.status == 1
    assert "2 failed" in late.text
    assert "(ann: a cache), and that is over" in late.text

    tests = project.folder / "test_it.py"
    tests.write_text(tests.read_text().replace("bytes=2000000", "bytes=4000000"))
    more = project.run("-k", "grown")
    assert more.status == 1
    assert "; more than the " in more.text

    tests.write_text(tests.read_text().replace('live_heap="1MB"', 'live_heap="90MB"'))
    kept = project.run("--gomem-strict")
    assert kept.status == 1
    assert "2 passed" in kept.text
    assert "gomem_accepted.yaml:4: live_heap is within its limits again: remove" in " ".join(kept.text.split())

    tests.write_text(tests.read_text().replace("test_grown", "test_renamed"))
    renamed = project.run("--gomem-strict")
    assert renamed.status == 4
    assert "gomem_accepted.yaml:4 accepted[0]: the test 'test_it.py::test_grown' is gone" in renamed.text


BROKEN = """
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.gomem(live_heap="1MB")
def test_grown(go_service, size):
    go_service.get(f"/alloc?bytes={size}000000&keep=true")
"""


def test_what_accept_refuses(scenario, gomem):
    """Bad input ends with status 2 and words that help, and writes nothing."""
    project = scenario(BROKEN)
    assert project.run().status == 1
    usual = {"--reason": "r", "--owner": "ann", "--report": "report.json"}

    def accept(*words, **changed):
        options = {**usual, **{f"--{key}": value for key, value in changed.items()}}
        return gomem(project.folder, "accept", *words, *(word for pair in options.items() for word in pair if pair[1]))

    for words, changed, says in (
        (("test_grwon", "live_heap"), {}, "nearest: test_it.py::test_grown"),
        (("test_grown", "live_heep"), {}, "did you mean live_heap?"),
        (("test_grown", "peak_rss"), {}, "broken there: live_heap"),
        (("test_grown", "live_heap"), {"expires": "soon"}, "'soon' is no date"),
        (("test_grown", "live_heap"), {"expires": "2020-01-01"}, "is over already"),
        (("test_grown", "live_heap"), {"amount": "5 parsec"}, "no suffix for bytes"),
        (("test_grown", "live_heap"), {"reason": "two\nlines"}, "one line of printable text"),
        (("test_grown", "live_heap"), {"report": "gomem.yaml"}, "is no report"),
        (("test_grown", "live_heap"), {"report": "none.json"}, "cannot be read"),
        (("test_grown", "live_heap"), {"config": "none.yaml"}, "there is no none.yaml"),
    ):
        status, text = accept(*words, **changed)
        assert (status, says in text) == (2, True), text
    assert not (project.folder / "gomem_accepted.yaml").exists()

    assert accept("test_grown", "live_heap")[0] == 0
    text = (project.folder / "gomem_accepted.yaml").read_text()
    assert 'test: "test_it.py::test_grown"\n' in text  # both combinations
    assert project.run().status == 0
    assert accept("test_grown", "live_heap")[0] == 2
    assert (project.folder / "gomem_accepted.yaml").read_text() == text
    (project.folder / "gomem_accepted.yaml").write_text(text.replace("expires", "expire"))
    broken = project.run()
    assert broken.status == 4
    assert "gomem_accepted.yaml:10 accepted[0].expire: unknown key 'expire'" in broken.text
    assert os.environ.get("PYTEST_XDIST_WORKER") or "Traceback" not in broken.text
