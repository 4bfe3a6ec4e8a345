"""The program that reads traces: built on the newest golang.org/x/exp/trace that the Go at hand can build."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pytest_gomem.base.errors import ToolchainError
from pytest_gomem.launch.go_program import GoProgram

SOURCE = Path(__file__).with_name("reader")
NAME, CALLED = "tracereader", "the reader of traces"
EXP = "golang.org/x/exp"
_MINOR = re.compile(r"go1\.(\d+)")


@dataclass(frozen=True)
class ExpVersion:
    """A version of golang.org/x/exp, found out by trying: see tests/releases/traces.py.

    builds: the oldest Go 1.N that builds it. reads: up to the trace format of Go 1.N, which later releases may have,
    too. sum, mod_sum: of its zip and its go.mod, as in go.sum. tags: of the reader's build on it.
    """

    builds: int
    reads: int
    version: str
    sum: str
    mod_sum: str
    tags: str = ""

    @property
    def module(self) -> tuple[str, str]:
        """Texts of the reader's go.mod and go.sum."""
        mod = f"module gomem/{NAME}\n\ngo 1.{self.builds}.0\n\nrequire {EXP} {self.version}\n"
        return mod, f"{EXP} {self.version} {self.sum}\n{EXP} {self.version}/go.mod {self.mod_sum}\n"


# Newest first: the newest version that each Go release builds.
VERSIONS = (
    ExpVersion(
        builds=26,
        reads=26,
        version="v0.0.0-20261113113407-e3970619a1a4",
        sum="h1:lfvjMWyv5q5oJgIhGfBDf7Szvu8POtgSpMy2XbXlEFs=",
        mod_sum="h1:J3U+E8RzytcGvwz+uJuAP4zULJ2TkAQBnmPZMexpdXs=",
    ),
    ExpVersion(
        builds=24,
        reads=26,
        version="v0.0.0-20260209203927-2842357ff358",
        sum="h1:kpfSV7uLwKJbFSEgNhWzGSL47NDSF/5pYYQw1V0ub6c=",
        mod_sum="h1:R3t0oliuryB5eenPWl3rrQxwnNM3WTwnsRZZiXLAAW8=",
    ),
    ExpVersion(
        builds=23,
        reads=25,
        version="v0.0.0-20250811191247-51f88131bc50",
        sum="h1:3yiSh9fhy5/RhCSntf4Sy0Tnx50DmMpQ4MQdKKk4yg4=",
        mod_sum="h1:rT6SFzZ7oxADUDx58pcaKFTcZ+inxAa9fTrYx/uVYwg=",
    ),
    ExpVersion(  # the last one for Go 1.22, v0.0.0-20250210185358-939b2ce775ac, has the very same package
        builds=21,
        reads=23,
        version="v0.0.0-20240904232852-e7e105dedf7e",
        sum="h1:I88y4caeGeuDQxgdoFPUq097j7kNfw6uvuiNxUBfcBk=",
        mod_sum="h1:akd2r19cwCdwSwWeIdzYQGa/EZZyqcOdwWiwj5L5eKQ=",
        tags="frames2024",
    ),
)


def version_for(go: str) -> ExpVersion:
    """The newest one that a Go ("go1.26.8") builds; raises ToolchainError if it is too old for any."""
    found = _MINOR.search(go)
    if found is None:  # a Go under development
        return VERSIONS[0]
    for one in VERSIONS:
        if int(found[1]) >= one.builds:
            return one
    raise ToolchainError(f"{CALLED} needs Go 1.{VERSIONS[-1].builds} or later to be built, and this is {go}")


def reader_of(version: ExpVersion, source: Path = SOURCE) -> GoProgram:
    """The reader on this version."""
    hint = f"it is built once, with {EXP} {version.version} from your Go module proxy or module cache"
    return GoProgram(NAME, CALLED, source, version.module, version.tags, hint)
