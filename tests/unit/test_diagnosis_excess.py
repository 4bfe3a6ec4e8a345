"""The excess of a failed verdict: how much a heap profile should show of it, and at which rate it is looked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_samples import verdict, window
from test_attribution_culprits import KIB, findings_of, heap, retained
from test_diagnosis_explanation import worse

from pytest_gomem.diagnosis.excess import (
    FINEST_KEPT,
    MOST_SAMPLES,
    ProfileRate,
    excess_of,
    explainable,
    lost,
    rate_for_excess,
    rate_to_keep,
    was_seen,
)
from pytest_gomem.measure.metric import Reading
from pytest_gomem.observe.effective import GO_PROFILE_RATE
from pytest_gomem.results.window_record import MetricValue
from pytest_gomem.stats.decision import Status

MB = 1_000_000


@pytest.mark.parametrize(
    ("broken", "excess"),
    [
        (verdict("live_heap", "1MB", 1.3e6), 0.3e6),
        (verdict("peak_heap", "1MB", 1.3e6), 0.3e6),
        (verdict("total_alloc", "2MB", 5e6), 3e6),
        (verdict("allocs", "10k", 15e3), 5e3),
        (worse("live_heap", 0.2e6), 0.2e6),
        # With GOGC=100 half of what a larger live heap adds to the RSS is garbage.
        (verdict("peak_rss", "10MB", 14e6), 2e6),
        (worse("end_rss", 3e6), 1.5e6),
        # A window has 1000 operations and lasts 10.2 s.
        (verdict("alloc_bytes_per_op", "1kB", 1500.0), 0.5e6),
        (worse("allocs_per_op", 4.0), 4e3),
        (verdict("heap_growth_per_op", "16B", 66.0), 50e3),
        (verdict("heap_growth", "1kB/s", 3000.0), 2000 * 10.2),
        (verdict("rss_growth", "1kB/s", 3000.0), 1000 * 10.2),
        # It grew by 5 kB/s; a limit that is reached in an hour, and not in a day, allows 1/24 of that.
        (verdict("time_to_limit", "24h", 3600.0, "min"), 5000 * 23 / 24 * 10.2),
        (replace(verdict("total_alloc", "1B", 1.0), actual=None), 0.0),
        (verdict("goroutines", "10", 12.0), 0.0),
    ],
)
def test_what_a_profile_should_show(broken, excess):
    """What exceeds a limit, or the worsening of a comparison, as the whole window's bytes or objects."""
    grown = MetricValue("heap_growth", "bytes/second", Reading(5000.0, "cycles", interval=(4900.0, 5100.0)))
    assert excess_of(broken, window(metrics=(grown,))) == pytest.approx(excess)


def test_what_can_be_explained():
    """Failed verdicts of the whole window: phases have no profile, and functions have an observed round anyway."""
    broken = verdict("live_heap", "1MB", 1.3e6)
    passed = verdict("peak_heap", "1MB", 0.3e6)
    phase = replace(broken, budget=replace(broken.budget, phase="fill"))
    function = replace(broken, budget=replace(broken.budget, metric="inuse_space", function="main.*"))
    unmeasured = replace(broken, status=Status.UNAVAILABLE)
    assert explainable(window(verdicts=(passed, broken, phase, function, unmeasured))) == (broken,)


@pytest.mark.parametrize(
    ("excess", "metric", "allocated", "rate", "sigma"),
    [
        (MB, "live_heap", 10 * MB, 900, 0.03),  # sqrt(900 / 1e6)
        (0.3 * MB, "peak_rss", 10 * MB, 270, 0.03),
        (2295, "live_heap", 10_000, 2, 0.03),  # sqrt(0.03**2 * 2295 / 2295) > 0.03
        (100, "live_heap", 10_000, 1, 0.1),  # no finer than every byte
        (MB, "live_heap", 2_000 * MB, 4000, 0.0632),  # 500 000 samples are the most
        (1000 * MB, "total_alloc", 2_000 * MB, None, 0.0229),  # the default is fine enough
        (MB, "live_heap", 400_000 * MB, None, 0.724),
        (10_000, "allocs", 10 * MB, 144, 0.03),  # objects of some 16 bytes
    ],
)
def test_the_rate_leaves_a_sigma_of_3_percent_or_as_much_as_the_samples_cost(excess, metric, allocated, rate, sigma):
    found = rate_for_excess(excess, metric, allocated)
    assert found.bytes == rate
    assert found.sigma == pytest.approx(sigma, rel=0.01)
    assert found.is_coarse == (sigma > 0.0305)


def test_the_finest_of_rates():
    """Go's own stands for one that nobody sets."""
    assert ProfileRate(None).finest == GO_PROFILE_RATE
    assert ProfileRate(4096).finest == 4096
    assert not ProfileRate(None).is_coarse


def test_a_profile_is_kept_as_fine_as_its_samples_may_cost():
    """What it will have to explain is not known yet. Of a tiny service it is fine enough for 100 kB."""
    assert rate_for_excess(100_000, "live_heap", 1000).finest >= FINEST_KEPT
    assert rate_to_keep(100 * MB) == 100 * MB // MOST_SAMPLES
    assert rate_to_keep(1000) == FINEST_KEPT
    assert rate_to_keep(GO_PROFILE_RATE * MOST_SAMPLES) is None


def test_an_excess_that_is_not_there_again_has_no_culprits():
    """A quarter of it is enough: the two rounds may differ."""
    found = findings_of("live_heap", heap(retained(KIB, 4096), rate=4096))
    assert was_seen(found, found.total_change * 3.9)
    assert not was_seen(found, found.total_change * 4.1)
    none = lost(found, 100e6)
    assert (none.culprits, none.is_lost, found.is_lost) == ((), True, False)
    assert none.nothing.endswith(" of the 100 MB")
