"""Owns what the agent's benchmarks share: programs built with it from source, and running them with its client."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from pytest_gomem.launch.overlay import Overlay, overlay_for
from pytest_gomem.launch.toolchain import find_toolchain
from pytest_gomem.observe.agent.client import AgentClient


def module(folder: Path, source: str) -> Path:
    """A Go module `bench` of one package main."""
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("module bench\n\ngo 1.21\n")
    (folder / "main.go").write_text(source)
    return folder


def built(package: str, cwd: Path, binary: Path, *, agent: bool = True) -> Path:
    """The package's binary, with the agent in it or without."""
    go, flags = find_toolchain().go, tuple[str, ...]()
    binary.parent.mkdir(parents=True, exist_ok=True)
    if agent:
        overlay = overlay_for(package, cwd, binary.parent, go, os.environ)
        assert isinstance(overlay, Overlay), overlay
        flags = overlay.flags
    subprocess.run([go, "build", "-o", str(binary), *flags, package], cwd=cwd, check=True)
    return binary


@contextlib.contextmanager
def running(
    binary: Path, *args: str, env: dict[str, str] | None = None, agent: bool = True, stderr: IO[bytes] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], AgentClient, Path]]:
    """The program, the client of its agent, and a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="gomem-") as folder:
        socket = Path(folder) / "agent"
        switch = {"PYTEST_GOMEM_AGENT": str(socket)} if agent else {}
        command: Sequence[str | Path] = [binary, *args]
        environment = {**os.environ, "GOMAXPROCS": "2", **switch, **(env or {})}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": stderr}
        with subprocess.Popen(command, env=environment, **pipes) as process:
            client = AgentClient(socket)
            try:
                if agent:
                    client.wait(30)
                yield process, client, Path(folder)
            finally:
                client.close()
                process.kill()


def line(process: subprocess.Popen[bytes]) -> bytes:
    """The next line that the program prints, b"" at its end."""
    assert process.stdout is not None
    return process.stdout.readline()


def tell(process: subprocess.Popen[bytes], text: bytes) -> None:
    """Write to the program's stdin."""
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.flush()
