"""Owns the way from a running service to what it was built from."""

from __future__ import annotations

from pathlib import Path

from pytest_gomem.session.processes import LaunchedProcess
from pytest_gomem.session.reasons import Built
from pytest_gomem.session.service import Service


def built_from(service: Service) -> Built | None:
    """What the service was built from; None for a process that is not ours."""
    process = service.process
    if not isinstance(process, LaunchedProcess):
        return None
    return Built(Path(process.launched.argv[0]), process.binary, process.launched.source)
