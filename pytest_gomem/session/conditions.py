"""The conditions of a window: what must be equal, besides the code, for its figures to compare with others."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Mapping

from pytest_gomem.config.gc_settings import described
from pytest_gomem.config.memory_limit import MEMORY_LIMIT
from pytest_gomem.judge.conditions import PROFILE_RATE
from pytest_gomem.launch.build import BinaryInfo
from pytest_gomem.launch.launched import Launched
from pytest_gomem.launch.overlay import agent_mark
from pytest_gomem.observe.kernel import thp_mode
from pytest_gomem.session.subject import Process

_ARCH_LEVELS = ("GOAMD64", "GOARM64", "GOARM", "GO386", "GOPPC64", "GORISCV64", "GOMIPS", "GOMIPS64", "GOWASM")
_NAMED = {"GOOS", "GOARCH", "GOEXPERIMENT", *_ARCH_LEVELS}
# Linker flags stamp versions and dates into the binary; the overlay is our agent, which has its own condition;
# -trimpath changes the file names of stacks alone.
_WITHOUT_EFFECT = {"-ldflags", "-overlay", "-compiler", "-trimpath", "DefaultGODEBUG"}

_USUAL = {("-buildmode", "exe"), ("CGO_ENABLED", "1")}


def conditions(process: Process, in_force: Mapping[str, str]) -> dict[str, str]:
    """By name, without those of instruments. Of an attached process only the page settings are known.

    GC settings are those in force if the agent read them back, else those requested.
    """
    machine = {"page_size": str(mmap.PAGESIZE), "thp": thp_mode() or "unknown"}
    return {**process.conditions(in_force), **machine}


def launched_conditions(launched: Launched, in_force: Mapping[str, str], *, has_agent: bool) -> dict[str, str]:
    """Those of a launched process: its settings, its binary and what is built into it."""
    read_back = {name: value.partition(",")[0] for name, value in in_force.items()} if has_agent else {}
    return {
        "gogc": "default",
        "gomemlimit": "default",
        **described(launched.gc),
        **read_back,
        **dict(_binary(launched.binary)),
        "agent": "yes" if has_agent else "no",
        **({"agent_source": agent_mark()} if has_agent else {}),
        **({} if launched.profile_rate is None else {PROFILE_RATE: str(launched.profile_rate)}),
        **({"tree": "yes"} if launched.config.tree else {}),
        **({} if launched.memory_limit is None else {MEMORY_LIMIT: str(launched.memory_limit)}),
    }


def _binary(binary: BinaryInfo) -> Iterator[tuple[str, str]]:
    settings = dict(binary.settings)
    minor = re.match(r"go\d+\.\d+", binary.go_version)
    yield "go", minor[0] if minor else binary.go_version or "unknown"
    experiment = settings.get("GOEXPERIMENT") or binary.go_version.partition("X:")[2].strip()
    if experiment:
        yield "goexperiment", experiment
    for name in ("GOOS", "GOARCH", *_ARCH_LEVELS):
        if name in settings:
            yield name.lower(), settings[name]
    yield "build", " ".join(sorted(_flags(binary))) or "plain"


def _flags(binary: BinaryInfo) -> Iterator[str]:
    for name, value in binary.settings:
        said = value and (name, value) not in _USUAL and not name.startswith("vcs")
        if said and name not in _NAMED | _WITHOUT_EFFECT:
            # The folder of a PGO profile differs from machine to machine.
            yield f"{name}={value.rpartition('/')[2] if name == '-pgo' else value}"
