"""One line of the history: a window's figures and what they were measured on, as a record and as text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pytest_gomem.git.repository import Revision
from pytest_gomem.measure.metric import Reading
from pytest_gomem.report.json_parts import finite_only
from pytest_gomem.report.text import readings
from pytest_gomem.results.keys import by_window, numbered, ran_to_its_end
from pytest_gomem.results.leaves import LEAVES, CodecError
from pytest_gomem.results.public import PUBLIC_LEAVES, PublicCodec, Rules, Shown
from pytest_gomem.results.run_record import RunRecord
from pytest_gomem.results.window_record import WindowRecord, definitions

VERSION = 1
UNSAID = "none"  # the value of a condition that a line does not hold, such as a GOEXPERIMENT
_ENVIRONMENT = ("goos", "goarch", "kernel", "cpus", "page_size", "thp")


@dataclass(frozen=True)
class Entry:
    """What one window of one run measured.

    window: its name, "test#2" for the second of that name in a test. complete: its test ran to its end, so the figures
    are of the whole work. conditions: what figures compare by, as in baselines.
    facts: what else was recorded, such as the patch release of Go. metrics: medians in base units. rounds: the values
    of each round, if there were several. definitions: versions of metric definitions that are not 1.
    """

    time: datetime
    revision: Revision
    nodeid: str
    window: str
    service: str
    complete: bool
    conditions: Mapping[str, str]
    facts: Mapping[str, str]
    metrics: Mapping[str, float]
    units: Mapping[str, str]
    rounds: tuple[Mapping[str, float], ...] = ()
    definitions: Mapping[str, int] = field(default_factory=dict)


def entries_of(run: RunRecord, revision: Revision, time: datetime) -> Iterator[Entry]:
    """An entry for each window of a run."""
    for test in run.tests:
        for key, (window,) in by_window([test.windows]).items():
            measured = {name: result for name, result in readings(window).items() if isinstance(result, Reading)}
            yield Entry(
                time=time.replace(microsecond=0),
                revision=revision,
                nodeid=test.nodeid,
                window=numbered(key),
                service=window.service,
                complete=ran_to_its_end(test),
                conditions=window.conditions,
                facts=_facts(run, window),
                metrics={name: reading.value for name, reading in measured.items()},
                units={metric.name: metric.unit for metric in window.metrics if metric.name in measured},
                rounds=tuple(map(finite_only, window.rounds)),
                definitions={name: at for name, at in definitions(window).items() if name in measured},
            )


def _facts(run: RunRecord, window: WindowRecord) -> dict[str, str]:
    gc = {**window.gc.requested, **window.gc.effective}
    facts = {
        "go_version": window.build.go_version,
        "flags": " ".join(window.build.flags),
        **{f"gc.{name}": value for name, value in gc.items()},
        **{name: str(run.environment[name]) for name in _ENVIRONMENT if run.environment.get(name) is not None},
    }
    return {name: value for name, value in facts.items() if value}


_LINES = PublicCodec(
    {
        Entry: Rules(
            hidden=("revision",),
            shown={
                "history_version": Shown(int, lambda entry: VERSION),
                **{name: f"revision.{name}" for name in ("commit", "dirty", "branch")},
            },
            null={"commit": "", "branch": ""},
            read={"revision": lambda data: Revision(data["commit"] or "", data["branch"] or "", data["dirty"])},
        )
    },
    {**PUBLIC_LEAVES, float: PUBLIC_LEAVES[float]._replace(decode=LEAVES[float].decode, as_is=frozenset())},
)


def to_line(entry: Entry) -> str:
    """The entry as one line of strictly valid JSON, with its line end."""
    data = _LINES.encode(Entry, entry)
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def from_line(text: str) -> Entry:
    """The entry of a line that to_line wrote; raises ValueError, with a text for the user, for anything else."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON ({error})") from None
    version = data.get("history_version") if isinstance(data, dict) else VERSION
    if version != VERSION:
        raise ValueError(f"has history_version {version!r}, not {VERSION}")
    try:
        entry: Entry = _LINES.decode(Entry, data)
    except CodecError as error:
        raise ValueError(f"has wrong or missing fields ({error})") from None
    return entry


def with_definition(entries: Sequence[Entry], metric: str) -> Sequence[Entry]:
    """The entries; if they hold several versions of the metric's definition, it becomes one of their conditions.

    Figures of two definitions do not compare, as those of two releases of Go do not.
    """
    if len({entry.definitions.get(metric, 1) for entry in entries if metric in entry.metrics}) < 2:
        return entries
    name = f"definition of {metric}"
    return [
        replace(entry, conditions={**entry.conditions, name: str(entry.definitions.get(metric, 1))})
        for entry in entries
    ]
