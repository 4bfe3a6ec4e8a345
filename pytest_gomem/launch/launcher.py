"""Starts a configured service: builds it, gives it ports and an environment, and waits until it is ready."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from pytest_gomem.base.errors import LaunchError, ObserveError, ServiceDied, SupervisorError
from pytest_gomem.base.processes import SLOW
from pytest_gomem.config import gc_settings as gc_config
from pytest_gomem.config.gc_settings import GcSettings
from pytest_gomem.config.marker import BuildAxes
from pytest_gomem.config.memory_limit import MEMORY_LIMIT, LimitChoice, chosen, laid_over, resolved
from pytest_gomem.config.services import ServiceConfig
from pytest_gomem.config.tokens import expand, ports_named, unexpanded, values_of_variables
from pytest_gomem.launch import ending, readiness
from pytest_gomem.launch.build import BinaryInfo, binary_info, build_once, why_no_agent, why_no_end
from pytest_gomem.launch.ending import both_ends
from pytest_gomem.launch.launched import SOCKET, Launched, SocketFolders, discard, remove_folders
from pytest_gomem.launch.limit import limit_words
from pytest_gomem.launch.ports import free_ports
from pytest_gomem.launch.serving import Serving, ServingSearch, left_behind, no_gctrace, program_of
from pytest_gomem.launch.sides import HeadSide, Origin, Source
from pytest_gomem.measure.runtime_metrics import NAMES
from pytest_gomem.observe import kernel
from pytest_gomem.observe.agent.unasked import Kept, requests
from pytest_gomem.supervisor.client import KeptChild, SupervisorClient
from pytest_gomem.supervisor.protocol import ExitRecord, LaunchRequest

MAX_PORT_TRIES = 5
LOG_BYTES = 4 << 20
AGENT_VARIABLE, RECORD_VARIABLE = "PYTEST_GOMEM_AGENT", "PYTEST_GOMEM_RECORD"
MANUAL_GC_VARIABLE = "PYTEST_GOMEM_MANUAL_GC"


@dataclass(frozen=True)
class Overrides:
    """What a test or fixture changes in a service's settings: args are replaced; env, gc and build are merged.

    profile_rate: bytes per heap profile sample, unless `godebug` of the settings sets a rate. kept: what the agent of a
    program that ends keeps beyond its end. memory_limit: replaces the service's, "off" for none.
    """

    args: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    gc: GcSettings = field(default_factory=GcSettings)
    build: BuildAxes = field(default_factory=BuildAxes)
    profile_rate: int | None = None
    kept: frozenset[Kept] = frozenset()
    memory_limit: LimitChoice | None = None

    @property
    def said(self) -> frozenset[str]:
        """The keys of settings that they give."""
        unsaid = GcSettings()
        said = {key.name for key in fields(unsaid) if getattr(self.gc, key.name) != getattr(unsaid, key.name)}
        return frozenset(said | ({MEMORY_LIMIT} if self.memory_limit else set()))

    def over(self, under: Overrides) -> Overrides:
        """These on top of others; of two profile rates the finer one."""
        rates = [rate for rate in (self.profile_rate, under.profile_rate) if rate is not None]
        return Overrides(
            args=under.args if self.args is None else self.args,
            env={**under.env, **self.env},
            gc=gc_config.merged(under.gc, self.gc),
            build=self.build.over(under.build),
            profile_rate=min(rates, default=None),
            kept=self.kept | under.kept,
            memory_limit=laid_over(self.memory_limit, under.memory_limit),
        )


@dataclass(frozen=True)
class _Command:
    """The program with its first arguments, and what it was built from."""

    words: tuple[str, ...]
    source: Source

    @property
    def no_agent(self) -> str:
        """Why there is no agent in it, "" when there is."""
        if not self.source.build:
            return "the binary is prebuilt"
        if not self.source.agent:
            return "it is compared with a binary that has none"
        return why_no_agent(Path(self.words[0]))


class Launcher:
    """Starts services with one supervisor; builds and private folders of launches go to `run_dir`.

    announce: called with a line for the user if a build takes long.
    """

    def __init__(
        self,
        supervisor: Callable[[], SupervisorClient],
        run_dir: Path,
        sample_rate: float,
        announce: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._supervisor = supervisor
        self._announce = announce
        self._run_dir = run_dir
        self._sample_rate = sample_rate
        self._socket_folders = SocketFolders(run_dir)
        self._binaries: dict[Path, BinaryInfo] = {}

    def launch(
        self, config: ServiceConfig, overrides: Overrides, *, until_ready: bool = True, origin: Origin | None = None
    ) -> Launched:
        """Build if needed, start, and wait until ready. origin: the source of a comparison's side, or None.

        Raises BuildError, ToolchainError, ConfigError, LaunchError (not startable, or not ready in time) and
        ServiceDied (ended before it was ready).
        """
        hidden = values_of_variables(_texts(config, overrides), os.environ)
        try:
            return self._launched(config, overrides, hidden, until_ready=until_ready, origin=origin or HeadSide())
        except LaunchError as error:
            raise error.reworded(lambda text: unexpanded(text, hidden)) from None

    def _launched(
        self,
        config: ServiceConfig,
        overrides: Overrides,
        hidden: Mapping[str, str],
        *,
        until_ready: bool,
        origin: Origin,
    ) -> Launched:
        command = self._command(config, overrides.build, origin, ends=not until_ready)
        for port_try in range(1, MAX_PORT_TRIES + 1):
            launched = self._start(config, overrides, command, port_try, hidden, ends=not until_ready)
            if not until_ready:
                return launched
            try:
                self._await(launched)
                return self._measured(launched)
            except ServiceDied as died:
                lost = launched.ports and ending.lost_port(died.log_tail)
                discard(launched)
                if lost and port_try < MAX_PORT_TRIES:
                    continue
                raise
            except BaseException:
                discard(launched)
                raise
        raise AssertionError("the last try returns or raises")

    def _command(self, config: ServiceConfig, axes: BuildAxes, origin: Origin, *, ends: bool) -> _Command:
        with origin.source(config) as source:
            if source.build is None:
                return _Command((self._program(config, source.command[0]), *source.command[1:]), source)
            package = source.build.package
            binary = build_once(
                config.name,
                axes.laid_over(source.build, config.base_dir),
                source.base_dir,
                self._run_dir / "bin",
                agent=source.agent and config.agent is not False,
                ends=ends,
                toolchain=source.toolchain,
                when_slow=lambda: self._announce(
                    f"gomem: building {package} ({SLOW:g} s so far; Go compiles it once)..."
                ),
            )
            return _Command((str(binary),), source)

    @staticmethod
    def _program(config: ServiceConfig, written: str) -> str:
        program = expand(written, ports={}, tmp="", environ=os.environ, place=config.place)
        path = config.base_dir / program
        found = shutil.which(str(path) if "/" in program else program)
        if found is None:
            there = "/" in program and path.is_file()
            fault = "the file is not executable" if there else "there is no such program"
            raise LaunchError(config.name, f"{fault}: {written} (declared at {config.place})")
        return found

    def _start(
        self,
        config: ServiceConfig,
        overrides: Overrides,
        command: _Command,
        port_try: int,
        hidden: Mapping[str, str],
        *,
        ends: bool,
    ) -> Launched:
        limit = chosen(config.memory_limit, overrides.memory_limit)
        gc = resolved(gc_config.merged(config.gc, overrides.gc), limit, config.place)
        gc_config.check(gc, config.place)
        gc_config.check_env(overrides.env, config.place)
        gc_config.check_agent(gc, command.no_agent, config.place)
        args = config.args if overrides.args is None else overrides.args
        env = {**config.env, **overrides.env}
        ports = free_ports(_port_names(config, (*command.words, *args, *env.values())))
        info = self._binary_info(Path(command.words[0]))
        profile_rate = None if "memprofilerate" in gc.godebug else overrides.profile_rate
        tmp = self._private_folder(config.name)
        folder = None if command.no_agent else self._socket_folders.new()
        socket, record = (None, folder) if folder is None or ends else (folder / SOCKET, None)

        def expanded(text: str) -> str:
            return expand(text, ports=ports, tmp=str(tmp), environ=os.environ, place=config.place)

        try:
            said = {name: expanded(value) for name, value in env.items()}
            full_env = _environment(said, gc, profile_rate)
            if socket is not None:
                full_env[AGENT_VARIABLE] = str(socket)
            if isinstance(gc.manual_gc, int):
                full_env[MANUAL_GC_VARIABLE] = str(gc.manual_gc)
            if record is not None:
                full_env[RECORD_VARIABLE] = requests(record, NAMES, overrides.kept)
            argv = [command.words[0], *(expanded(part) for part in (*command.words[1:], *args))]
            cwd = expanded(str(config.cwd))
            if config.ready.kind == "http":
                config = replace(config, ready=replace(config.ready, target=expanded(config.ready.target)))
            split = folder is not None and config.stderr_split
            request = LaunchRequest(argv, full_env, cwd, config.tree, self._sample_rate, LOG_BYTES, split_stderr=split)
            request = replace(request, memory_limit=asdict(limit) if limit else None)
            child = self._launch(config, request, hidden)
        except BaseException:
            remove_folders(tmp, folder)
            raise
        known = (info, port_try, socket, command.no_agent, command.source, profile_rate)
        started = Launched(config, child, Serving(child.pid), tuple(argv), full_env, ports, tmp, gc, *known)
        no_end = why_no_end(Path(argv[0]))
        return replace(started, hidden=hidden, record=record, no_end=no_end, memory_limit=limit)

    def close(self) -> None:
        """Remove folders that are not in the run's folder."""
        self._socket_folders.close()

    def _launch(self, config: ServiceConfig, request: LaunchRequest, hidden: Mapping[str, str]) -> KeptChild:
        try:
            return self._supervisor().launch(request)
        except SupervisorError as error:
            command = shlex.join(unexpanded(word, hidden) for word in request.argv)
            raise LaunchError(config.name, f"could not be started: {error}\n  {command}  (in {request.cwd})") from None

    def _private_folder(self, service: str) -> Path:
        parent = self._run_dir / "tmp"
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"{service}-", dir=parent))

    def _binary_info(self, binary: Path) -> BinaryInfo:
        if binary not in self._binaries:
            self._binaries[binary] = binary_info(binary)
        return self._binaries[binary]

    @staticmethod
    def _await(launched: Launched) -> None:
        config = launched.config
        ours = str(launched.socket or "")
        failed = readiness.wait_ready(launched.child, config.ready, launched.ports, ours=ours, follow=config.follow)
        if failed is None:
            return
        awaited = readiness.describe(config.ready, launched.ports)
        log = launched.shown_log()
        if failed.state.exit is not None:
            ended = limit_words(launched.child, failed.state.exit) or ending.describe(failed.state.exit, log)
            how = f"{ended} while we waited for {awaited}"
            raise ServiceDied(config.name, how + _left(launched, failed.state.exit), both_ends(log), "log")
        what = f"not ready after {config.ready.timeout:g} s of waiting for {awaited}: {failed.last_look}"
        raise LaunchError(config.name, "\n  ".join((what, *failed.circumstances)), both_ends(log), "log")

    def _measured(self, launched: Launched) -> Launched:
        """Find the process that serves, and sample it from now on. Raises LaunchError, ServiceDied."""
        config, child = launched.config, launched.child
        search = ServingSearch(config.name, child, tree=config.tree, ours=str(launched.socket or ""))
        serving = search.find(readiness.port_served(config.ready, launched.ports))
        ended = child.state().exit
        if ended is not None and not config.follow:
            left, log = _left(launched, ended), launched.shown_log()
            if left or config.ready.kind != "started":
                words = limit_words(child, ended) or ending.describe(ended, log)
                raise ServiceDied(config.name, words + left, both_ends(log), "log")
        if serving.pid != child.pid:
            others = no_gctrace(serving.pid, child.members(), lambda pid: bool(self._running(pid, "").go_version))
            serving = replace(serving, no_gctrace=others)
            try:
                child.serve_by(serving.pid)
            except SupervisorError as error:
                words = f"pid {serving.pid}, which served, has ended: {error}"
                raise ServiceDied(config.name, words, both_ends(launched.shown_log()), "log") from None
        running, peak = self._running(serving.pid, launched.argv[0]), _peak_when_ready(config, serving.pid)
        return replace(launched, serving=serving, binary=running, startup_peak=peak)

    def _running(self, pid: int, started: str) -> BinaryInfo:
        """The build info of a process's program; started: the name it was started by, if known."""
        return self._binary_info(Path(program_of(pid, started)))


def _environment(said: Mapping[str, str], gc: GcSettings, profile_rate: int | None) -> dict[str, str]:
    """This process's environment with the settings on top; GC variables come only from `gc`."""
    return {
        **{name: value for name, value in os.environ.items() if name not in gc_config.PINNED},
        **said,
        **gc_config.environment(gc, profile_rate, gctrace=True),
    }


def _left(launched: Launched, ended: ExitRecord) -> str:
    """A note on processes that are left after a program ended with status 0, as daemons do."""
    return left_behind(launched.child.members()) if ended.code == 0 else ""


def _peak_when_ready(config: ServiceConfig, pid: int) -> int | None:
    if config.ready.kind == "started":
        return None
    try:
        return kernel.read(pid, tree=config.tree).hwm
    except ObserveError:  # the measurement will report that it is gone
        return None


def _texts(config: ServiceConfig, overrides: Overrides) -> list[str]:
    """The texts of its settings that may hold variables."""
    args = config.args if overrides.args is None else overrides.args
    urls = (config.ready.target, config.pprof, config.expvar, config.metrics, config.against_binary)
    said = (*config.command, *args, *config.env.values(), *overrides.env.values(), str(config.cwd), *urls)
    return [text for text in said if text]


def _port_names(config: ServiceConfig, texts: Iterable[str]) -> dict[str, None]:
    """The ports that the command and configuration name, and the one that readiness waits for."""
    named = ports_named([*texts, str(config.cwd), config.pprof or "", config.ready.target])
    waited_for = (config.ready.port,) if config.ready.kind in ("http", "tcp") else ()
    return dict.fromkeys((*named, *waited_for))
