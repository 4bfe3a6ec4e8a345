"""Owns naming the programs of a Go module, for who has named a package that is none."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_gomem.base.commands import output_within

_SECONDS = 10.0
_MOST = 8
# What Go says of a folder without a program in it, and what we do.
_NO_PROGRAM = re.compile(
    r"is no package main|no Go files in|directory not found|build constraints exclude all Go files"
)


def instead(words: str, go: str, options: Sequence[str], cwd: Path, env: Mapping[str, str], base_dir: Path) -> str:
    """Where the module in `cwd` has programs, as gomem.yaml in `base_dir` would name them; "" for another failure.

    words: why the build failed. options: those that decide which files count.
    """
    if _NO_PROGRAM.search(words) is None:
        return ""
    listing = [go, "list", "-e", "-find", *options, "-f", '{{if eq .Name "main"}}{{.Dir}}{{end}}', "./..."]
    try:
        _, out, _ = output_within(_SECONDS, listing, cwd, env)
    except OSError:
        return ""
    found = sorted(f"./{os.path.relpath(line, base_dir)}" for line in out.splitlines() if line)
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return f"\n  programs of this module: {', '.join(found[:_MOST])}{more}" if found else ""
