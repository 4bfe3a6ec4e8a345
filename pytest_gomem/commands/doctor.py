"""`gomem doctor`: shows what this machine can measure, and checks gomem.yaml."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from pytest_gomem import __version__
from pytest_gomem.base.errors import ConfigErrors, GomemError
from pytest_gomem.base.units import Unit
from pytest_gomem.commands.cli import Parser
from pytest_gomem.commands.pytest_run import every_metric
from pytest_gomem.config.gomem_yaml import load_config
from pytest_gomem.launch.toolchain import find_toolchain
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.observe import kernel, oom
from pytest_gomem.supervisor.client import SupervisorClient
from pytest_gomem.supervisor.spawn import small_forker

Finding = tuple[bool, str, str]  # in order, what, words
CONFIG = "gomem.yaml"


def doctor(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Print a line for each finding; 0 if services can be built, launched and measured, else 1."""
    Parser("gomem doctor", "Show what this machine can measure, and check the gomem.yaml of this folder.").parse_args(
        argv
    )
    out.write(f"pytest-gomem {__version__}, Python {platform.python_version()}, {platform.platform()}\n")
    healthy = True
    for fine, what, words in _findings():
        out.write(f"{'ok  ' if fine else 'FAIL'}  {what:<14} {words}\n")
        healthy = healthy and fine
    return 0 if healthy else 1


def _findings() -> Iterator[Finding]:
    yield _try("Go", lambda: str(find_toolchain()))
    yield _try("supervisor", _supervisor)
    yield (True, "peak RSS", _peak_words())
    yield (True, "short runs", _run_words())
    yield (True, "OOM kills", ", ".join(oom.counters(os.getpid())) or "not provable: no counter can be read")
    if Path(CONFIG).exists():
        yield _try(CONFIG, _config)
    else:
        yield (True, CONFIG, "none in this folder")


def _try(what: str, check: Callable[[], str]) -> Finding:
    try:
        return True, what, check()
    except GomemError as error:
        return False, what, str(error)


def _supervisor() -> str:
    supervisor = SupervisorClient()
    try:
        supervisor.ask("ping")
        return "starts and answers"
    finally:
        supervisor.close()


def _peak_words() -> str:
    if not kernel.keeps_peak():
        return "from samples: this system keeps no peak per process"
    if not kernel.reset_peak(os.getpid()):
        return "VmHWM of a process's whole life: /proc/PID/clear_refs cannot be written here"
    return "VmHWM, reset for each window"


def _run_words() -> str:
    if small_forker() is None:
        return "peak from samples: without setsid(1), ru_maxrss would include our own memory"
    return "peak from ru_maxrss"


def _config() -> str:
    path = Path(CONFIG)
    try:
        config = load_config(path, Registry(builtin_metrics()).units())
    except ConfigErrors as mistakes:
        config = load_config(path, _units_of_plugins(mistakes))
    return f"in order; services: {', '.join(config.services) or 'none'}"


def _units_of_plugins(mistakes: ConfigErrors) -> Mapping[str, Unit]:
    """Units with those of the user's own metrics; raises GomemError, with the file's mistakes, if pytest fails."""
    try:
        return every_metric().units()
    except GomemError as error:
        raise GomemError(f"{mistakes}\n{error}") from None
