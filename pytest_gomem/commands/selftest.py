"""`gomem selftest`: the user's own tests with and without a known injected load: does their gate ring?"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import get_terminal_size
from typing import TextIO

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.base.files import run_folder
from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import RATIO, format_value, parse_quantity
from pytest_gomem.commands.arguments import Parser, checked
from pytest_gomem.commands.pytest_run import LISTENING, read_declared, run_pytest
from pytest_gomem.instruments.injected_load import NO_BURDEN, VARIABLE, Burden, write_burden
from pytest_gomem.plugin.declared import FILE_VARIABLE
from pytest_gomem.report.accepted import read_report
from pytest_gomem.report.text import clip, columns, display_width, percent, short_name, short_names, wrapped
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.selftest.gate import NotTested, Proof, burden_for, proofs
from pytest_gomem.stats.decision import FEWEST

# What a run under a burden measures is no figure of the service's: it is kept nowhere, and compared by us alone.
_ALONE = (
    *("--gomem-history=", "--gomem-against=off", "--gomem-against-go=off", "--gomem-artifacts="),
    *("-o", "gomem_update=false", "-o", "gomem_strict=false"),
)
_UPDATE = "--gomem-update"
_METRICS = "metrics.json"
_LAST_LINES = 30


def selftest(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Two runs of pytest and a table; 0 when every gate rang, 1 when one did not, 2 when nothing can be said."""
    given, pytest_args = _parser().parse_known_args(argv)
    share, rounds = given.by, given.rounds
    if _UPDATE in pytest_args:
        raise ConfigError(f"{_UPDATE} would record as baselines what is measured under a burden")
    with run_folder("gomem-selftest-") as folder:
        err.write(f"gomem selftest: {rounds} rounds of each test as it is ...\n")
        arguments = [*pytest_args, f"--gomem-rounds={rounds}"]
        plain = _measured(folder / "plain", arguments, NO_BURDEN)
        err.write(f"gomem selftest: {rounds} rounds with {percent(share)} more held and allocated ...\n")
        burdened = _measured(folder / "burdened", arguments, burden_for(plain, share))
        metrics = {metric.name: metric for metric in read_declared(folder / "plain" / _METRICS)}
    every = list(proofs(plain, burdened, metrics, share))
    found = [one for one in every if isinstance(one, Proof)]
    untested = [one for one in every if isinstance(one, NotTested)]
    if not found:
        hint = "\n".join(["the service needs the agent: build: in gomem.yaml", *map(_not_tested, untested)])
        raise ConfigError("no window could be made worse", hint=hint)
    out.write("\n".join(_lines(found, untested, share, get_terminal_size().columns)) + "\n")
    return 1 if untested or any(proof.is_silent for proof in found) else 0


def _parser() -> Parser:
    parser = Parser(
        "gomem selftest",
        "Prove that the gate rings: the agent makes the services worse during your own tests.",
        usage="gomem selftest [--by SHARE] [--rounds N] [pytest args]",
    )
    by = "how much worse: live heap and allocation (5%%)"
    parser.add_argument("--by", type=checked(_share), default="5%", metavar="SHARE", help=by)
    rounds = f"of each test, at least {FEWEST}"
    parser.add_argument("--rounds", type=checked(_rounds), default=FEWEST, metavar="N", help=rounds)
    return parser


def _share(written: str) -> float:
    share = parse_quantity(written, RATIO).value
    if not 0 < share <= 10:
        raise ValueError(f"expected a share such as 5%, at most 1000%, not {written!r}")
    return share


def _rounds(written: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", written) or int(written) < FEWEST:
        raise ValueError(f"expected a whole number of at least {FEWEST}, not {written!r}")
    return int(written)


def _measured(folder: Path, args: Sequence[str], burden: Burden) -> tuple[TestRecord, ...]:
    """The tests of one run, all passed but for their budgets; raises ConfigError with pytest's words otherwise."""
    folder.mkdir()
    report, written = folder / "report.json", folder / "burden.json"
    write_burden(burden, written)
    command = [*args, *_ALONE, *LISTENING, "--gomem-report-only", f"--gomem-json={report}"]
    env = {**os.environ, VARIABLE: str(written), FILE_VARIABLE: str(folder / _METRICS)}
    done = run_pytest(command, env=env, captured=True)
    if done.returncode not in (0, 1) or not report.exists():
        raise ConfigError(f"pytest ended with status {done.returncode}", hint=_last_lines(done.stdout))
    tests = read_report(report)
    failed = [test.nodeid for test in tests if test.outcome not in ("passed", "skipped", "xfailed")]
    if failed or done.returncode:
        named = ", ".join(failed) or "one that uses no gomem fixture"
        raise ConfigError(f"the tests must pass by themselves first: {named}", hint=_last_lines(done.stdout))
    if not any(test.windows for test in tests):
        raise ConfigError("no test measured anything", hint=_last_lines(done.stdout))
    return tests


def _last_lines(text: str) -> str:
    return "\n  ".join(text.rstrip().splitlines()[-_LAST_LINES:])


def _not_tested(one: NotTested) -> str:
    window = "" if one.window == "test" else f" / {one.window}"
    return printable(f"{one.nodeid}{window}: not tested: {one.why}")


def _lines(found: Sequence[Proof], untested: Sequence[NotTested], share: float, width: int) -> Iterator[str]:
    yield from (clip(line, width) for line in table_lines(found, share, width))
    yield from wrapped("sees: the smallest worsening that a comparison would find 19 times in 20", width, "  ")
    for proof in found:
        for words in (*([proof.why] if proof.why else []), *proof.budgets):
            yield from wrapped(printable(f"{proof.nodeid}: {proof.metric.name}: {words}"), width, "  ")
    for one in untested:
        yield from wrapped(_not_tested(one), width, "  ")
    silent = sum(proof.is_silent for proof in found)
    rang = sum(proof.rang is True for proof in found)
    not_tested = f", {len(untested)} not tested" if untested else ""
    yield clip(f"{rang} rang, {silent} stayed silent{not_tested}", width)


def table_lines(found: Sequence[Proof], share: float, width: int) -> list[str]:
    """A line for each proof; where that is too wide, the figures below the name of their test."""
    head = ("metric", "level", "sees", f"at +{percent(share)}")
    cells = [_cells(proof) for proof in found]
    names = [_name(proof, width // 4) for proof in found]
    lines = columns([("test", *head), *((name, *row) for name, row in zip(names, cells, strict=True))], right=(2, 3))
    if max(map(display_width, lines)) <= width:
        return lines
    above, *figures = columns([head, *cells], right=(1, 2))
    lines, last = [f"  {above}"], ""
    for proof, line in zip(found, figures, strict=True):
        name = _name(proof, width)
        lines += [f"  {line}"] if name == last else [name, f"  {line}"]
        last = name
    return lines


def _name(proof: Proof, room: int) -> str:
    window = f" / {printable(proof.window)}" if proof.window != "test" else ""
    return short_name(short_names(proof.nodeid), room - display_width(window)) + window


def _cells(proof: Proof) -> tuple[str, str, str, str]:
    unit, visible = proof.metric.unit, "unknown"
    if proof.visible is not None:
        share = f" ({percent(proof.visible / abs(proof.level))})" if proof.level else ""
        visible = format_value(proof.visible, unit) + share
    came = "" if proof.rose is None else f" ({proof.rose:+.1%})"
    answer = {True: "rang", False: "SILENT", None: "-"}[proof.rang]
    return proof.metric.name, format_value(proof.level, unit), visible, answer + came
