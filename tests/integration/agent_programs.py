"""Go programs for the agent's tests: building them with it, and running them."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import psutil

from pytest_gomem.launch.overlay import Overlay, overlay_for
from pytest_gomem.launch.toolchain import find_toolchain
from pytest_gomem.observe.agent.client import AgentClient

PROGRAMS = Path(__file__).parents[1] / "programs"
PATIENCE = 30.0  # seconds until a test gives up; none comes near when all is well

OBEDIENT = (PROGRAMS / "obedient" / "main.go").read_text()


def module(folder: Path, source: str = OBEDIENT, name: str = "example.com/obedient", go: str = "1.21") -> Path:
    """A module of one package main."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.mod").write_text(f"module {name}\n\ngo {go}\n")
    (folder / "main.go").write_text(source)
    return folder


def build(package: str, cwd: Path, out: Path, *options: str, env: dict[str, str] | None = None) -> Path:
    """The binary with the agent in it."""
    out.mkdir(parents=True, exist_ok=True)
    go, env = find_toolchain().go, {**os.environ, **(env or {})}
    overlay = overlay_for(package, cwd, out, go, env, options)
    assert isinstance(overlay, Overlay), overlay
    command = [go, "build", "-o", str(out / "binary"), *options, *overlay.flags, package]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out / "binary"


class Running:
    """A running program and the client of its agent."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.agent = AgentClient(folder / "agent", PATIENCE)

    def tell(self, line: str) -> None:
        """One command of OBEDIENT, carried out when this returns."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def ask(self, *words: str | Path) -> bytes:
        """A command that the client has no method for."""
        return self.agent._channel.ask(*map(str, words))


@contextlib.contextmanager
def running(binary: Path, folder: Path, *args: str, agent: bool = True, env: dict[str, str] | None = None, **popen):
    """Run a binary built here, with its agent's socket in `folder`, until the end of the block."""
    switch = {"PYTEST_GOMEM_AGENT": str(folder / "agent")} if agent else {}
    process = subprocess.Popen(
        [str(binary), *args],
        env={**os.environ, **switch, **(env or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **popen,
    )
    program = Running(process, folder)
    try:
        if agent:
            program.agent.wait(PATIENCE)
        yield program
    finally:
        program.agent.close()
        with contextlib.suppress(psutil.NoSuchProcess):
            # They hold the pipes open.
            for child in psutil.Process(process.pid).children():
                child.kill()
        process.kill()
        process.communicate()
