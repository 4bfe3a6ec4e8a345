"""`gomem init` tries what it proposes: what does not work is told, with the service's own words."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pytest_gomem.commands.cli import main

CRASHING = """
import ("flag"; "net"; "os")

func main() {
	addr := flag.String("addr", ":8080", "")
	flag.Parse()
	os.Stderr.WriteString("no database at localhost\\n")
	os.Exit(3)
	net.Listen("tcp", *addr)
}
"""


@pytest.mark.usefixtures("go")
@pytest.mark.parametrize(
    ("source", "says"),
    [
        (CRASHING.replace("os.Exit(3)", "nope()"), ("it is not built: ", "./main.go:9:2: undefined: nope")),
        (CRASHING, ("it did not work: ", "ended with exit status 3", "no database at localhost")),
    ],
    ids=["not built", "crashing"],
)
def test_what_does_not_work_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, says: tuple[str, ...]
) -> None:
    """The best guess is written all the same, and the next command is the doctor."""
    (tmp_path / "go.mod").write_text("module example.com/shop\n\ngo 1.21\n")
    (tmp_path / "main.go").write_text(f"package main\n{source}")
    monkeypatch.chdir(tmp_path)
    out, err = io.StringIO(), io.StringIO()
    assert main(("init", "--yes"), out, err) == 1
    for words in says:
        assert words in out.getvalue()
    assert "gomem doctor --try" in out.getvalue()
    assert (tmp_path / "gomem.yaml").exists()
