"""`gomem tighten`: lowers budgets to what is measured plus the smallest visible change."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from pytest_gomem.base.errors import ConfigError, GomemError, Place
from pytest_gomem.base.files import from_here, write_whole
from pytest_gomem.base.locks import locked_folder
from pytest_gomem.base.printable import raw_stream
from pytest_gomem.baseline.store import Store
from pytest_gomem.commands.cli import Parser
from pytest_gomem.commands.history import DEFAULT_FILE
from pytest_gomem.commands.pytest_run import COLLECTED, COLLECTING, LISTENING, read_declared, run_pytest
from pytest_gomem.config.budgets import Budget
from pytest_gomem.config.gomem_yaml import BudgetTable, load_config
from pytest_gomem.history.entry import Entry
from pytest_gomem.history.file import read
from pytest_gomem.measure.metric import Metric
from pytest_gomem.measure.own_metrics import with_own
from pytest_gomem.measure.registry import Registry
from pytest_gomem.plugin import declared, planned
from pytest_gomem.report.json_reading import read_report
from pytest_gomem.results.codec import EXACT
from pytest_gomem.tighten import python_edits, yaml_edits
from pytest_gomem.tighten.coverage import Collected, Covered, coverage, key_of
from pytest_gomem.tighten.known_figures import Known, of_baselines, of_history, of_tests
from pytest_gomem.tighten.new_limits import Decision, Stays, Tighter, decisions
from pytest_gomem.tighten.wording import difference, stays_lines, tighter_lines, undone_lines

_PLANNING = (*COLLECTING, "-p", "pytest_gomem.plugin.planned", *LISTENING)
_BASELINES, _HISTORY = "baselines", "history"


@dataclass(frozen=True)
class _Project:
    """What pytest said of the tests here."""

    root: Path
    tests: tuple[Collected, ...]
    config: Path | None
    baselines: Path
    history: Path
    registry: Registry


@dataclass(frozen=True)
class _File:
    """A file with its changes. undone: what cannot be changed there."""

    path: Path
    before: bytes
    edited: yaml_edits.Edited


def tighten(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Print which limits can be tighter, and the differences; with --apply change gomem.yaml."""
    given, pytest_args = _parser().parse_known_args(argv)
    project = _planned(pytest_args)
    table, services = _table(project)
    known, has_phases = _known(given.source, project)
    covered = coverage(project.tests, known, table, services, has_phases=has_phases)
    found = list(decisions(covered, _metrics(project.registry, covered)))
    files = list(_files(found, covered, project))
    changed = [file for file in files if given.apply and file.path == project.config and file.edited.done]
    for file in changed:
        _apply(file)
    out.writelines(f"{line}\n" for line in _lines(found, files))
    raw_stream(out).writelines(f"{line}\n" for line in _differences(files, changed))
    out.write(f"{_summary(files, project, found, applied=bool(changed))}\n")
    return 0


def _parser() -> Parser:
    parser = Parser(
        "gomem tighten",
        "Lower budgets to what is measured plus the smallest visible change. None is ever raised.",
        usage="gomem tighten [--apply] [--from SOURCE] [pytest args]",
    )
    parser.add_argument("--apply", action="store_true", help="change gomem.yaml; Python files are never changed")
    parser.add_argument(
        "--from",
        dest="source",
        metavar="SOURCE",
        help="the figures: baselines, history, or the path of a JSON report (default: baselines if there are any, else "
        "history)",
    )
    return parser


def _planned(args: Sequence[str]) -> _Project:
    """Ask pytest for the tests and metrics; raises GomemError, with its output, if it fails."""
    with tempfile.TemporaryDirectory(prefix="gomem-tighten-") as folder:
        tests, metrics = Path(folder) / "tests.json", Path(folder) / "metrics.json"
        env = {**os.environ, planned.FILE_VARIABLE: str(tests), declared.FILE_VARIABLE: str(metrics)}
        done = run_pytest([*_PLANNING, *args], env=env, captured=True)
        if done.returncode not in COLLECTED or not tests.exists():
            raise GomemError(f"pytest could not collect the tests:\n{done.stdout.rstrip()}")
        return _project(json.loads(tests.read_text()), read_declared(metrics))


def _project(data: Mapping[str, Any] | None, registry: Registry) -> _Project:
    if data is None:
        raise ConfigError("there is no budget here: no gomem.yaml, and no test that measures anything")
    if not data["whole"]:
        hint = "give no path, -k, -m or --deselect; what the ini file sets you can undo, as by  -m ''"
        raise ConfigError("a limit may judge tests that were not collected", hint=hint)
    markers = tuple[tuple[Budget, ...], ...]
    return _Project(
        root=Path(data["root"]),
        tests=tuple(
            Collected(test["nodeid"], test["service"], EXACT.decode(markers, test["markers"])) for test in data["tests"]
        ),
        config=Path(data["config"]) if data["config"] else None,
        baselines=Path(data["baselines"]),
        history=Path(data["history"] or DEFAULT_FILE),
        registry=registry,
    )


def _table(project: _Project) -> tuple[BudgetTable, Sequence[str]]:
    if project.config is None:
        return BudgetTable(), ()
    config = load_config(project.config, project.registry.units())
    return config.budgets, tuple(config.services)


def _metrics(registry: Registry, covered: Iterable[Covered]) -> dict[str, Metric]:
    return {metric.name: metric for metric in with_own(registry, (one.budget.metric for one in covered))}


def _known(source: str | None, project: _Project) -> tuple[list[Known], bool]:
    """The figures of the tests, and whether those of phases are among them; raises ConfigError if there are none."""
    metrics, path = {metric.name: metric for metric in project.registry}, Path(source or "")
    if source is None:
        source = _HISTORY if project.history.exists() and not project.baselines.is_dir() else _BASELINES
    if source == _BASELINES or (source != _HISTORY and path.is_dir()):
        path = project.baselines if source == _BASELINES else path
        return _any(of_baselines(Store(path), tuple(metrics.values())), path), False
    if source == _HISTORY or path.suffix == ".jsonl":
        path = project.history if source == _HISTORY else path
        return _any(of_history(_entries(path), metrics), path), False
    return _any(of_tests(read_report(path).tests, metrics), path), True


def _entries(path: Path) -> Sequence[Entry]:
    if not path.exists():
        raise ConfigError(f"there is no {path}", hint=f"pytest --gomem-history={path} writes it")
    return read(path).entries


def _any(known: Iterable[Known], path: Path) -> list[Known]:
    found = list(known)
    if not found:
        hint = "record baselines: gomem baseline update, or name a JSON report: --from report.json"
        raise ConfigError(f"there are no figures in {from_here(path)}", hint=hint)
    return found


def _files(found: Sequence[Decision], covered: Iterable[Covered], project: _Project) -> Iterator[_File]:
    """Each file with a budget that can be tighter, and its changes."""
    a_test = {key_of(one.budget): one.tests[0] for one in covered if one.tests}
    by_file = python_edits.by_file(one for one in found if isinstance(one, Tighter))
    for file, several in by_file.items():
        is_yaml = project.config is not None and file == str(project.config)
        path = Path(file) if is_yaml else project.root / file
        try:
            before = path.read_bytes()
            text = before.decode()
            if is_yaml:
                made = yaml_edits.edited(text, several, file)
            else:
                made = python_edits.edited(text, [(one, a_test[key_of(one.budget)]) for one in several])
        except (OSError, ValueError, SyntaxError) as error:  # of another encoding, or changed meanwhile
            why = f"the file cannot be read: {error}"
            before, made = b"", yaml_edits.Edited("", (), tuple((one, why) for one in several))
        yield _File(path, before, made)


def _apply(file: _File) -> None:
    """Write the changes; raises ConfigError if somebody has changed the file since it was read."""
    place = Place(str(file.path))
    try:
        with locked_folder(file.path.resolve().parent):
            mode = file.path.stat().st_mode
            if file.path.read_bytes() != file.before:
                raise ConfigError("it was changed meanwhile: nothing is written", place, "run gomem tighten again")
            write_whole(file.path, file.edited.text)
            file.path.chmod(mode)
    except OSError as error:
        raise ConfigError(f"it cannot be written: {error.strerror}", place) from None


def _lines(found: Sequence[Decision], files: Sequence[_File]) -> Iterator[str]:
    for file in files:
        for one in file.edited.done:
            yield from tighter_lines(one)
        yield from undone_lines(file.edited.undone)
    for kept in found:
        if isinstance(kept, Stays) and kept.is_news:
            yield from stays_lines(kept)


def _differences(files: Sequence[_File], changed: Sequence[_File]) -> Iterator[str]:
    """Those of the files that are still to be changed."""
    for file in files:
        if file.edited.done and file not in changed:
            yield from difference(os.path.relpath(file.path), file.before.decode(), file.edited.text)


def _summary(files: Sequence[_File], project: _Project, found: Sequence[Decision], *, applied: bool) -> str:
    in_yaml = sum(len(file.edited.done) for file in files if file.path == project.config)
    in_python = sum(len(file.edited.done) for file in files if file.path != project.config)
    fitting = sum(isinstance(one, Stays) and not one.is_news for one in found)
    how = "tightened" if applied else "can be tighter: gomem tighten --apply changes them"
    parts = [
        f"{in_yaml} of gomem.yaml {how}" if in_yaml else "",
        f"{in_python} in Python files: apply the difference yourself" if in_python else "",
        f"{fitting} fit" if fitting else "",
    ]
    return "budgets: " + ("; ".join(filter(None, parts)) or "none can be tighter")
