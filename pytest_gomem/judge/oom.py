"""The verdict on a kill at the memory limit, in words: limit, moment, request and last heap."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_gomem.base.units import BYTES, SECONDS, Quantity, format_value
from pytest_gomem.cgroup.reading import SIMULATED
from pytest_gomem.config.gc_settings import go_bytes
from pytest_gomem.config.memory_limit import MEMORY_LIMIT
from pytest_gomem.judge.verdict import Verdict, unasked
from pytest_gomem.measure.oom_kill import OomKill
from pytest_gomem.stats.decision import Status

OOM = "oom"  # the kind of the verdict; its metric is memory_limit
_LONGEST_REQUEST = 120


def oom_verdicts(found: OomKill | None) -> tuple[Verdict, ...]:
    """The verdict, which fails; none without a kill."""
    if found is None:
        return ()
    limit = Quantity(found.limit, BYTES, go_bytes(found.limit))
    budget = unasked(MEMORY_LIMIT, "the memory limit of the service")
    return (Verdict(budget, limit, OOM, float(found.limit), Status.FAIL, over=0.0, reason=oom_words(found)),)


def oom_words(found: OomKill) -> str:
    """Such as "killed at the memory limit of 256MiB after 41.0 s, during GET /leak (request 1204 of the window)"."""
    limit = f"the memory limit of {go_bytes(found.limit)}"
    if found.after is None:
        other = f"another process of the service was killed at {limit}"
        return f"{other}, not the one that is measured; no profile shows what it held"
    when = f"after {format_value(found.after, SECONDS)}"
    clauses = [", ".join((when, *_doing(found))), *_heap(found)]
    who = "killed by pytest-gomem, which simulates a kernel," if found.by == SIMULATED else "killed"
    return f"{who} at {limit} {'; '.join(clauses)}"


def _doing(found: OomKill) -> Iterator[str]:
    request = found.request
    if request is None:
        return
    if len(request) > _LONGEST_REQUEST:
        request = f"{request[:_LONGEST_REQUEST]}..."
    if not request:
        yield "while no get(), post() or load() was on its way"
    elif found.number is not None:
        yield f"during {request} (request {found.number} of the window)"
    else:
        yield f"during a load of {request} ({found.answered} of {found.asked} requests were answered)"


def _heap(found: OomKill) -> Iterator[str]:
    if found.live_heap is None:
        yield "no GC cycle ended in the window"
    else:
        yield f"live heap {format_value(found.live_heap, BYTES)} at cycle {found.cycle}"
