"""Makes a service worse by a known amount in a window, to prove that a limit catches it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.session.instrument import Closes, Finding, Instrument, Opens, Target, WindowPlan

VARIABLE = "PYTEST_GOMEM_INJECTED_LOAD"
NOTE = "gomem selftest made the service worse in this window"
_NAME = "injected_load"
Window = tuple[str, str, str]  # test id, service, window


@dataclass(frozen=True)
class InjectedLoad:
    """What the agent adds: `churn` is the share of what the service allocates, `retain` the bytes held by window.

    A window that is not in `retain` is unchanged, and so is a service without the agent.
    """

    churn: float = 0.0
    retain: Mapping[Window, int] = field(default_factory=dict)

    def instruments(self, plan: WindowPlan) -> tuple[Instrument, ...]:
        """The instruments of a window to make worse; none for others."""
        size = self.retain.get((plan.nodeid, plan.service, plan.window))
        return () if size is None else (_HeldMemory(size), _AddedAllocation(self.churn))

    @classmethod
    def of_environment(cls) -> InjectedLoad:
        """The load that `gomem selftest` wrote for its runs; elsewhere it makes no window worse. Raises ConfigError."""
        path = os.environ.get(VARIABLE)
        if not path:
            return cls()
        try:
            data = json.loads(Path(path).read_bytes())
            rows = {(row["nodeid"], row["service"], row["window"]): int(row["bytes"]) for row in data["retain"]}
            return cls(float(data["churn"]), rows)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{VARIABLE} names no load of gomem selftest: {error}", Place(path)) from None

    def write(self, path: Path) -> None:
        """Write it for `of_environment`."""
        rows = [
            {"nodeid": nodeid, "service": service, "window": window, "bytes": size}
            for (nodeid, service, window), size in self.retain.items()
        ]
        path.write_text(json.dumps({"churn": self.churn, "retain": rows}), "utf-8")


class _HeldMemory(Instrument):
    """Holds memory that shows in the live heap, but not in what the window allocates."""

    name = _NAME
    opens = Opens.BEFORE
    closes = Closes.JUDGED

    def __init__(self, size: int) -> None:
        self._size = size

    def open(self, target: Target) -> None:
        """Hold it."""
        agent = _agent(target)
        if agent is not None:
            agent.retain(self._size)

    def close(self, target: Target) -> Finding:
        """Release it, for the next window of a shared service."""
        agent = _agent(target)
        if agent is None:
            return Finding()
        agent.end_injected()
        return Finding(figures={"retained": float(self._size)})


class _AddedAllocation(Instrument):
    """Allocates along with the service."""

    name = _NAME
    opens = Opens.LAST
    closes = Closes.FIRST

    def __init__(self, share: float) -> None:
        self._share = share

    def open(self, target: Target) -> None:
        """Begin."""
        agent = _agent(target)
        if agent is not None:
            agent.churn(self._share)

    def close(self, target: Target) -> Finding:
        """End, once the added share is complete."""
        agent = _agent(target)
        if agent is None:
            return Finding()
        agent.churn(0)
        return Finding(figures={"churn": self._share}, notes=(NOTE,))


def _agent(target: Target) -> AgentClient | None:
    return target.subject.agent() if target.subject.ending() is None else None


def in_selftest() -> bool:
    """Whether this is a run of `gomem selftest`, which alone uses its figures."""
    return bool(os.environ.get(VARIABLE))
