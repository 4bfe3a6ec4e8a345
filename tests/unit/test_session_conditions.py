"""The conditions of a window: what must be the same for its figures to compare with others."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_gomem.base.errors import Place
from pytest_gomem.config.fields import located
from pytest_gomem.config.gc_settings import GcSettings
from pytest_gomem.config.memory_limit import MemoryLimitSettings
from pytest_gomem.config.services import parse_service
from pytest_gomem.judge.conditions import changed
from pytest_gomem.launch.build import BinaryInfo
from pytest_gomem.launch.launched import Launched
from pytest_gomem.launch.serving import Serving
from pytest_gomem.launch.sides import Source
from pytest_gomem.session.attached import AttachedProcess
from pytest_gomem.session.conditions import conditions
from pytest_gomem.session.processes import LaunchedProcess
from pytest_gomem.session.service import Service
from pytest_gomem.supervisor.client import KeptChild

PLAIN = {
    "gogc": "default", "gomemlimit": "default", "gomaxprocs": "2", "go": "go1.26", "goos": "linux", "goarch": "amd64",
    "goamd64": "v1", "build": "plain", "agent": "no",
}  # fmt: skip
OF_THE_MACHINE = {"page_size", "thp"}
USUAL = (
    ("-buildmode", "exe"), ("-compiler", "gc"), ("-ldflags", "-X main.version=7"), ("-trimpath", "true"),
    ("CGO_ENABLED", "1"), ("GOARCH", "amd64"), ("GOOS", "linux"), ("GOAMD64", "v1"), ("vcs.revision", "1a2b3c"),
)  # fmt: skip


def launched(*, agent: bool = False, written: dict[str, object] | None = None, **other: Any) -> Service:
    """A service that we launched, as gomem.yaml has it; other: fields of Launched."""
    node = located({"binary": "/bin/api", **(written or {})}, Place("gomem.yaml"))
    facts: dict[str, Any] = {
        "config": parse_service(node, "api", Path("/")),
        "child": cast(KeptChild, SimpleNamespace(started=0.0)),
        "serving": Serving(os.getpid()),
        "argv": ("/bin/api",),
        "env": {},
        "ports": {},
        "tmp": Path("/nowhere"),
        "gc": GcSettings(),
        "binary": BinaryInfo("go1.26.3", settings=USUAL),
        "port_tries": 1,
        "socket": None,
        "no_agent": "it was not built here",
        "source": Source(None, ("/bin/api",), Path("/")),
    }
    process = LaunchedProcess(Launched(**{**facts, **other}), 50.0, {})
    if agent:
        process.no_agent = ""
    return Service(process, lambda: pytest.fail("no load is asked for"))


def found(service: Service, effective: dict[str, str] | None = None) -> dict[str, str]:
    """Without those of the machine, which every window has."""
    every = conditions(service.process, effective or {})
    assert every.keys() >= OF_THE_MACHINE
    return {name: value for name, value in every.items() if name not in OF_THE_MACHINE}


def test_a_plain_service():
    """Flags that change no figure, such as a stamped version, are no conditions, nor is the patch release of Go."""
    assert found(launched()) == PLAIN


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        ({"gc": GcSettings(gogc=50, gomemlimit=1 << 30)}, {"gogc": "50", "gomemlimit": "1GiB"}),
        ({"gc": GcSettings(gomaxprocs=4)}, {"gomaxprocs": "4"}),
        ({"gc": GcSettings(godebug={"madvdontneed": "1"})}, {"godebug": "madvdontneed=1"}),
        ({"profile_rate": 4096}, {"profile_rate": "4096"}),
        ({"written": {"tree": True}}, {"tree": "yes"}),
        ({"memory_limit": MemoryLimitSettings(256 << 20)}, {"memory_limit": "256MiB"}),
        ({"memory_limit": MemoryLimitSettings(256 << 20, "simulated")}, {"memory_limit": "256MiB, simulated"}),
        ({"binary": BinaryInfo("go1.27.0", settings=USUAL)}, {"go": "go1.27"}),
        ({"binary": BinaryInfo("go1.26.3 X:nogreenteagc", settings=USUAL)}, {"goexperiment": "nogreenteagc"}),
        ({"binary": BinaryInfo("", settings=USUAL)}, {"go": "unknown"}),
        ({"binary": BinaryInfo("go1.26.3", settings=(*USUAL, ("-race", "true")))}, {"build": "-race=true"}),
        ({"binary": BinaryInfo("go1.26.3", settings=(*USUAL, ("-pgo", "/home/a/default.pgo")))},
         {"build": "-pgo=default.pgo"}),
        ({"binary": BinaryInfo("go1.26.3", settings=(*USUAL[:-2], ("GOAMD64", "v3")))}, {"goamd64": "v3"}),
    ],
)  # fmt: skip
def test_each_of_these_makes_another_condition(other, differs):
    """One alone: a baseline of the one does not compare with the other."""
    now = found(launched(**other))
    assert {name: now.get(name) for name in changed(PLAIN, now)} == differs


def test_with_the_agent_the_settings_are_those_in_force():
    """Whoever set them; words after the value are for readers. Its source is a condition: it allocates too."""
    service = launched(agent=True, gc=GcSettings(gogc=50))
    now = found(service, {"gogc": "200", "gomemlimit": "off, set by the program"})
    assert (now["gogc"], now["gomemlimit"], now["agent"]) == ("200", "off", "yes")
    assert now["agent_source"]
    assert found(launched(gc=GcSettings(gogc=50)), {"gogc": "200"})["gogc"] == "50"


def test_collections_by_hand_are_a_condition():
    """A baseline without them does not compare; that none are made needs no saying."""
    plain, by_hand = found(launched(agent=True)), found(launched(agent=True), {"manual_gc": "100MB"})
    assert changed(plain, by_hand) == {"manual_gc": ("off", "100MB")}
    assert changed(plain, found(launched(gc=GcSettings(manual_gc="off")))).keys() <= {"agent", "agent_source"}


def test_of_a_process_that_is_not_ours_nothing_is_known():
    """But the machine it runs on."""
    process = AttachedProcess(None, None, None, 50.0, reset_peak=False, url="http://x")
    service = Service(process, lambda: pytest.fail("no load is asked for"))
    assert found(service) == {"process": "attached"}
