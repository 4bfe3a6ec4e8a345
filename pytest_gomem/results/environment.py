"""The facts about machine and tools that readers of a report need."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from pytest_gomem import __version__
from pytest_gomem.base.errors import ToolchainError
from pytest_gomem.git.repository import place_in_repository, revision_of
from pytest_gomem.launch.toolchain import find_toolchain
from pytest_gomem.observe.kernel import thp_mode
from pytest_gomem.results.run_record import RunRecord, TestRecord


def run_record(tests: Sequence[TestRecord], folder: Path) -> RunRecord:
    """The tests with the environment they ran in, and the commit that is checked out around the folder."""
    commit, place = str(revision_of(folder)), place_in_repository(folder)
    return RunRecord(__version__, environment(), tests, commit=commit, folder=place)


def environment() -> dict[str, str | int | float | None]:
    """Go toolchain, operating system, kernel, CPUs, page size and huge-page mode; None if unknown."""
    try:
        toolchain = find_toolchain()
    except ToolchainError:
        toolchain = None
    return {
        "go_version": toolchain.version if toolchain else None,
        "goos": toolchain.goos if toolchain else platform.system().lower(),
        "goarch": toolchain.goarch if toolchain else platform.machine(),
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "page_size": os.sysconf("SC_PAGE_SIZE"),
        "thp": thp_mode(),
        "python": platform.python_version(),
    }
