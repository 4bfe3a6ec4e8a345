"""`gomem doctor`: shows what this machine can measure, and checks gomem.yaml."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from pytest_gomem import __version__
from pytest_gomem.base.errors import ConfigErrors, GomemError
from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import Unit
from pytest_gomem.commands.cli import Parser
from pytest_gomem.commands.limit_trial import memory_limit_words
from pytest_gomem.commands.pytest_run import every_metric
from pytest_gomem.config.gomem_yaml import GomemConfig, load_config
from pytest_gomem.config.memory_limit import MemoryLimitSettings
from pytest_gomem.launch.toolchain import find_toolchain
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.observe import kernel, oom
from pytest_gomem.supervisor.client import SupervisorClient
from pytest_gomem.supervisor.spawn import small_forker

Finding = tuple[bool | None, str, str]  # in order (None: worth knowing), what, words
CONFIG = "gomem.yaml"
_BREAK = "\n"
_NO_LIMIT = "has a memory_limit, which cannot be set on this machine: see `memory limit` above"
_MARKS = {True: "ok  ", False: "FAIL", None: "note"}


def doctor(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Print a line for each finding; 0 if services can be built, launched and measured, else 1."""
    parser = Parser("gomem doctor", "Show what this machine can measure, and check the gomem.yaml of this folder.")
    tries = "also build and start each service of gomem.yaml, and look for a test of it"
    parser.add_argument("--try", dest="tries", action="store_true", help=tries)
    given = parser.parse_args(argv)
    out.write(f"pytest-gomem {__version__}, Python {platform.python_version()}, {platform.platform()}\n")
    healthy = True
    for fine, what, words in _findings(given.tries):
        out.write(printable(f"{_MARKS[fine]}  {what:<14} {words.partition(_BREAK)[0]}") + "\n")
        out.write("".join(f"  {printable(line)}\n" for line in words.splitlines()[1:]))
        out.flush()
        healthy = healthy and fine is not False
    return 0 if healthy else 1


def _findings(tries: bool) -> Iterator[Finding]:
    yield _try("Go", lambda: str(find_toolchain()))
    yield _try("supervisor", _supervisor)
    yield (True, "peak RSS", _peak_words())
    yield (True, "short runs", _run_words())
    yield (True, "OOM kills", ", ".join(oom.counters(os.getpid())) or "not provable: no counter can be read")
    can_limit, what, words = _try("memory limit", memory_limit_words)
    yield (can_limit or None, what, words)  # who asks for none needs none
    if not Path(CONFIG).exists():
        yield (True, CONFIG, "none in this folder; `gomem init` writes one")
        return
    registry, config = Registry(builtin_metrics()), list[GomemConfig]()
    yield _try(CONFIG, lambda: _config(config))
    if config and not can_limit:
        yield from ((False, name, _NO_LIMIT) for name in _limited(config[0]))
    if config and tries:
        yield from _services(config[0], registry)
    elif config:
        yield (None, "services", "not tried: `gomem doctor --try` builds and starts each, and looks for its tests")


def _limited(config: GomemConfig) -> Iterator[str]:
    """Services whose memory_limit is the kernel's."""
    for name, service in config.services.items():
        if isinstance(service.memory_limit, MemoryLimitSettings) and service.memory_limit.mode != "simulated":
            yield name


def _services(config: GomemConfig, registry: Registry) -> Iterator[Finding]:
    from pytest_gomem.commands.doctor_services import tests_by_service, tried

    for name in config.services:
        yield _try(name, lambda name=name: tried(config, name, registry))  # type: ignore[misc]
    try:
        tests = tests_by_service(config, Path.cwd())
    except GomemError as error:
        yield False, "tests", str(error)
        return
    for name, count in tests.items():
        if count:
            yield True, "tests", f"{name} is measured by {count} test{'s' * (count != 1)}"
        else:
            yield None, "tests", f"no test measures {name}: write one with go_service, or gomem.launch({name!r})"


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


def _config(read: list[GomemConfig]) -> str:
    """Read the file into the list."""
    path = Path(CONFIG)
    try:
        config = load_config(path, Registry(builtin_metrics()).units())
    except ConfigErrors as mistakes:
        config = load_config(path, _units_of_plugins(mistakes))
    read.append(config)
    return f"in order; services: {', '.join(config.services) or 'none'}"


def _units_of_plugins(mistakes: ConfigErrors) -> Mapping[str, Unit]:
    """Units with those of the user's own metrics; raises GomemError, with the file's mistakes, if pytest fails."""
    try:
        return every_metric().units()
    except GomemError as error:
        raise GomemError(f"{mistakes}\n{error}") from None
