"""Keeps the JSON Schema of gomem.yaml where the file's first line says, so that editors know the keys and metrics."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pytest_gomem.plugin.use import is_worker

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pytest_gomem.measure.registry import Registry

_FOLDER, _NAME = "gomem", "schema.json"  # within pytest's cache


def keep_editor_schema(config: pytest.Config, gomem_yaml: Path, registry: Registry) -> None:
    """Write it into pytest's cache if gomem.yaml names it there; without a cache, or room on the disk, nothing."""
    cache = getattr(config, "cache", None)
    if cache is None or is_worker(config):
        return
    from pytest_gomem import __version__
    from pytest_gomem.scaffold.config_schema import keep, named_schema

    named = named_schema(gomem_yaml)
    if named is None or named.parts[-2:] != (_FOLDER, _NAME):
        return
    cache.set(f"{_FOLDER}/version", __version__)  # makes the cache, and git ignore it
    kept = cache.mkdir(_FOLDER) / _NAME
    if kept == named:
        with contextlib.suppress(OSError):
            keep(kept, registry)
