"""Writes gomem_yaml.schema.json, the JSON Schema of gomem.yaml: make schema. Reads it, and keeps copies for editors."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from pytest_gomem.base.files import write_whole
from pytest_gomem.config.file_schema import file_schema
from pytest_gomem.measure.registry import Registry, builtin_metrics

_ROOM, _NAME = "pytest_gomem.config", "gomem_yaml.schema.json"
# Where pytest keeps what plugins store, below its rootdir; the folder makes git ignore it.
KEPT = ".pytest_cache/d/gomem/schema.json"
FIRST_WORDS = "# yaml-language-server: $schema="
_FIRST_BYTES = 4096


@lru_cache(maxsize=1)
def config_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of gomem.yaml with the built-in metrics; treat it as read-only."""
    loaded: dict[str, Any] = json.loads(resources.files(_ROOM).joinpath(_NAME).read_text("utf-8"))
    return loaded


def schema_text(registry: Registry) -> str:
    """The text of the schema, as the readers of gomem.yaml make it, with these metrics."""
    schema = file_schema(registry.units(), {metric.name: metric.doc for metric in registry})
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def named_schema(gomem_yaml: Path) -> Path | None:
    """The file that the first line names as the schema, None if it names none."""
    try:
        with gomem_yaml.open(encoding="utf-8-sig", errors="replace") as file:
            first = file.readline(_FIRST_BYTES).strip()
    except OSError:
        return None
    named = first.removeprefix(FIRST_WORDS)
    return Path(os.path.normpath(gomem_yaml.absolute().parent / named)) if named != first else None


def keep(path: Path, registry: Registry) -> None:
    """Write the schema, with the user's own metrics in it, unless it is there as it should be."""
    text = schema_text(registry)
    if not path.exists() or path.read_text("utf-8", errors="replace") != text:
        write_whole(path, text)


if __name__ == "__main__":
    written = schema_text(Registry(builtin_metrics()))
    (Path(__file__).parents[1] / "config" / _NAME).write_text(written, "utf-8")
