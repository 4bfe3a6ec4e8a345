"""Owns the -trimpath of both sides of a comparison: with it they share what Go has compiled of equal packages.

The folder is part of the key of Go's build cache. So a commit's own folder would have all of its module compiled anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from pytest_gomem.base.commands import output_within
from pytest_gomem.config.services import BuildSpec
from pytest_gomem.git.repository import environment_without_hook
from pytest_gomem.launch.toolchain import Toolchain

FLAG = "-trimpath"
_SECONDS = 10.0


def trimmed(spec: BuildSpec, toolchain: Toolchain) -> BuildSpec:
    """The build with -trimpath, unless its flags, or the GOFLAGS of its Go, say something of that already."""
    if says(spec.flags) or says(_goflags(toolchain.go, (spec.env or {}).get("GOFLAGS", os.environ.get("GOFLAGS")))):
        return spec
    return replace(spec, flags=(*spec.flags, FLAG))


def says(flags: Iterable[str]) -> bool:
    """Whether one of the flags is a -trimpath, true or false."""
    return any(flag.startswith("-") and flag.lstrip("-").partition("=")[0] == FLAG[1:] for flag in flags)


@lru_cache
def _goflags(go: str, of_environment: str | None) -> tuple[str, ...]:
    """Those of the environment, else those that `go env -w` keeps; none where Go does not tell."""
    if of_environment is not None:
        return tuple(of_environment.split())
    env: Mapping[str, str] = {**environment_without_hook(), "GOTOOLCHAIN": "local"}
    try:
        status, out, _ = output_within(_SECONDS, [go, "env", "GOFLAGS"], Path("/"), env)
    except OSError:
        return ()
    return tuple(out.split()) if status == 0 else ()
