"""Owns the sources that come with the package, the most trusted first."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.inside import AgentInside, Inside
from pytest_gomem.observe.page import first_that_reads
from pytest_gomem.observe.prometheus import SAMPLES
from pytest_gomem.observe.published import ExpvarPage, PrometheusPage
from pytest_gomem.observe.quantities import RUNTIME_QUANTITIES, TRUST, Observed
from pytest_gomem.observe.source import Reader, Source, Target


@dataclass(frozen=True)
class _LastCycle:
    target: Target

    def read(self) -> Observed:
        return Observed(time.monotonic(), {"num_gc": self.target.last_cycle()})

    def close(self) -> None:
        pass


def _agent(target: Target) -> Inside:
    client = target.agent()
    if client is None:
        raise ObserveError(f"no agent is built into it: {target.no_agent}")
    return AgentInside(client)


def _gctrace(target: Target) -> Reader:
    target.last_cycle()
    return _LastCycle(target)


def _pprof(target: Target) -> Inside:
    return target.endpoint()


def _expvar(target: Target) -> Inside:
    return first_that_reads(ExpvarPage, _urls(target, "expvar", "/debug/vars"), "expvar page")


def _prometheus(target: Target) -> Reader:
    return first_that_reads(PrometheusPage, _urls(target, "metrics", "/metrics"), "Prometheus page")


def _urls(target: Target, key: str, path: str) -> list[str]:
    named = target.url_of(key)
    return [named] if named is not None else [f"{base}{path}" for base in target.bases()]


SOURCES = (
    Source("agent", TRUST["agent"], RUNTIME_QUANTITIES, _agent, complete=True),
    Source("gctrace", TRUST["gctrace"], frozenset({"num_gc"}), _gctrace),
    Source("pprof", TRUST["pprof"], RUNTIME_QUANTITIES - {"pause_total"}, _pprof, complete=True),
    Source(
        "expvar",
        TRUST["expvar"],
        RUNTIME_QUANTITIES - {"goroutines"},
        _expvar,
        complete=True,
        always=lambda target: target.url_of("expvar") is not None,
    ),
    Source(
        "prometheus",
        TRUST["prometheus"],
        frozenset(SAMPLES),
        _prometheus,
        always=lambda target: target.url_of("metrics") is not None,
    ),
)
