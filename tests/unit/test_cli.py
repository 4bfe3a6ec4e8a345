"""The `gomem` command: its help, and how every subcommand asks for help and refuses what it does not know."""

from __future__ import annotations

import io
import shlex
import subprocess
import sys

import pytest
from report_samples import sample_run

from pytest_gomem.commands.cli import COMMANDS, main
from pytest_gomem.report.json_report import write_json

VERBS = [[command] for command in COMMANDS]
VERBS += [["baseline", verb] for verb in ("update", "list", "show", "diff", "prune")] + [["report", "merge"]]


def run(*argv):
    out, err = io.StringIO(), io.StringIO()
    return main(argv, out, err), out.getvalue(), err.getvalue()


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_help_is_an_answer(verb, flag):
    """Either flag prints the usage of that very command, and ends with status 0."""
    status, out, err = run(*verb, flag)
    assert (status, err) == (0, "")
    assert out.startswith(f"usage: gomem {' '.join(verb)}")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_command_itself_has_help(flag):
    """It names every subcommand."""
    status, out, _ = run(flag)
    assert status == 0
    assert [name for name in COMMANDS if f"\n  {name} " not in out] == []


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb[-1] not in ("update", "selftest", "tighten")], ids=" ".join
)
def test_a_mistake_is_one_line_and_status_2(verb):
    """It names the command, and where to read more; what pytest is to read is left to pytest."""
    status, out, err = run(*verb, "--no-such-flag")
    assert (status, out) == (2, "")
    assert err.startswith((f"gomem {verb[0]}: ", f"gomem {' '.join(verb)}: "))
    assert err.endswith(" --help says more\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("shell", "status", "words"),
    [
        ("explain report.json >&-", 0, ""),
        ("explain report.json >/dev/full", 2, "gomem explain: No space left on device\n"),
        ("top missing 2>&-", 2, ""),
    ],
    ids=["closed", "full", "no stderr"],
)
def test_a_stream_that_takes_nothing_is_no_traceback(tmp_path, shell, status, words):
    """As under a service manager, or on a full disk."""
    write_json(sample_run(), tmp_path / "report.json")
    code = "from pytest_gomem.commands.cli import run; run()"
    command = f"{shlex.quote(sys.executable)} -u -c {shlex.quote(code)} {shell}"
    done = subprocess.run(command, shell=True, cwd=tmp_path, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (status, words)
