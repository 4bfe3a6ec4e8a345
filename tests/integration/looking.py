"""Looks at processes, programs and sources that several tests take."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil


def is_running(pid: int) -> bool:
    """Whether the process still runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def printed(binary: Path) -> str:
    """What a program that ends by itself writes to stderr."""
    return subprocess.run([binary], capture_output=True, text=True, check=True).stderr.strip()


def line_of(source: str, code: str) -> int:
    """The number of the one line that holds this code."""
    (number,) = [n for n, line in enumerate(source.splitlines(), 1) if code in line]
    return number
