"""Globs of goroutines, by a function on their stack or by what created them: how they are written."""

from __future__ import annotations

import re

from pytest_gomem.config import json_schema as schema
from pytest_gomem.config.fields import Located, Mistakes, filled, items

CREATED_BY = "created by "
_HINT = 'such as "main.worker", "net/http.(*Server).Serve" or "created by main.(*Pool).*"'
GOROUTINE_GLOBS = schema.items(
    'Goroutines that are no leak, by function: "main.(*cache).refresh", "created by main.(*Pool).*"',
    schema.filled(""),
)
_PLACE = re.compile(r"\.go(:[0-9]+)?$")


def goroutine_glob(node: Located) -> str:
    """A function's name as Go prints it, with * and ?; "created by NAME" is the one that created them.

    Raises ConfigError.
    """
    written = filled(node).strip()
    name = written[len(CREATED_BY) :].strip() if written.startswith(CREATED_BY) else written
    if _PLACE.search(name):
        raise node.error(f"{node.shown} is a place, not a function", _HINT)
    if not name or re.search(r"\s", name):
        raise node.error(f"{node.shown} is not a function of Go", _HINT)
    return written


def goroutine_globs(node: Located) -> tuple[str, ...]:
    """A list of them; raises ConfigErrors with all mistakes."""
    mistakes, found = Mistakes(), dict[str, None]()
    for item in items(node):
        with mistakes.kept():
            found[goroutine_glob(item)] = None
    mistakes.raise_all()
    return tuple(found)
