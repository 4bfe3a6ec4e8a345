"""Owns starting a configured service: binary, ports, environment, readiness, and another try after a lost port."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_gomem.config import gc as gc_config
from pytest_gomem.config.gc import GcSettings
from pytest_gomem.config.services import ServiceConfig
from pytest_gomem.config.tokens import expand, ports_named
from pytest_gomem.errors import KeeperError, LaunchError, ServiceDied
from pytest_gomem.keeper.client import KeeperClient, KeptChild
from pytest_gomem.keeper.protocol import LaunchRequest
from pytest_gomem.launch import ending, ready
from pytest_gomem.launch.build import BinaryInfo, binary_info, build_once
from pytest_gomem.launch.ports import free_ports

MAX_PORT_TRIES = 5
LOG_BYTES = 4 << 20
FAILURE_LOG_LINES = 40


@dataclass(frozen=True)
class Overrides:
    """What a test or fixture changes in a service's settings: args replace, env and gc are laid over."""

    args: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    gc: GcSettings = field(default_factory=GcSettings)


@dataclass(frozen=True)
class Launched:
    """A running program and all that is known of how it was started."""

    config: ServiceConfig
    child: KeptChild
    argv: tuple[str, ...]
    env: Mapping[str, str]
    ports: Mapping[str, int]
    tmp: Path
    gc: GcSettings
    binary: BinaryInfo
    port_tries: int


class Launcher:
    """Starts services with one keeper; builds go to `run_dir`, private folders of launches too."""

    def __init__(self, keeper: Callable[[], KeeperClient], run_dir: Path, sample_rate: float) -> None:
        self._keeper = keeper
        self._run_dir = run_dir
        self._sample_rate = sample_rate
        self._binaries: dict[Path, BinaryInfo] = {}

    def launch(self, config: ServiceConfig, overrides: Overrides, *, until_ready: bool = True) -> Launched:
        """Build if needed, start, and wait until ready.

        Raises BuildError, ToolchainError, ConfigError, LaunchError (not startable, or not ready in time) and
        ServiceDied (ended before it was ready).
        """
        command = self._command(config)
        for port_try in range(1, MAX_PORT_TRIES + 1):
            launched = self._start(config, overrides, command, port_try)
            if not until_ready:
                return launched
            try:
                self._await(launched)
            except ServiceDied as died:
                lost = launched.ports and ending.lost_port(died.log_tail)
                discard(launched)
                if lost and port_try < MAX_PORT_TRIES:
                    continue
                raise
            except BaseException:
                discard(launched)
                raise
            return launched
        raise AssertionError("the last try returns or raises")

    def _command(self, config: ServiceConfig) -> tuple[str, ...]:
        if config.build is not None:
            binary = build_once(config.name, config.build, config.base_dir, self._run_dir / "bin")
            return (str(binary),)
        program = expand(config.command[0], ports={}, tmp="", environ=os.environ)
        found = shutil.which(str(config.base_dir / program)) if "/" in program else shutil.which(program)
        if found is None:
            raise LaunchError(config.name, f"no executable file {program} (declared at {config.place})")
        return (found, *config.command[1:])

    def _start(self, config: ServiceConfig, overrides: Overrides, command: Sequence[str], port_try: int) -> Launched:
        gc = gc_config.merged(config.gc, overrides.gc)
        gc_config.check(gc, config.place)
        gc_config.check_env(overrides.env, config.place)
        args = config.args if overrides.args is None else overrides.args
        env = {**config.env, **overrides.env}
        waited_for = (config.ready.port,) if config.ready.kind in ("http", "tcp") else ()
        named = ports_named([*command, *args, *env.values(), str(config.cwd), config.pprof or "", config.ready.target])
        ports = free_ports(dict.fromkeys((*named, *waited_for)))
        tmp = self._private_folder(config.name)

        def expanded(text: str) -> str:
            return expand(text, ports=ports, tmp=str(tmp), environ=os.environ)

        full_env = {
            **{name: value for name, value in os.environ.items() if name not in gc_config.PINNED},
            **{name: expanded(value) for name, value in env.items()},
            **gc_config.environment(gc, config.profile_rate, gctrace=True),
        }
        argv = [expanded(part) for part in (*command, *args)]
        cwd = expanded(str(config.cwd))
        request = LaunchRequest(argv, full_env, cwd, config.tree, self._sample_rate, LOG_BYTES)
        try:
            child = self._keeper().launch(request)
        except KeeperError as error:
            shutil.rmtree(tmp, ignore_errors=True)
            raise LaunchError(config.name, f"{' '.join(argv)} could not be started: {error}") from None
        return Launched(
            config, child, tuple(argv), full_env, ports, tmp, gc, self._binary_info(Path(argv[0])), port_try
        )

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
        state = ready.wait_ready(launched.child, config.ready, launched.ports)
        if state is None:
            return
        awaited = ready.describe(config.ready, launched.ports)
        log = launched.child.log()[0]
        if state.exit is not None:
            how = ending.describe(state.exit, log)
            raise ServiceDied(config.name, f"{how} while we waited for {awaited}", last_lines(log))
        raise LaunchError(
            config.name, f"not ready after {config.ready.timeout:g} s of waiting for {awaited}", last_lines(log)
        )


def discard(launched: Launched) -> None:
    """Stop a launched program at once and drop what was recorded of it."""
    launched.child.stop(grace=0.0)
    launched.child.forget()
    shutil.rmtree(launched.tmp, ignore_errors=True)


def last_lines(log: str, lines: int = FAILURE_LOG_LINES) -> str:
    """The end of a log."""
    return "\n".join(log.splitlines()[-lines:])
