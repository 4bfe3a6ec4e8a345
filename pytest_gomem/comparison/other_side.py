"""The base side's rounds of this run as the base of a comparison, and why some do not compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_gomem.comparison.base import Base, Finder, Found, NotCompared
from pytest_gomem.comparison.merged import incomparable, last_measurements, merged
from pytest_gomem.judge.conditions import OPENING_PROFILE
from pytest_gomem.judge.figures import figures_of
from pytest_gomem.measure.metric import Reading
from pytest_gomem.report.text import readings
from pytest_gomem.results.keys import Key
from pytest_gomem.results.window_record import BuildRecord, WindowRecord
from pytest_gomem.session.judging import Judging
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.service import Service

ONE_PROCESS = "its process is shared by many tests (go_service_session), and runs on one side alone: use go_service"
_SAME_PROCESS = "it is the same process on both sides: launch it by go_service, or by the test's own gomem"


def from_other_side(
    rounds: Sequence[Sequence[Measurement]],
    judging: Judging,
    lost: str,
    *,
    observed: Sequence[Mapping[Key, Measurement]] = (),
) -> Finder:
    """Finds the base of each window among those of the base side's rounds of this run.

    lost: why that side failed, "" if it did not. observed: the windows of its observed rounds.
    """
    silent = replace(judging, only_measures=True)
    measured = last_measurements(rounds)
    records = dict(zip(measured, merged([[m.record for m in one] for one in rounds], silent), strict=True))

    def find(key: Key, window: WindowRecord, last: Measurement) -> Found:
        if lost or not rounds:
            return NotCompared(lost) if lost else None
        if key not in records:
            return NotCompared(f"window '{window.name}' of {window.service} was not opened on the base side")
        if _is_same_process(last.service, measured[key].service):
            return NotCompared(_SAME_PROCESS)
        seen = tuple(figures_of(one[key].record.counted) for one in observed if key in one)
        return _base(window, replace(records[key], observed_rounds=seen))

    return find


def _base(window: WindowRecord, record: WindowRecord) -> Base | NotCompared:
    if why_not := unlike(window, record):
        return NotCompared(why_not, _lean(record))
    return Base(
        _lean(record),
        side_name(record.build, window.build),
        not_comparable={name: f"on the base side {why}" for name, why in incomparable(record).items()},
    )


def _lean(base: WindowRecord) -> WindowRecord:
    """The base window without what only failed windows show."""
    return replace(
        base,
        series={},
        log_tail="",
        verdicts=(),
        culprits=(),
        culprit_summaries={},
        cycles=(),
        histograms={},
        courses={},
    )


def _is_same_process(head: Service, base: Service) -> bool:
    """Whether both sides measured the same process: launched for many tests, or attached."""
    return head.process.identity == base.process.identity


def unlike(head: WindowRecord, base: WindowRecord) -> str:
    """Why the figures of the two sides do not compare, "" if they do."""
    ways = "the sides were measured in different ways: "
    if where := _alone(*(window.conditions.get("agent") == "yes" for window in (head, base))):
        return f"{ways}the agent is built into {where} alone"
    if where := _alone(*(OPENING_PROFILE in window.conditions for window in (head, base))):
        return f"{ways}a heap profile, which a budget asks for, could be taken at the window's opening on {where} alone"
    for name in ("live_heap", "alloc_bytes_per_op"):
        ours, theirs = _source(head, name), _source(base, name)
        if ours and theirs and ours != theirs:
            return f"{ways}{name} from {ours}, and on the base side from {theirs}"
    return ""


def _alone(head: bool, base: bool) -> str:
    """The only side that has it, "" if both or neither have it."""
    return "" if head == base else "this side" if head else "the base side"


def _source(window: WindowRecord, name: str) -> str:
    result = readings(window).get(name)
    return result.source if isinstance(result, Reading) else ""


def side_name(build: BuildRecord, other: BuildRecord) -> str:
    """The name of a side in a verdict; begins with the Go version if the sides differ in it."""
    if not build.go_version or not other.go_version or build.go_version == other.go_version:
        return build.ref
    versions = f"{build.go_version} (now {other.go_version})"
    return versions if build.ref in ("", build.go_version) else f"{versions}, {build.ref}"
