"""The readers of heap dumps and of traces, Go modules of their own: their Go tests, their form, what they need."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_gomem.retention.reader_program import SOURCE as OF_DUMPS
from pytest_gomem.tracing.reader_program import SOURCE as OF_TRACES

BOTH = pytest.mark.parametrize("reader", [OF_DUMPS, OF_TRACES], ids=["heap dumps", "traces"])


@BOTH
@pytest.mark.parametrize("words", [("vet", "./..."), ("test", "./...")], ids=["vet", "test"])
def test_go_finds_nothing_wrong(go, reader, words):
    done = subprocess.run([go, *words], cwd=reader, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@BOTH
def test_its_source_is_formatted(go, reader):
    gofmt = Path(go).resolve().with_name("gofmt")
    done = subprocess.run([gofmt, "-l", "."], cwd=reader, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("", "")


def test_that_of_heap_dumps_needs_the_standard_library_alone():
    assert "require" not in (OF_DUMPS / "go.mod").read_text()
    assert not (OF_DUMPS / "go.sum").exists()
