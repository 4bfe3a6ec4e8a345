"""Owns whether a test that is not there was looked for, or may only be where nobody looked."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pytest_gomem.globs import literal_prefix


def was_looked_for(test: str, root: Path, looked_into: Collection[str]) -> bool:
    """Whether a test that is not among the collected ones, or all of a glob, would be if it existed.

    A module that is there was not looked into where testpaths, collect_ignore, a plugin or the command line leave it
    out. root: the rootdir. looked_into: the modules and folders that were, by their ids.
    """
    path = test.partition("::")[0]
    prefix = literal_prefix(path)
    if prefix == path:
        return path in looked_into or not (root / path).exists()
    folder = prefix.rpartition("/")[0]
    looked_below = any(module.startswith(f"{folder}/") for module in looked_into)
    return not folder or looked_below or not (root / folder).exists()
