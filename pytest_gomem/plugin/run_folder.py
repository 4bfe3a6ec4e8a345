"""The folder of a pytest run, which the controller of pytest-xdist shares with its workers."""

from __future__ import annotations

import contextlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_gomem.plugin.use import given_by_controller, is_worker

if TYPE_CHECKING:
    import pytest


class RunFolder:
    """A private folder for binaries and launches, shared by all workers of a run on this machine; made when needed."""

    KEY = "gomem_run_dir"  # key for the controller's folder on a worker

    def __init__(self, config: pytest.Config) -> None:
        self._is_worker = is_worker(config)
        self._shared = Path(given_by_controller(config).get(self.KEY) or "")
        self._held = contextlib.ExitStack()

    @cached_property
    def path(self) -> Path:
        """The controller's folder, or our own."""
        from pytest_gomem.base.files import held, run_folder

        is_shared = self._is_worker and not self.is_remote
        return self._held.enter_context(held(self._shared) if is_shared else run_folder("pytest-gomem-"))

    @cached_property
    def is_remote(self) -> bool:
        """Whether this is a worker on another machine, which shares no files with the controller."""
        from pytest_gomem.base.files import is_here

        return self._is_worker and not is_here(self._shared)

    def close(self) -> None:
        """Remove it, if no other process needs it."""
        self._held.close()
