"""One run of the whole chain: settings, supervisor, builds, load driver, and all services."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import psutil

from pytest_gomem.base.errors import ConfigError, LaunchError, Place
from pytest_gomem.base.names import did_you_mean
from pytest_gomem.base.processes import run_by
from pytest_gomem.config.budgets import Budget
from pytest_gomem.config.fields import located
from pytest_gomem.config.gc_settings import GC_KEYS, GcSettings, merged, parse_gc
from pytest_gomem.config.gomem_yaml import GomemConfig
from pytest_gomem.config.memory_limit import MEMORY_LIMIT, parse_memory_limit
from pytest_gomem.config.services import ServiceConfig
from pytest_gomem.judge.precedence import resolve
from pytest_gomem.launch.launched import Launched, discard
from pytest_gomem.launch.launcher import Launcher, Overrides
from pytest_gomem.launch.sides import Against, BaseSide, HeadSide, Origin
from pytest_gomem.load.drivers import LoadDriver
from pytest_gomem.measure.registry import Registry
from pytest_gomem.observe.sources import SOURCES, Source
from pytest_gomem.session.attached import AttachedProcess
from pytest_gomem.session.explanation import Explanation
from pytest_gomem.session.instrument import Choice, no_instruments
from pytest_gomem.session.plan import Side
from pytest_gomem.session.processes import LaunchedProcess
from pytest_gomem.session.service import Service
from pytest_gomem.session.subject import Process
from pytest_gomem.supervisor.client import SupervisorClient, Watched, supervised

DEFAULT_SAMPLE_RATE = 50.0


@dataclass(frozen=True)
class RunSettings:
    """The settings of a run.

    config: the loaded gomem.yaml, or None. run_dir: a private folder shared by all processes of the run.
    explanation: explains failed windows. sample_rate: timeline points a second.
    measure: False launches services without measuring them. sources: where quantities of processes come from.
    instruments: chooses those of each window. against: the base side of each test, None if nothing is compared.
    laid_over: settings of launches by service, "" for all of them, whatever the service and the test say.
    announce: shows the user a line at once, while something takes long.
    """

    config: GomemConfig | None
    registry: Registry
    run_dir: Path
    explanation: Explanation
    sample_rate: float = DEFAULT_SAMPLE_RATE
    measure: bool = True
    sources: tuple[Source, ...] = SOURCES
    instruments: Choice = no_instruments
    against: Against | None = None
    laid_over: Mapping[str, Overrides] = field(default_factory=dict)
    announce: Callable[[str], None] = lambda line: None


_NAME_IT = 'name it: @pytest.mark.gomem(service="NAME"), or gomem.launch("NAME")'
_FIRST_LINES = """\
write it beside pyproject.toml or pytest.ini, or name one by --gomem-config PATH; it begins like this:
  version: 1
  services:
    api:                # any name
      build: ./cmd/api  # a main package, as of `go build`
      args: ["--listen", "127.0.0.1:{port}"]"""


class Run:
    """All that one pytest process holds; close() ends its child processes."""

    def __init__(self, settings: RunSettings) -> None:
        self.settings = settings
        # Tests that may share a process and so its one profile rate: their ids, and their markers' budgets.
        self.sharing: tuple[tuple[str, tuple[tuple[Budget, ...], ...]], ...] = ()
        self._supervisor: SupervisorClient | None = None
        self._supervisor_lock = threading.Lock()
        self._helpers = contextlib.ExitStack()
        self._helpers.enter_context(run_by(supervised(lambda: self.supervisor, settings.run_dir / "tmp")))

    @property
    def supervisor(self) -> SupervisorClient:
        """The helper process, started for the first service, and again if it was killed or given up."""
        with self._supervisor_lock:
            if self._supervisor is not None and self._supervisor.is_lost:
                self._supervisor.close()
                self._supervisor = None
            if self._supervisor is None:
                self._supervisor = SupervisorClient()
            return self._supervisor

    @cached_property
    def load_driver(self) -> LoadDriver:
        """The load process, started by the first load."""
        return LoadDriver()

    @cached_property
    def _launcher(self) -> Launcher:
        settings = self.settings
        return Launcher(lambda: self.supervisor, settings.run_dir, settings.sample_rate, settings.announce)

    @cached_property
    def _origins(self) -> Mapping[Side, Origin]:
        against = self.settings.against
        head = HeadSide(against, self.settings.run_dir)
        return {Side.HEAD: head, Side.BASE: BaseSide(against, self.settings.run_dir) if against else head}

    def service_config(self, name: str | None) -> ServiceConfig:
        """The named service, or the only one; raises ConfigError."""
        config = self.settings.config
        if config is None:
            raise ConfigError("there is no gomem.yaml, which says how the service starts", hint=_FIRST_LINES)
        if name is None:
            if len(config.services) == 1:
                return next(iter(config.services.values()))
            named = ", ".join(config.services) or "none"
            raise ConfigError(f"which service? {config.path} has: {named}", hint=_NAME_IT)
        if name not in config.services:
            raise ConfigError(f"{config.path} has no service '{name}'", hint=did_you_mean(name, config.services))
        return config.services[name]

    def shared_budgets(self, service: str) -> tuple[Budget, ...]:
        """The budgets of all tests that may share a process of the service."""
        if self.settings.config is None:
            return ()
        table = self.settings.config.budgets
        return tuple(b for nodeid, markers in self.sharing for b in resolve(nodeid, service, markers, table))

    def laid_over(self, service: str) -> Overrides:
        """What the whole run lays over each launch of a service."""
        every, own = (self.settings.laid_over.get(name, Overrides()) for name in ("", service))
        return own.over(every)

    def launch(self, name: str | None, overrides: Overrides, side: Side = Side.HEAD) -> Service:
        """Start a service and wait until it is ready; raises as Launcher.launch and service_config do."""
        config = self.service_config(name)
        overrides = self.laid_over(config.name).over(overrides)
        self.load_driver.prepare()
        return self.service(self._process(self._launcher.launch(config, overrides, origin=self._origins[side])))

    def start(self, config: ServiceConfig, overrides: Overrides, side: Side = Side.HEAD) -> LaunchedProcess:
        """Start a program that ends by itself; waits for nothing."""
        overrides = self.laid_over(config.name).over(overrides)
        return self._process(self._launcher.launch(config, overrides, until_ready=False, origin=self._origins[side]))

    def _process(self, launched: Launched) -> LaunchedProcess:
        try:
            return LaunchedProcess(launched, self.settings.sample_rate, os.environ, self.settings.sources)
        except BaseException:  # interrupted, as by pytest-timeout: it would run during the next tests
            discard(launched)
            raise

    def service(self, process: Process) -> Service:
        """The process as a test holds it."""
        return Service(process, lambda: self.load_driver)

    def attach(self, pid: int | None, pprof: str | None, *, reset_peak: bool, url: str | None = None) -> Service:
        """Watch a process that you started; raises ConfigError without a pid or URL, LaunchError for an unknown pid.

        url: where requests go.
        """
        if pid is None and pprof is None:
            raise ConfigError("attach() needs pid=, pprof= or both")
        watched = self._watch(pid) if pid is not None else None
        rate, sources = self.settings.sample_rate, self.settings.sources
        try:
            process = AttachedProcess(pid, pprof, watched, rate, reset_peak=reset_peak, url=url, sources=sources)
        except BaseException:
            if watched is not None:  # no caller has it yet, so close it here
                watched.forget()
            raise
        return self.service(process)

    def _watch(self, pid: int) -> Watched:
        if not psutil.pid_exists(pid):
            raise LaunchError(f"pid {pid}", "there is no such process to attach to")
        return self.supervisor.watch(pid, tree=False, sample_rate=self.settings.sample_rate)

    def close(self) -> None:
        """End the load driver, and the supervisor with all that still runs."""
        self._helpers.close()
        if "load_driver" in self.__dict__:
            with contextlib.suppress(OSError):
                self.__dict__.pop("load_driver").close()
        if self._supervisor is not None:
            self._supervisor.close()
            self._supervisor = None
        if "_launcher" in self.__dict__:
            self.__dict__.pop("_launcher").close()


def overrides(options: Mapping[str, object], place: Place) -> Overrides:
    """The options of launch(), run() or gomem_service_options: args, env, memory_limit, GC settings by name or in `gc`.

    Raises ConfigError or ConfigErrors for an unknown key or an invalid value.
    """
    allowed = ("args", "env", "gc", MEMORY_LIMIT, *GC_KEYS)
    for key in options:
        if key not in allowed:
            raise ConfigError(f"unknown option '{key}'", place, did_you_mean(key, allowed))
    gc = options.get("gc") or {}
    if not isinstance(gc, (Mapping, GcSettings)):
        raise ConfigError(f"gc must be a mapping such as {{'gogc': 50}}, not {gc!r}", place)
    under = gc if isinstance(gc, GcSettings) else parse_gc(gc, place)
    named = parse_gc({key: options[key] for key in GC_KEYS if key in options}, place)
    said = options.get(MEMORY_LIMIT)
    limit = None if said is None else parse_memory_limit(located(said, place.at(MEMORY_LIMIT)))
    return Overrides(_args(options, place), _env(options, place), merged(under, named), memory_limit=limit)


def _args(options: Mapping[str, object], place: Place) -> tuple[str, ...] | None:
    args = options.get("args")
    if args is None:
        return None
    if isinstance(args, str) or not isinstance(args, Sequence):
        raise ConfigError(f"args must be a list of strings, not {args!r}", place)
    return tuple(str(arg) for arg in args)


def _env(options: Mapping[str, object], place: Place) -> dict[str, str]:
    env = options.get("env") or {}
    if not isinstance(env, Mapping):
        raise ConfigError(f"env must be a mapping, not {env!r}", place)
    return {str(name): str(value) for name, value in env.items()}
