"""The reader of heap dumps, a Go module of its own: its Go tests, its form, and that it needs no other module."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import pytest_gomem

READER = Path(pytest_gomem.__file__).parent / "retention/reader"


@pytest.mark.parametrize("words", [("vet", "./..."), ("test", "./...")], ids=["vet", "test"])
def test_go_finds_nothing_wrong(go, words):
    done = subprocess.run([go, *words], cwd=READER, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_source_is_formatted(go):
    gofmt = Path(go).resolve().with_name("gofmt")
    done = subprocess.run([gofmt, "-l", "."], cwd=READER, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("", "")


def test_it_needs_the_standard_library_alone():
    assert "require" not in (READER / "go.mod").read_text()
    assert not (READER / "go.sum").exists()
