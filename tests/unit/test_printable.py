"""What others wrote is shown as text: no terminal or CI runner obeys it, and no line of it looks like one of ours."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pprof_profiles import HEAP, location, profile
from report_samples import verdict, window

from pytest_gomem.base.errors import BuildError, ConfigErrors, GomemError, LaunchError
from pytest_gomem.base.printable import printable, printable_line, printable_lines, printable_stream, raw_stream
from pytest_gomem.commands import cli
from pytest_gomem.config.gomem_yaml import load_config
from pytest_gomem.plugin.messages import GomemWarning, write_section
from pytest_gomem.pprof.write import compressed
from pytest_gomem.report.failure import failure_text
from pytest_gomem.report.text import columns

# Title and colour of a terminal, a C1 introducer, a reversed direction of writing, a forged row, a runner's command.
HOSTILE = "a\x1b]0;owned\x07b\x1b[2Jc\x9b31md\u202egpj\rFAIL\n::error::no"
SHOWN = r"a\x1b]0;owned\x07b\x1b[2Jc\x9b31md\u202egpj\rFAIL"


@given(st.text(st.characters()))
def test_printable_text_is_one_line(text):
    """No character is left that moves the cursor or cannot be encoded; printable text is not touched."""
    shown = printable(text)
    assert shown.isprintable()
    shown.encode("utf-8")
    assert printable(shown) == shown


@given(st.text(st.characters()))
def test_printable_lines_are_as_many(text):
    """Line ends alone stay what they are."""
    lines = printable_lines(text).split("\n")
    assert all(line.isprintable() for line in lines)
    assert len(lines) == len(text.split("\n"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (HOSTILE, f"{SHOWN}\n\\::error::no"),
        ("\x1b[1;31mERROR\x1b[0m\tbad\r\n", "ERROR   bad\n"),
        ("  ::add-mask::x\nns::f: kept", "  \\::add-mask::x\nns::f: kept"),
    ],
)
def test_of_several_lines(text, shown):
    """Colours are left out, tabs are blanks, and what a CI runner would take for an order is none."""
    assert printable_lines(text) == shown
    stream = io.StringIO()
    print(text, file=printable_stream(stream), end="")
    assert stream.getvalue() == shown
    assert raw_stream(printable_stream(stream)) is raw_stream(stream) is stream


def is_obeyed(line: str) -> bool:
    """Whether GitHub's runner reads the line for a command, as its ActionCommand.cs does, or that of Azure."""
    return line.lstrip().startswith("::") or re.search(r"##\w*\[", line) is not None


ORDERS = ("::error::no", " \u00a0::stop-commands::x", "ok ##[error]no", "##vso[task.complete]", "###[warning]", "\n")


@given(st.lists(st.sampled_from(ORDERS) | st.text(max_size=3)).map("".join))
def test_no_line_is_a_command_of_a_runner(text):
    """Neither at its start nor within, however the text was put together; and it is not changed twice."""
    for shown in (printable_lines(text), printable_line(text)):
        assert not any(map(is_obeyed, shown.split("\n")))
    assert printable_line(printable_line(text)) == printable_line(text)
    assert printable_lines(printable_lines(text)) == printable_lines(text)


def test_a_wrapped_sentence_gives_no_command():
    """A failure breaks what others said between words: the next line may begin with anything."""
    words = f"live_heap is too much {'x' * 70} ::error::no ##[error]no"
    broken = window(verdicts=(verdict("live_heap", "1MB", 2e6, reason=words),), notes=(f"{'y' * 100} ::warning::no",))
    _, text = failure_text(broken, "tests/test_a.py::test_b")
    assert "error" in text
    assert "warning" in text
    assert not any(map(is_obeyed, text.splitlines()))


class Terminal(io.StringIO):
    """What a section is written to."""

    def section(self, title: str, separator: str) -> None:
        self.write(f"{separator} {title}\n")

    def write_line(self, line: str, **style: bool) -> None:
        self.write(f"{line}\n")


def test_a_section_gives_no_command():
    """Each line of a table stands at the start of a line of pytest's output."""
    terminal = Terminal()
    write_section(terminal, "gomem", [("::error::no", "red"), ("  ::error::no", "")])
    assert terminal.getvalue().splitlines()[1:] == ["\\::error::no", "  \\::error::no"]


@pytest.mark.parametrize(
    "error",
    [
        GomemError(HOSTILE),
        BuildError("api", ["go", "build"], "/src", HOSTILE),
        LaunchError("api", "not ready", HOSTILE),
        GomemWarning(HOSTILE),
    ],
)
def test_errors_quote_it_as_text(error):
    """Each error shows what it quotes as it would be shown in a report."""
    assert f"{SHOWN}\n\\::error::no" in str(error)


def test_names_in_a_file_forge_no_line(tmp_path):
    """A key with an escape or a line end is told on the one line that its mistake has."""
    path = tmp_path / "gomem.yaml"
    path.write_text('version: 1\nservices: {}\n"bad\\e[2J\\ngomem.yaml:1: forged": 1\n')
    with pytest.raises(ConfigErrors) as caught:
        load_config(path, {})
    first, second = str(caught.value).splitlines()
    assert r"unknown key 'bad\x1b[2J\ngomem.yaml:1: forged'" in first
    assert second.startswith("  allowed here: ")


def test_names_in_a_table_forge_no_row():
    """A cell is one line, and as wide as it is shown."""
    shown = r"\x1b[31mred\nnext"
    assert columns([["\x1b[31mred\nnext", "1"], ["a", "2"]]) == [f"{shown}  1", f"{'a'.ljust(len(shown))}  2"]


def test_names_in_a_profile_forge_no_row(tmp_path):
    """Function names are whatever the writer of the profile made of them."""
    name = "main.leak\x1b[2J\n9.99 GB  99%  main.innocent"
    held = profile([([1], (1, 7, 1, 7))], {1: location(name)}, HEAP)
    (tmp_path / "heap").write_bytes(compressed(held))
    out, err = io.StringIO(), io.StringIO()
    assert cli.main(["top", str(tmp_path / "heap")], out, err) == 0
    assert out.getvalue().count("\n") == 4
    assert r"main.leak\x1b[2J\n9.99 GB  99%  main.innocent" in out.getvalue()
