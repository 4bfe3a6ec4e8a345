"""Keeps what a long command has found so far in a file, so that it can go on after it was stopped."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.files import cache_dir, write_whole

T = TypeVar("T")


def state_file(kind: str, name: str, key: str | Path) -> Path:
    """The file of a kind of state in the user's cache, one for each key; name: for people who look there."""
    short = hashlib.sha256(os.fsencode(key)).hexdigest()[:8]
    return cache_dir(kind, Path(tempfile.gettempdir())) / f"{name}-{short}.json"


def write_state(path: Path, version: int, data: Mapping[str, Any]) -> None:
    """Replace the kept state at once; an Enum in the data is kept by its value. Raises OSError."""
    write_whole(path, json.dumps({"version": version, **data}, default=lambda value: value.value, indent=1))


def read_state(path: Path, version: int, of: str, make: Callable[[Mapping[str, Any]], T]) -> T | None:
    """What `make` makes of the kept state, None if there is none; raises ConfigError if it cannot be understood.

    of: what it is the state of, in words.
    """
    try:
        data: Any = json.loads(path.read_text("utf-8"))
        return make(data if data["version"] == version else {})  # another version holds nothing that we know
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError) as error:
        hint = "start anew: leave out --resume"
        raise ConfigError(f"it does not hold the state of {of}", Place(str(path)), hint) from error
