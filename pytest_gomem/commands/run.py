"""`gomem run`: measures one program from its start to its end."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from pytest_gomem.base.errors import ConfigError, LaunchError, Place, ServiceDied
from pytest_gomem.base.files import run_folder
from pytest_gomem.base.units import format_value
from pytest_gomem.commands.cli import Parser
from pytest_gomem.config.budgets import Budget, parse_budget
from pytest_gomem.config.gc_settings import GC_KEYS, GcSettings, parse_gc
from pytest_gomem.config.ready import Ready
from pytest_gomem.config.services import STOP_GRACE, ServiceConfig
from pytest_gomem.diagnosis.explanation import ByProfiles
from pytest_gomem.judge.decide import failed
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.report.failure import TextOptions, failure_text
from pytest_gomem.report.json_report import write_json
from pytest_gomem.results.environment import run_record
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.session.gomem import RUN_TIMEOUT, Gomem
from pytest_gomem.session.judging import Judging
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.run import Run, RunSettings

_SETTINGS = tuple(key for key in GC_KEYS if key not in ("godebug", "unbounded"))


def run(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Measure a command; 1 if it fails or breaks a budget, 2 for wrong arguments."""
    given = _parser().parse_args(argv)
    registry = Registry(builtin_metrics())
    with ExitStack() as stack:
        run_dir = stack.enter_context(run_folder("gomem-run-"))
        core = Run(RunSettings(None, registry, run_dir, ByProfiles()))
        stack.callback(core.close)
        return _measured(core, registry, given, out, err)


def _parser() -> Parser:
    parser = Parser("gomem run", "Run a program to its end and measure it.")
    for key in _SETTINGS:
        parser.add_argument(f"--{key}", help=f"{key.upper()} of the program")
    parser.add_argument(
        "--budget", action="append", default=[], metavar="METRIC=LIMIT", help='such as "peak_rss=64MB"; repeatable'
    )
    parser.add_argument("--json", metavar="PATH", help="write the window as JSON")
    parser.add_argument("--timeout", type=float, default=RUN_TIMEOUT, metavar="SECONDS")
    parser.add_argument("command", nargs="+", help="the program and its arguments, after --")
    return parser


def _measured(core: Run, registry: Registry, given: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    budgets = _budgets(given.budget, registry)
    config = _config(given)
    gomem = Gomem(core, Judging("gomem run", markers=(budgets,), takes_profiles=True))
    try:
        measurement = gomem.run_config(config, timeout=given.timeout)
    except (ServiceDied, LaunchError) as error:
        err.write(f"gomem run: {error}\n")
        return 1
    _print(measurement, registry, out)
    broken = failed(measurement.record.verdicts)
    if given.json:
        record = TestRecord("gomem run", "failed" if broken else "passed", (measurement.record,))
        write_json(run_record((record,)), Path(given.json))
    if broken:
        err.write(failure_text(measurement.record, "gomem run", TextOptions(report=given.json or ""))[1] + "\n")
        return 1
    return 0


def _config(given: argparse.Namespace) -> ServiceConfig:
    said = {key: value for key in _SETTINGS if (value := getattr(given, key)) is not None}
    gc = parse_gc(
        {key: int(value) if value.isdigit() else value for key, value in said.items()}, Place(key="gomem run")
    )
    return _service(given.command, gc)


def _service(command: Sequence[str], gc: GcSettings) -> ServiceConfig:
    here = Path.cwd()
    return ServiceConfig(
        name=Path(command[0]).name,
        build=None,
        command=tuple(command),
        args=(),
        env={},
        cwd=here,
        ready=Ready("started"),
        pprof=None,
        gc=gc,
        profile_rate=None,
        tree=False,
        stop_grace=STOP_GRACE,
        agent=None,
        place=Place("gomem run"),
        base_dir=here,
    )


def _budgets(written: Sequence[str], registry: Registry) -> tuple[Budget, ...]:
    """The budgets, read before the program runs, so that a mistake costs no run."""
    pairs = [text.partition("=") for text in written]
    for metric, equals, limit in pairs:
        if not (metric and equals and limit):
            raise ConfigError(f"--budget {metric}{equals}{limit}: expected METRIC=LIMIT, such as peak_rss=64MB")
    units = registry.units()
    return tuple(
        budget
        for metric, limit in {metric: limit for metric, _, limit in pairs}.items()
        for budget in parse_budget(metric, limit, units=units, scope="gomem run", place=Place(key=f"--budget {metric}"))
    )


def _print(measurement: Measurement, registry: Registry, out: TextIO) -> None:
    notes: dict[str, int] = {}
    for metric in registry:
        result = measurement.results[metric.name]
        if isinstance(result, Reading):
            number = notes.setdefault(result.note, len(notes) + 1) if result.note else 0
            mark = f" [{number}]" if number else ""
            out.write(f"{metric.name:<20} {format_value(result.value, metric.unit):>12}  {result.source}{mark}\n")
    for note, number in notes.items():
        out.write(f"[{number}] {note}\n")
