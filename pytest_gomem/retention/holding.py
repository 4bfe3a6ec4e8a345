"""Who holds the memory of a running service now: a heap dump, taken and read at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.config.dump_limits import DumpLimits
from pytest_gomem.launch.launched import Built
from pytest_gomem.launch.overlay import AGENT_PREFIX
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.retention.dumping import heap_dump
from pytest_gomem.retention.model import Holder, Retention
from pytest_gomem.retention.places import with_short_files
from pytest_gomem.retention.reading import read_dump
from pytest_gomem.retention.symbols import symbols_of

LISTED = 100  # holders: more than anybody reads, so that those of two sides are found in each other's


def holders_now(agent: AgentClient, built: Built, limits: DumpLimits, keep: Path | None = None) -> Retention:
    """Take a dump and read it. keep: where to leave a copy, readable by this user alone.

    Raises GomemError with the reason.
    """
    with heap_dump(agent, limits) as dump:
        if keep is not None:
            _copy(dump, keep)
        return holders_in(dump, built, limits)


def holders_in(
    dump: Path, built: Built, limits: DumpLimits, base: Path | None = None, of: Collection[str] = ()
) -> Retention:
    """Read a dump of a binary, with the debug information that it may lack.

    base: an earlier dump of the process. of: globs over types whose holders are asked for, too.

    Raises GomemError with the reason.
    """
    note = ""
    try:
        symbols = symbols_of(built)
    except ObserveError as error:  # most types are still told by the program itself
        symbols, note = None, str(error)
    found = read_dump(dump, built.binary, base=base, symbols=symbols, limits=limits, most=LISTED, of=of)
    found = with_short_files(without_agent(found), built.info.module)
    return replace(found, notes=(*found.notes, note)) if note else found


def without_agent(found: Retention) -> Retention:
    """The same but for what our own code in the service holds."""
    types = {name: count for name, count in found.types.items() if not _is_ours(name)}
    return replace(found.with_holders(_not_ours), types=types)


def _not_ours(holders: Iterable[Holder]) -> Iterator[Holder]:
    return (holder for holder in holders if not any(map(_is_ours, (holder.name, holder.function))))


def _is_ours(name: str) -> bool:
    return name.replace("(*", "").startswith(AGENT_PREFIX)


def _copy(dump: Path, keep: Path) -> None:
    try:
        descriptor = os.open(keep, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ObserveError(f"the heap dump cannot be kept as {keep}: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as target, dump.open("rb") as source:
            shutil.copyfileobj(source, target)
    except BaseException as error:  # half of it is of no use, and as secret
        keep.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ObserveError(f"the heap dump cannot be kept as {keep}: {error.strerror}") from None
        raise
