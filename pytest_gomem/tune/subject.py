"""What a test is that settings are to be found for, and why none can be found with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.base.names import did_you_mean
from pytest_gomem.tune.records import Off


@dataclass(frozen=True)
class Subject:
    """A test and the service that it measures, as collected before any run.

    service: "" if the test launches one by hand and nobody said which. gogc: the service's own. program: the path of a
    service that is not built here, "" of one that is. simulated: its own memory limit is only watched.
    """

    nodeid: str
    service: str = ""
    gogc: int | Off | None = None
    program: str = ""
    simulated: bool = False


def subject_of(nodeid: str, known: Mapping[str, Any], service: str) -> Subject:
    """Of what the collection knows; raises ConfigError for a test whose runs would not answer the question.

    service: the one that the user names, "" if none.
    """
    if known["workers"]:
        hint = "say  -- -n0  behind the other words; what runs beside a test changes its figures"
        raise ConfigError(f"pytest would start {known['workers']} workers", hint=hint)
    test, services = known["tests"][nodeid], known["services"]
    if not test["is_measured"]:
        raise ConfigError(f"{nodeid} measures nothing", hint="name a test with a gomem fixture, such as go_service")
    if test["matrix"]:
        keys = ", ".join(test["matrix"])
        raise ConfigError(
            f"{nodeid} has settings of its own to try: gomem_gc({keys})", hint="name a test without that marker"
        )
    if service and services and service not in services:
        raise ConfigError(f"gomem.yaml has no service '{service}'", hint=did_you_mean(service, services))
    name = service or test["service"] or (next(iter(services)) if len(services) == 1 else "")
    found = services.get(name, {})
    return Subject(nodeid, name, found.get("gogc"), found.get("program", ""), found.get("simulated", False))
