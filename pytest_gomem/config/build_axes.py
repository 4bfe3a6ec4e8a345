"""Owns what a gomem_gc marker puts on top of a service's build: GOEXPERIMENT, a PGO profile, build tags."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_gomem.config.fields import text
from pytest_gomem.config.located import Located
from pytest_gomem.config.services import BuildSpec

BUILD_KEYS = ("goexperiment", "pgo", "tags")
_OFF = "off"
_WORDS = {
    "goexperiment": (re.compile(r"[a-z0-9]+(,[a-z0-9]+)*"), "names of GOEXPERIMENT, such as greenteagc or noswissmap"),
    "tags": (re.compile(r"[\w.]+(,[\w.]+)*"), "build tags, such as jsoniter or jsoniter,prod"),
}


@dataclass(frozen=True)
class BuildAxes:
    """A choice of how to build; "" = as gomem.yaml says. pgo: "off", "auto", or a path relative to gomem.yaml."""

    goexperiment: str = ""
    pgo: str = ""
    tags: str = ""

    def over(self, other: BuildAxes) -> BuildAxes:
        """What is said here, on top of another choice."""
        return BuildAxes(self.goexperiment or other.goexperiment, self.pgo or other.pgo, self.tags or other.tags)

    def laid_over(self, spec: BuildSpec, base_dir: Path) -> BuildSpec:
        """The build with this choice on top: tags join those of the build, the others replace them."""
        is_file = self.pgo not in ("", "auto", _OFF)
        profile = str((base_dir / self.pgo).absolute()) if is_file else self.pgo
        return replace(
            spec,
            flags=(*spec.flags, f"-pgo={profile}") if self.pgo else spec.flags,
            tags=(*spec.tags, *self.tags.split(",")) if self.tags else spec.tags,
            env={**(spec.env or {}), "GOEXPERIMENT": self.goexperiment} if self.goexperiment else spec.env,
        )


def parse_axis(key: str, node: Located) -> BuildAxes:
    """One value of an axis; "off" is nothing on top, for pgo Go's own -pgo=off. Raises ConfigError."""
    written = text(node).strip()
    if key == "pgo":
        if not written:
            raise node.error("must not be empty", 'a profile such as "cpu.pprof", "auto" or "off"')
        return BuildAxes(pgo=written)
    pattern, names = _WORDS[key]
    if pattern.fullmatch(written) is None:
        raise node.error(f"{node.shown} is no list of {names.partition(',')[0]}", f'{names}, or "off" for none')
    said = "" if written == _OFF else written
    return BuildAxes(goexperiment=said) if key == "goexperiment" else BuildAxes(tags=said)
