"""gomem_accepted.yaml in real runs: accepted, too much, expired, vanished, gone, muted; and `gomem accept`."""

from __future__ import annotations

import subprocess
import sys

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
from pytest_gomem.base import clock
if "LATER" in os.environ:
    clock.now = lambda: datetime.datetime(2130, 1, 1, tzinfo=datetime.timezone.utc)
"""


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

    passed = project.run("-n1", "--gomem-strict")
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
    assert "(ann: a cache), and that date has passed" in " ".join(late.text.split())

    tests = project.folder / "test_it.py"
    tests.write_text(tests.read_text().replace("bytes=2000000", "bytes=4000000"))
    more = project.run("-k", "grown")
    assert more.status == 1
    assert "; more than the " in more.text

    tests.write_text(tests.read_text().replace('live_heap="1MB"', 'live_heap="90MB"'))
    kept = project.run("--gomem-strict", "-q")  # what fails the run is told all the same
    assert kept.status == 1
    assert "2 passed" in kept.text
    said = " ".join(kept.text.split())
    assert "gomem_accepted.yaml:4: live_heap is within its limits again: remove" in said
    assert "alloc_bytes_per_op is within" not in said

    tests.write_text(tests.read_text().replace("    pass", '    go_service.get("/alloc?bytes=10")'))
    over = " ".join(project.run("--gomem-strict", env={"LATER": "1"}).text.split())
    assert "gomem_accepted.yaml:11: what was accepted of alloc_bytes_per_op until" in over
    assert "is over: remove the entry of 'test_it.py::test_unmeasured'" in over

    tests.write_text(tests.read_text().replace("test_grown", "test_renamed"))
    renamed = project.run("--gomem-strict")
    assert renamed.status == 4
    assert "gomem_accepted.yaml:4 accepted[0]: the test 'test_it.py::test_grown' is gone" in renamed.text


def test_entries_of_equal_rank_are_refused(scenario):
    """At collection, beside two such budgets: which of them counts would be a matter of chance."""
    rivals = 'budgets: {tests: {"test_it*": {fds: 90}, "test_it*grown": {fds: 91}}}'
    project = scenario(TESTS, budgets=rivals)
    entry = "  - {test: '%s', metric: live_heap, amount: 5%%, reason: r, owner: o, expires: 2199-01-01}\n"
    (project.folder / "gomem_accepted.yaml").write_text(
        "version: 1\naccepted:\n" + entry % "test_it*" + entry % "test_it*grown" + entry % "test_it*measured"
    )
    refused = project.run()
    assert refused.status == 4
    assert refused.text.count("are of equal rank for") == 2
    assert "two budgets of equal rank on fds" in refused.text
    assert "gomem_accepted.yaml:3 accepted[0]: live_heap of 'test_it*' and of 'test_it*grown' (line 4)" in refused.text


def test_a_metric_whose_scatter_nobody_knows(scenario, gomem):
    """Is accepted with a word on it."""
    project = scenario('@pytest.mark.gomem(cpu_time="1us")\ndef test_cpu(go_service): go_service.get("/alloc?bytes=9")')
    assert project.run().status == 1
    words = ("accept", "test_cpu", "cpu_time", "--reason", "r", "--owner", "o", "--report", "report.json")
    status, text = gomem(project.folder, *words)
    assert status == 0
    assert "it is not known how far cpu_time scatters" in text


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
        (("test_grown", "live_heap"), {"expires": "soon"}, "'soon' is not a date"),
        (("test_grown", "live_heap"), {"expires": "2020-01-01"}, "is over already"),
        (("test_grown", "live_heap"), {"amount": "5 parsec"}, "does not fit bytes"),
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
    assert "Traceback" not in broken.text
