"""`gomem selftest`: a real service is made worse during its own tests, and the gate rings or says why not."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from own_metric import CONFTEST

from pytest_gomem.commands.cli import main
from pytest_gomem.report.accepted import CACHE_FILE

pytestmark = pytest.mark.usefixtures("go")
SERVER = Path(__file__).parents[1] / "programs" / "server"
YAML = f"""\
version: 1
services:
  api:
    build: {SERVER}
    args: ["--listen", "127.0.0.1:{{port}}"]
    ready: {{http: /healthz}}
"""
TESTS = """
import pytest

@pytest.mark.gomem(live_heap="40MB", peak_rss="1GB", rss_kept="9GB")
def test_sharp(go_service):
    go_service.get("/alloc?bytes=3000000&keep=true")
    go_service.load("/alloc?bytes=20000", requests=100)

@pytest.mark.gomem(live_heap={"regression": "30%", "max": "1MB"})
def test_blind(go_service):
    go_service.get("/alloc?bytes=3000000&keep=true")

@pytest.mark.gomem(rounds=1)
def test_once(go_service):
    pass
"""


@pytest.fixture
def selftest(tmp_path, monkeypatch):
    """Runs the command on test files; its status, output and errors."""
    (tmp_path / "gomem.yaml").write_text(YAML)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\ngomem_history = runs.jsonl\ngomem_update = true\ngomem_against = nowhere\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def run(tests, *argv):
        (tmp_path / "test_it.py").write_text(tests)
        out, err = io.StringIO(), io.StringIO()
        return main(["selftest", *argv], out, err), out.getvalue(), err.getvalue()

    return run


def test_gates_ring_or_say_why_not(selftest, tmp_path):
    """Ten percent more live heap and bytes per op ring; a limit of 30% on regressions stays silent and is named, and so
    are loose budgets; what was measured with the load goes into no history, no baseline and no `gomem accept`."""
    status, out, err = selftest(TESTS, "--by", "10%")
    assert status == 1, out + err
    rows = {tuple(line.split()[:2]): line for line in out.splitlines() if line.startswith("test_it.py::")}
    for metric in ("live_heap", "alloc_bytes_per_op"):
        row = rows["test_it.py::test_sharp", metric]
        rose = float(re.search(r" rang \(\+([\d.]+)%\)$", row)[1])
        assert 9 <= rose <= 12, row
    assert re.search(r"test_blind +live_heap .* SILENT \(\+\d", out)
    assert "test_it.py::test_blind: live_heap: its limit on regressions allows 30%" in out
    assert "test_it.py::test_sharp: live_heap: live_heap 40MB is looser than ten times the noise" in out
    assert "test_it.py::test_once: not tested: it was measured in 1 round, " in out
    assert re.search(r"\d rang, \d stayed silent, 1 not tested$", out)
    assert re.search(r"test_sharp +rss_kept +[\d.]+ MB +[\d.]+ [kM]B \([\d.]+%\) +- \(", out)  # of the user's own
    assert "test_it.py::test_sharp: rss_kept: rss_kept 9GB is looser than ten times the noise" in out
    assert not (tmp_path / "runs.jsonl").exists()
    assert not (tmp_path / "gomem_baselines").exists()
    assert not (tmp_path / CACHE_FILE).exists()


FAILING = """
def test_it(go_service):
    raise ValueError("by itself")
"""


@pytest.mark.parametrize(
    ("tests", "argv", "says"),
    [
        (TESTS, ["--by", "nothing"], "argument --by: 'nothing' is not a quantity"),
        (TESTS, ["--by", "0%"], "--by: expected a share"),
        (TESTS, ["--rounds", "2"], "--rounds: expected a whole number of at least 3"),
        (TESTS, ["--gomem-update"], "would record figures with the injected load as baselines"),
        (TESTS, ["none.py"], "file or directory not found: none.py"),
        ("def test_it(): pass", [], "no test measured anything"),
        (FAILING, [], "the tests must pass by themselves first: test_it.py::test_it"),
    ],
)
def test_bad_input(selftest, tests, argv, says):
    """What cannot be proved ends with status 2 and says why, with pytest's own last words."""
    status, out, err = selftest(tests, *argv)
    assert (status, out) == (2, "")
    assert says in err
    assert "pytest_gomem/" not in err
