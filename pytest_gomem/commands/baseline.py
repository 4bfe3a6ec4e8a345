"""`gomem baseline`: records, shows, compares and prunes baselines."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, TextIO

from pytest_gomem.base.errors import ConfigError, GomemError, ObserveError
from pytest_gomem.base.names import find_tests, was_looked_for
from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.baseline.layout import read
from pytest_gomem.baseline.profiles import read_profile
from pytest_gomem.baseline.snapshot import Snapshot, Tests, Windows, differences, not_comparable
from pytest_gomem.baseline.store import Store
from pytest_gomem.baseline.update import prune, stale
from pytest_gomem.commands.cli import Parser
from pytest_gomem.commands.pytest_run import metrics_for, run_pytest, status_of
from pytest_gomem.config.budgets import unit_of
from pytest_gomem.git.repository import Repository, git
from pytest_gomem.judge.figures import figure_metric, figure_unit
from pytest_gomem.judge.regressions import change_text
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.plugin.collected import FILE_VARIABLE
from pytest_gomem.plugin.use import BASELINES_NAME
from pytest_gomem.report.text import columns
from pytest_gomem.stats.decision import Status, compare

Lines = Iterator[str]
_UPDATE = "Run pytest --gomem-update; further arguments go to pytest."
_ALL_DESELECTED = 5  # pytest's status for a run without tests


def baseline(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Run update, show, list, diff or prune; 1 if pytest failed, or if prune found unused baselines."""
    parser = _parser()
    given, pytest_args = parser.parse_known_args(argv)
    if given.verb == "update":
        return status_of(run_pytest(["--gomem-update", *pytest_args]))
    if pytest_args:
        parser.error(f"unrecognized arguments: {' '.join(pytest_args)}")
    store = Store(Path(given.dir) if given.dir else _nearest())
    if not store.exists():
        hint = "record them: gomem baseline update; or name their folder: --dir DIR"
        raise ConfigError(f"there are no baselines in {store.folder}", hint=hint)
    verbs: dict[str, Callable[[argparse.Namespace, Store, TextIO], int]]
    verbs = {"show": _show, "list": _list, "diff": _diff, "prune": _prune}
    return verbs[given.verb](given, store, out)


def _parser() -> Parser:
    parser = Parser("gomem baseline", "Record, show and prune the baselines of your tests.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    usage = "gomem baseline update [pytest args]"
    verbs.add_parser("update", help=_UPDATE, description=_UPDATE, usage=usage)
    for verb, words in (
        ("list", "List the tests that have a baseline."),
        ("show", "Show what the rounds of a test measured."),
        ("diff", "Show what has changed since a commit."),
        ("prune", "List the baselines of tests that no longer exist, or remove them."),
    ):
        each = verbs.add_parser(verb, help=words, description=words)
        each.add_argument(
            "--dir",
            metavar="DIR",
            help=f"the baselines' folder (default: {BASELINES_NAME} here, or in the nearest folder above)",
        )
        if verb == "show":
            each.add_argument("test", nargs="?", default="*", metavar="TEST", help="an id, the end of one, or a glob")
        if verb == "diff":
            each.add_argument("ref", nargs="?", default="HEAD", metavar="REF", help="a commit (default: HEAD)")
        if verb == "prune":
            each.add_argument("--delete", action="store_true", help="remove them; without it they are listed")
            each.add_argument("pytest", nargs="*", metavar="PYTEST_ARG", help="the arguments of your run of all tests")
    return parser


def _nearest() -> Path:
    """The baselines' folder here, or in the nearest folder above that has one."""
    here = Path.cwd()
    above = (Path(os.path.relpath(parent / BASELINES_NAME)) for parent in (here, *here.parents))
    return next((folder for folder in above if folder.is_dir()), Path(BASELINES_NAME))


def _every(store: Store) -> dict[str, dict[str, tuple[Snapshot, ...]]]:
    return {f"{module}::{test}": dict(kept) for module in store.modules() for test, kept in store.tests(module).items()}


def _list(given: argparse.Namespace, store: Store, out: TextIO) -> int:
    rows = [("test", "window", "rounds", "conditions", "recorded")]
    for nodeid, windows in _every(store).items():
        for window, snapshots in windows.items():
            newest = max(snapshots, key=lambda snapshot: snapshot.date)
            counts = "/".join(str(len(snapshot.rounds)) for snapshot in snapshots)
            rows.append((nodeid, window, counts, str(len(snapshots)), f"{newest.date} {newest.commit}".strip()))
    out.write("\n".join(columns(rows, right=(2, 3))) + "\n")
    return 0


def _show(given: argparse.Namespace, store: Store, out: TextIO) -> int:
    every = _every(store)
    shown = [
        (f"{nodeid}  {window}", snapshot)
        for nodeid in find_tests(given.test, every)
        for window, snapshots in every[nodeid].items()
        for snapshot in snapshots
    ]
    metrics = _metrics(snapshot for _, snapshot in shown)
    for title, snapshot in shown:
        out.write("\n".join(map(printable, _shown(title, snapshot, store, metrics))) + "\n\n")
    return 0


def _metrics(snapshots: Iterable[Snapshot]) -> Registry:
    """The metrics of these snapshots; the user's own have no unit if pytest cannot be asked for them."""
    try:
        return metrics_for(name for one in snapshots for name in one.metrics if figure_unit(name) is None)
    except GomemError:
        return Registry(builtin_metrics())


def _shown(title: str, snapshot: Snapshot, store: Store, metrics: Registry) -> Lines:
    yield f"{title}  {snapshot.date} {snapshot.commit}".rstrip()
    yield "  " + ", ".join(f"{name} {value}" for name, value in sorted(snapshot.conditions.items()))
    for file, what in ((snapshot.profile, "heap profile"), (snapshot.peak_profile, "heap profile of the peak")):
        if file:
            yield f"  {what} {_state(store.folder / file)}"
    for name, reason in not_comparable(snapshot, metrics).items():
        yield f"  {name} is not comparable any more: {reason}"
    yield from (f"  {name} is left out: {how}" for name, how in snapshot.left_out.items())
    units = metrics.units()
    rows = [("  metric", "median", "lowest", "highest", "rounds")]
    for name, values in snapshot.metrics.items():
        figures = (median(values), min(values), max(values))
        unit = unit_of(name, units) or figure_unit(name)
        texts = (format_value(value, unit) if unit else f"{value:g}" for value in figures)
        rows.append((f"  {name}", *texts, str(len(values))))  # type: ignore[arg-type]
    yield from columns(rows, right=range(1, 5))


def _state(path: Path) -> str:
    """A profile's path with its size, or what is wrong with it."""
    try:
        read_profile(path)
    except ObserveError as error:
        return f"{path}: {error}"
    return f"{path}, {format_value(path.stat().st_size, BYTES)}"


def _diff(given: argparse.Namespace, store: Store, out: TextIO) -> int:
    """Print what was added, removed and changed since the commit, compared without a tolerance."""
    repository = Repository.around(store.folder.resolve())
    commit = repository.commit(given.ref)
    kept = {path for path in git(repository.top, "ls-tree", "-r", "--name-only", "-z", commit).split("\0") if path}
    modules = {module: _path(repository, store, module) for module in store.modules()}
    folder = os.path.relpath(store.folder.resolve(), repository.top)
    gone = {path for path in kept if path.startswith(f"{folder}/") and path.endswith(".json")} - set(modules.values())
    lines = [f"removed: {path}" for path in sorted(gone)]
    metrics = _metrics(one for windows in _every(store).values() for kept in windows.values() for one in kept)
    for module, path in modules.items():
        before = read(Path(path), git(repository.top, "show", f"{commit}:{path}")) if path in kept else {}
        lines += _changes(module, before, store.tests(module), metrics)
    out.write("\n".join(map(printable, lines) if lines else [f"no baseline has changed since {given.ref}"]) + "\n")
    return 0


def _path(repository: Repository, store: Store, module: str) -> str:
    return os.path.relpath(store.path(module).resolve(), repository.top)


def _changes(module: str, before: Tests, now: Tests, metrics: Registry) -> Lines:
    for test in sorted({*before, *now}):
        if test not in now or test not in before:
            yield f"{'new' if test in now else 'removed'}: {module}::{test}"
            continue
        for window, snapshots in now[test].items():
            for snapshot in snapshots:
                old = _same_conditions(before[test].get(window, ()), snapshot)
                if old is None:
                    yield f"new conditions: {module}::{test}  {window}"
                elif old.metrics != snapshot.metrics:
                    yield f"changed: {module}::{test}  {window}"
                    yield from (f"  {line}" for line in _metric_changes(old, snapshot, metrics))
        yield from _removed(f"{module}::{test}", before[test], now[test])


def _removed(nodeid: str, before: Windows, now: Windows) -> Lines:
    """Lines for the windows and the conditions of a test that were removed."""
    for window, snapshots in before.items():
        if window not in now:
            yield f"removed: {nodeid}  {window}"
        elif any(_same_conditions(now[window], old) is None for old in snapshots):
            yield f"removed conditions: {nodeid}  {window}"


def _same_conditions(kept: Sequence[Snapshot], snapshot: Snapshot) -> Snapshot | None:
    return next((old for old in kept if not differences(old.conditions, snapshot.conditions)), None)


def _metric_changes(old: Snapshot, new: Snapshot, metrics: Registry) -> Lines:
    """Lines for the metrics that changed by more than their scatter."""
    has_changed = False
    functions = (figure_metric(name, (*old.observed_rounds, *new.observed_rounds)) for name in new.metrics)
    for metric in (*metrics, *filter(None, functions)):
        if metric.name in old.metrics and metric.name in new.metrics:
            if old.definitions.get(metric.name, 1) != new.definitions.get(metric.name, 1):
                has_changed = True
                yield f"{metric.name} is not comparable: its definition has changed"
                continue
            found = compare(metric, old.metrics[metric.name], new.metrics[metric.name], 0.0, ops=new.ops)
            if found.status in (Status.FAIL, Status.IMPROVED) and found.base is not None and found.head is not None:
                has_changed = True
                texts = [format_value(value, metric.unit) for value in (found.base, found.head)]
                yield f"{metric.name} {' -> '.join(texts)}, {change_text(found)}"
    if not has_changed:
        yield "no metric changed by more than its scatter"


def _prune(given: argparse.Namespace, store: Store, out: TextIO) -> int:
    _every(store)  # a damaged file would fail pytest: name it first
    collected = _collected(given.pytest)
    gone = [nodeid for nodeid in stale(store, collected["ids"]) if _is_judged(nodeid, collected)]
    if not gone:
        out.write("every baseline belongs to an existing test\n")
        return 0
    out.write("".join(f"{printable(nodeid)}\n" for nodeid in gone))
    if not given.delete:
        out.write(f"baselines of tests that no longer exist: {len(gone)}; --delete removes them\n")
        return 1
    prune(store, gone)
    out.write(f"baselines removed: {len(gone)}\n")
    return 0


def _is_judged(nodeid: str, collected: Mapping[str, Any]) -> bool:
    """Whether pytest looked for the test, and the arguments include it."""
    is_named = not collected["named"] or any(_is_below(nodeid, name) for name in collected["named"])
    return is_named and was_looked_for(nodeid, Path(collected["root"]), collected["modules"])


def _is_below(nodeid: str, name: str) -> bool:
    return name in (".", nodeid) or nodeid.startswith((f"{name}/", f"{name}::", f"{name}["))


def _collected(args: Sequence[str]) -> dict[str, Any]:
    """What pytest collects, from pytest_gomem.plugin.collected; raises GomemError if that is nothing or fails."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "collected.json"
        env = {**os.environ, FILE_VARIABLE: str(file)}
        command = ["--collect-only", "-q", "-p", "pytest_gomem.plugin.collected", *args]
        done = run_pytest(command, env=env, captured=True)
        collected: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"ids": []}
        if done.returncode not in (0, _ALL_DESELECTED) or not collected["ids"]:
            raise GomemError(f"pytest could not collect the tests:\n{done.stdout.rstrip()}")
        return collected
