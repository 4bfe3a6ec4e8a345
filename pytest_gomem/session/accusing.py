"""Owns naming the culprits of a comparison: the heap profiles of a window against those of the other side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytest_gomem.attribution.between import culprits_between
from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.pprof.model import Profile
from pytest_gomem.report.culprits import COMPARED, summary
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.built import built_from
from pytest_gomem.session.culprits import accusable, counts_for
from pytest_gomem.session.pairs import Pairs
from pytest_gomem.session.reasons import Built, Reasons


def accused(
    window: WindowRecord,
    verdicts: tuple[Verdict, ...],
    pairs: Pairs,
    *,
    reasons: Reasons | None = None,
    built_base: Built | None = None,
) -> WindowRecord:
    """The window with the culprits of those of these verdicts that failed, or why nobody can be named.

    pairs: of the window with what it is compared with, whose profiles are asked about each metric.
    built_base: what the other side was built from, where its sources are at hand. reasons: None = nobody asks why.
    """
    judged = replace(window, verdicts=verdicts)
    named = accusable(judged, peaks_apart=pairs.keep_peaks)
    found = {metric: _found(metric, pairs, counts_for(metric, judged)) for metric in named}
    culprits = tuple(culprit for one, _ in found.values() for culprit in one)
    built, notes = built_from(pairs.new.service), tuple[str, ...]()
    if reasons is not None and built is not None and culprits:
        culprits, notes = reasons.explained(culprits, built, built_base)
    told = dict(window.culprit_summaries)
    for metric, (_, words) in found.items():  # a limit of the same metric may be broken too, and has words of its own
        told[metric] = f"{told[metric]}; {COMPARED}: {words}" if metric in told else words
    return replace(
        window,
        culprits=(*window.culprits, *culprits),
        notes=(*window.notes, *notes),
        culprit_summaries=told,
    )


def _found(metric: str, pairs: Pairs, counts: Callable[[Profile, bytes], bool]) -> tuple[tuple[Culprit, ...], str]:
    """The culprits, and the summary that says by which profiles; or nobody, and why."""
    try:
        pair, module = pairs.pair(metric), pairs.new.service.module
        found = culprits_between(metric, pair.new, pair.base, module, there=pairs.there, counts=counts)
    except ObserveError as error:
        return (), f"nobody can be named: {error}"
    return found.culprits, "; ".join(words for words in (summary(found), pair.which) if words)
