"""`gomem selftest`: runs the user's tests with and without an injected load, and says whether they notice."""

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
from pytest_gomem.commands.cli import Parser, checked
from pytest_gomem.commands.pytest_run import KEEPS_NOTHING, LISTENING, last_lines, read_declared, run_pytest
from pytest_gomem.instruments.injected_load import VARIABLE, InjectedLoad
from pytest_gomem.plugin.declared import FILE_VARIABLE
from pytest_gomem.report.json_reading import read_report
from pytest_gomem.report.text import clip, columns, display_width, percent, short_name, short_names, wrapped
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.selftest.gate import GateResult, NotTested, gate_results, injected_load_for
from pytest_gomem.stats.decision import FEWEST

_UPDATE = "--gomem-update"
_METRICS = "metrics.json"


def selftest(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Run pytest twice and print a table; 0 if every gate rang, 1 if one did not, 2 if nothing could be tested."""
    given, pytest_args = _parser().parse_known_args(argv)
    share, rounds = given.by, given.rounds
    if _UPDATE in pytest_args:
        raise ConfigError(f"{_UPDATE} would record figures with the injected load as baselines")
    with run_folder("gomem-selftest-") as folder:
        err.write(f"gomem selftest: {rounds} rounds of each test as it is ...\n")
        arguments = [*pytest_args, f"--gomem-rounds={rounds}"]
        plain = _measured(folder / "plain", arguments, InjectedLoad())
        err.write(f"gomem selftest: {rounds} rounds with {percent(share)} more held and allocated ...\n")
        loaded = _measured(folder / "loaded", arguments, injected_load_for(plain, share))
        metrics = {metric.name: metric for metric in read_declared(folder / "plain" / _METRICS)}
    every = list(gate_results(plain, loaded, metrics, share))
    found = [one for one in every if isinstance(one, GateResult)]
    untested = [one for one in every if isinstance(one, NotTested)]
    if not found:
        raise ConfigError("no window could be made worse", hint="\n".join(map(_not_tested, untested)))
    out.write("\n".join(_lines(found, untested, share, get_terminal_size().columns)) + "\n")
    return 1 if untested or any(result.is_silent for result in found) else 0


def _parser() -> Parser:
    parser = Parser(
        "gomem selftest",
        "Test your gate: the agent makes the services worse during your own tests. Do they fail?",
        usage="gomem selftest [--by SHARE] [--rounds N] [pytest args]",
    )
    by = "how much worse to make live heap and allocation (default: 5%%)"
    parser.add_argument("--by", type=checked(_share), default="5%", metavar="SHARE", help=by)
    rounds = f"rounds of each test (default and least: {FEWEST})"
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


def _measured(folder: Path, args: Sequence[str], load: InjectedLoad) -> tuple[TestRecord, ...]:
    """The tests of one run; raises ConfigError, with pytest's output, if one failed for more than its budgets."""
    folder.mkdir()
    report, written = folder / "report.json", folder / "injected_load.json"
    load.write(written)
    command = [*args, *KEEPS_NOTHING, *LISTENING, "--gomem-report-only", f"--gomem-json={report}"]
    env = {**os.environ, VARIABLE: str(written), FILE_VARIABLE: str(folder / _METRICS)}
    done = run_pytest(command, env=env, captured=True)
    if done.returncode not in (0, 1) or not report.exists():
        raise ConfigError(f"pytest ended with status {done.returncode}", hint=last_lines(done.stdout))
    tests = tuple(read_report(report).tests)
    failed = [test.nodeid for test in tests if test.outcome not in ("passed", "skipped", "xfailed")]
    if failed or done.returncode:
        named = ", ".join(failed) or "a test that uses no gomem fixture"
        raise ConfigError(f"the tests must pass by themselves first: {named}", hint=last_lines(done.stdout))
    if not any(test.windows for test in tests):
        raise ConfigError("no test measured anything", hint=last_lines(done.stdout))
    return tests


def _not_tested(one: NotTested) -> str:
    window = "" if one.window == "test" else f" / {one.window}"
    return printable(f"{one.nodeid}{window}: not tested: {one.why}")


def _lines(found: Sequence[GateResult], untested: Sequence[NotTested], share: float, width: int) -> Iterator[str]:
    yield from (clip(line, width) for line in table_lines(found, share, width))
    yield from wrapped("sees: the smallest worsening that a comparison would find 19 times in 20", width, "  ")
    for result in found:
        for words in (*([result.why] if result.why else []), *result.budgets):
            yield from wrapped(printable(f"{result.nodeid}: {result.metric.name}: {words}"), width, "  ")
    for one in untested:
        yield from wrapped(_not_tested(one), width, "  ")
    silent = sum(result.is_silent for result in found)
    rang = sum(result.rang is True for result in found)
    not_tested = f", {len(untested)} not tested" if untested else ""
    yield clip(f"{rang} rang, {silent} stayed silent{not_tested}", width)


def table_lines(found: Sequence[GateResult], share: float, width: int) -> list[str]:
    """A line for each result; where that is too wide, the figures below the name of their test."""
    head = ("metric", "level", "sees", f"at +{percent(share)}")
    cells = [_cells(result) for result in found]
    names = [_name(result, width // 4) for result in found]
    lines = columns([("test", *head), *((name, *row) for name, row in zip(names, cells, strict=True))], right=(2, 3))
    if max(map(display_width, lines)) <= width:
        return lines
    above, *figures = columns([head, *cells], right=(1, 2))
    lines, last = [f"  {above}"], ""
    for result, line in zip(found, figures, strict=True):
        name = _name(result, width)
        lines += [f"  {line}"] if name == last else [name, f"  {line}"]
        last = name
    return lines


def _name(result: GateResult, room: int) -> str:
    window = f" / {printable(result.window)}" if result.window != "test" else ""
    return short_name(short_names(result.nodeid), room - display_width(window)) + window


def _cells(result: GateResult) -> tuple[str, str, str, str]:
    unit, visible = result.metric.unit, "unknown"
    if result.visible is not None:
        share = f" ({percent(result.visible / abs(result.level))})" if result.level else ""
        visible = format_value(result.visible, unit) + share
    came = "" if result.rose is None else f" ({result.rose:+.1%})"
    answer = {True: "rang", False: "SILENT", None: "-"}[result.rang]
    return result.metric.name, format_value(result.level, unit), visible, answer + came
