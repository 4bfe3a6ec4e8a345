"""Owns a program that was launched: what is known of how it was started, and letting go of it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_gomem.base.errors import KeeperError
from pytest_gomem.config.gc import GcSettings
from pytest_gomem.config.services import ServiceConfig
from pytest_gomem.config.tokens import unexpanded
from pytest_gomem.launch.build import BinaryInfo
from pytest_gomem.launch.serving import Serving
from pytest_gomem.launch.sides import Source
from pytest_gomem.supervisor.client import KeptChild


@dataclass(frozen=True)
class Launched:
    """A running program and all that is known of how it was started.

    socket: where the agent in it listens; None without one, for the reason `no_agent`.
    serving: the process to measure, which need not be the child. rate_of_budgets: the profile rate, where it was
    budgets on functions that set it. startup_peak: the kernel's peak when it was ready, bytes; None where nothing was
    waited for, or no peak is kept. hidden: of `values_of_variables`, what is not to be shown.
    """

    config: ServiceConfig
    child: KeptChild
    serving: Serving
    argv: tuple[str, ...]
    env: Mapping[str, str]
    ports: Mapping[str, int]
    tmp: Path
    gc: GcSettings
    binary: BinaryInfo
    port_tries: int
    socket: Path | None
    no_agent: str
    source: Source
    rate_of_budgets: int | None = None
    startup_peak: int | None = None
    hidden: Mapping[str, str] = field(default_factory=dict)

    def shown(self, text: str) -> str:
        """The text with the names of the variables of its settings in place of their values."""
        return unexpanded(text, self.hidden)

    def shown_log(self) -> str:
        """The kept end of what it wrote, as it may be shown."""
        return self.shown(self.child.log()[0])

    def remove_folders(self) -> None:
        """Remove what was made for this launch alone."""
        remove_folders(self.tmp, self.socket)


def remove_folders(tmp: Path, socket: Path | None) -> None:
    """Remove the private folder of a launch, and that of its agent's socket."""
    for folder in (tmp, *([socket.parent] if socket else ())):
        shutil.rmtree(folder, ignore_errors=True)


def discard(launched: Launched) -> None:
    """Stop a launched program at once and drop what was recorded of it."""
    with contextlib.suppress(KeeperError):  # a keeper that is gone took its services along
        launched.child.stop(grace=0.0)
    launched.child.forget()
    launched.remove_folders()
