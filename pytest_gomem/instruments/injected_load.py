"""Makes a service worse by a known amount while a window is open, so that a gate can be proved to ring."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.session.service import Service

VARIABLE = "PYTEST_GOMEM_BURDEN"
NOTE = "gomem selftest made the service worse in this window"
Window = tuple[str, str, str]  # test id, service, window


@dataclass(frozen=True)
class Burden:
    """What the agent adds: `churn` is the share of what the service allocates, `retain` the bytes held by window.

    A window that is not in `retain` is left alone, and so is a service without the agent.
    """

    churn: float
    retain: Mapping[Window, int]

    def hold(self, service: Service, nodeid: str, window: str) -> None:
        """Before a window opens: hold what is to show in its live heap, and not in what it allocates."""
        agent = self._agent(service, nodeid, window)
        if agent is not None:
            agent.retain(self.retain[nodeid, service.name, window])

    def begin(self, service: Service, nodeid: str, window: str) -> None:
        """When it has opened: allocate along with the service."""
        agent = self._agent(service, nodeid, window)
        if agent is not None:
            agent.churn(self.churn)

    def end(self, service: Service, nodeid: str, window: str) -> tuple[str, ...]:
        """Before its closing readings: reach the whole share of what was allocated; the notes for the window."""
        agent = self._agent(service, nodeid, window)
        if agent is None:
            return ()
        agent.churn(0)
        return (NOTE,)

    def lift(self, service: Service, nodeid: str, window: str) -> None:
        """After them: let go of all, for the next window of a service that tests share."""
        agent = self._agent(service, nodeid, window)
        if agent is not None:
            agent.unburden()

    def _agent(self, service: Service, nodeid: str, window: str) -> AgentClient | None:
        if (nodeid, service.name, window) not in self.retain or service.process.ending() is not None:
            return None
        return service.process.agent()


NO_BURDEN = Burden(0.0, {})


def in_selftest() -> bool:
    """Whether this run is one of `gomem selftest`, whose figures are for it alone."""
    return bool(os.environ.get(VARIABLE))


def burden_of_environment() -> Burden:
    """The burden that `gomem selftest` wrote for its runs; NO_BURDEN elsewhere. Raises ConfigError."""
    path = os.environ.get(VARIABLE)
    if not path:
        return NO_BURDEN
    try:
        data = json.loads(Path(path).read_bytes())
        rows = {(row["nodeid"], row["service"], row["window"]): int(row["bytes"]) for row in data["retain"]}
        return Burden(float(data["churn"]), rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{VARIABLE} names no burden of gomem selftest: {error}", Place(path)) from None


def write_burden(burden: Burden, path: Path) -> None:
    """Write it for burden_of_environment."""
    rows = [
        {"nodeid": nodeid, "service": service, "window": window, "bytes": size}
        for (nodeid, service, window), size in burden.retain.items()
    ]
    path.write_text(json.dumps({"churn": burden.churn, "retain": rows}), "utf-8")
