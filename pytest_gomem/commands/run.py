"""`gomem run`: measures one program from its start to its end, and once more if its failure is to be explained."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from pytest_gomem.base.errors import ConfigError, GomemError, LaunchError, Place, ServiceDied
from pytest_gomem.base.files import run_folder
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import format_value
from pytest_gomem.commands.cli import Parser
from pytest_gomem.comparison.observation import Purpose
from pytest_gomem.comparison.rounds import AllRounds
from pytest_gomem.comparison.strategy import HeadAlone, Looks
from pytest_gomem.config.budgets import Budget, parse_budget
from pytest_gomem.config.fields import located
from pytest_gomem.config.gc_settings import GC_KEYS, GcSettings, parse_gc
from pytest_gomem.config.memory_limit import MemoryLimitSettings, parse_memory_limit
from pytest_gomem.config.ready import Ready
from pytest_gomem.config.services import STOP_GRACE, BuildSpec, ServiceConfig
from pytest_gomem.diagnosis.explanation import ByProfiles
from pytest_gomem.judge.decide import failed
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.report.failure import TextOptions, failure_text
from pytest_gomem.report.json_report import write_json
from pytest_gomem.results.environment import run_record
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.session.gomem import RUN_TIMEOUT
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
        parser.add_argument(f"--{key.replace('_', '-')}", help=GC_KEYS[key]["description"].replace("%", "%%"))
    parser.add_argument("--memory-limit", metavar="SIZE", help="the memory that the program may use, such as 256MiB")
    parser.add_argument(
        "--budget", action="append", default=[], metavar="METRIC=LIMIT", help='such as "peak_rss=64MB"; repeatable'
    )
    parser.add_argument(
        "--build", metavar="PACKAGE", help="build the program with the agent, from its Go package: ./cmd/job"
    )
    parser.add_argument(
        "--diagnose", action="store_true", help="with --build: if a limit breaks, run it again and look for the cause"
    )
    parser.add_argument("--json", metavar="PATH", help="write the window as JSON")
    ending = f"end a program that runs longer (default: {RUN_TIMEOUT:.0f})"
    parser.add_argument("--timeout", type=float, default=RUN_TIMEOUT, metavar="SECONDS", help=ending)
    parser.add_argument(
        "command", nargs="*", metavar="CMD", help="the program and its arguments, after --; with --build, arguments"
    )
    return parser


def _measured(core: Run, registry: Registry, given: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    budgets, config = _budgets(given.budget, registry), _config(given)
    once = HeadAlone(Looks(1))
    purpose = Purpose(once, refusal=lambda seconds: "") if given.diagnose else None
    rounds = AllRounds(core, Judging("gomem run", markers=(budgets,)), once, None, purpose=purpose)
    try:
        measurement = rounds.current.gomems[0].run_config(config, timeout=given.timeout)
    except (ServiceDied, LaunchError) as error:
        err.write(f"gomem run: {error}\n")
        return 1
    _print(measurement, registry, out)
    while rounds.begin_round():
        err.write(f"gomem run: looking for the cause, {rounds.search()}\n")
        try:
            rounds.current.gomems[0].run_config(config, timeout=given.timeout)
        except GomemError as error:
            rounds.give_up(rounds.current.plan, str(error))
        except KeyboardInterrupt:
            rounds.give_up(rounds.current.plan, "it was interrupted")
            rounds.end_observing()
    (window,) = rounds.windows()
    broken = failed(window.verdicts)
    if given.json:
        record = TestRecord("gomem run", "failed" if broken else "passed", (window,))
        write_json(run_record((record,), Path.cwd()), Path(given.json))
    if broken:
        err.write(failure_text(window, "gomem run", TextOptions(report=given.json or ""))[1] + "\n")
        return 1
    return 0


def _config(given: argparse.Namespace) -> ServiceConfig:
    said = {key: value for key in _SETTINGS if (value := getattr(given, key)) is not None}
    gc = parse_gc(
        {key: int(value) if value.isdigit() else value for key, value in said.items()}, Place(key="gomem run")
    )
    if given.build is None and not given.command:
        raise ConfigError("say which program to run", hint="gomem run -- ./job --flag, or --build ./cmd/job -- --flag")
    if given.build is None and given.diagnose:
        raise ConfigError("--diagnose needs the agent", hint="say --build PACKAGE in place of the program")
    limit = given.memory_limit
    chosen = None if limit is None else parse_memory_limit(located(limit, Place(key="gomem run --memory-limit")))
    return _service(given.build, given.command, gc, None if chosen == "off" else chosen)


def _service(
    package: str | None, words: Sequence[str], gc: GcSettings, limit: MemoryLimitSettings | None
) -> ServiceConfig:
    """package: what to build; words are then its arguments, else the command."""
    here = Path.cwd()
    return ServiceConfig(
        name=(here / (package or words[0])).resolve().name,
        build=None if package is None else BuildSpec(package),
        command=() if package is not None else tuple(words),
        args=() if package is None else tuple(words),
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
        memory_limit=limit,
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
    if isinstance(counted := measurement.results["total_alloc"], Unavailable):
        out.write(f"what the runtime counts is unavailable: {counted.reason}\n")
