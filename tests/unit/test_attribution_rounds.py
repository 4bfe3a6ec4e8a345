"""Several rounds a side: means of what each of them shows, with the uncertainty of a mean."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_attribution_culprits import ADD, HANDLE, KIB, MODULE, RATE, dropped, heap, retained

from pytest_gomem.attribution.between import culprits_between
from pytest_gomem.attribution.culprits import find_culprits

OTHER = ("main.other", "/srv/app/main.go", 30)
AGENT = ("main.pytestGomemReply", "/srv/app/0_pytest_gomem_agent.go", 90)


def between(head, base):
    return culprits_between("live_heap", head, base, MODULE, there="on the base side")


def test_several_rounds_of_the_same_are_one_with_a_narrower_interval():
    """Figures stay, and n rounds leave the nth part of the variance."""
    one, before = heap(retained(KIB, 4000)), heap(retained(KIB, 1000))
    single, several = (find_culprits("live_heap", (one,) * n, (before,) * n, MODULE).culprits[0] for n in (1, 4))
    assert (several.before, several.after, several.share) == (single.before, single.after, single.share)
    assert several.interval == pytest.approx(single.interval / 2, rel=0.001)
    single, several = (between((one,) * n, (before,) * n).culprits[0] for n in (1, 4))
    assert (several.before, several.after) == (single.before, single.after)
    assert several.interval == pytest.approx(single.interval / 2, rel=0.001)


_round = st.tuples(*[st.integers(0, 500)] * 2)


def rounds_of(counts):
    """Profiles in which two lines hold so many KiB."""
    lines = (ADD, OTHER)
    return [heap(*(retained(KIB, n, line) for line, n in zip(lines, one, strict=True)), rate=1) for one in counts]


@given(st.lists(st.tuples(_round, _round), min_size=1, max_size=4), st.lists(_round, min_size=1, max_size=4))
def test_figures_are_means(pairs, base):
    """A line that a round does not show counts as 0 in it; the two sides need not have as many rounds."""
    before, after = ([pair[at] for pair in pairs] for at in (0, 1))
    found = find_culprits("live_heap", rounds_of(after), rounds_of(before), MODULE)
    means = [[KIB * sum(one[at] for one in side) / len(side) for at in (0, 1)] for side in (before, after, base)]
    for culprit in found.culprits:
        at = (ADD[0], OTHER[0]).index(culprit.function)
        assert (culprit.before, culprit.after) == (round(means[0][at]), round(means[1][at]))
    assert found.total_change == pytest.approx(sum(means[1]) - sum(means[0]), abs=2)
    assert between(rounds_of(after), rounds_of(base)).total_change == pytest.approx(
        sum(means[1]) - sum(means[2]), abs=2
    )


def test_the_total_is_net_of_what_shrank_and_of_the_measuring():
    """What all lines together have more than before, growth or not; the agent's own is nobody's."""
    new = heap(retained(KIB, 900), retained(KIB, 100, OTHER), retained(KIB, 7777, AGENT), rate=1)
    old = heap(retained(KIB, 500), retained(KIB, 300, OTHER), retained(KIB, 1, AGENT), rate=1)
    for found in (find_culprits("live_heap", (new,), (old,), MODULE), between((new,), (old,))):
        assert (found.total_change, found.growth) == (200 * KIB, 400 * KIB)
    gone = between((heap(rate=1),), (old,))
    assert gone.total_change == -800 * KIB


def test_the_total_is_as_uncertain_as_all_samples_together():
    """However many lines they are spread over."""
    spread = heap(*(retained(KIB, 4, (f"main.f{n}", "", n)) for n in range(1, 101)))
    one = heap(retained(KIB, 400))
    for profile in (spread, one):
        assert find_culprits("live_heap", (profile,), None, MODULE).total_sigma == pytest.approx(
            math.sqrt(401 * RATE * RATE), rel=0.01
        )


@pytest.mark.parametrize("rates", [(RATE,), (RATE, RATE, RATE), (RATE, 16 * KIB), (16 * KIB, RATE, 4 * KIB)])
def test_the_truth_lies_in_the_interval_of_a_mean(rates):
    """Of 300 times that 13 MB are sampled in so many rounds, at rates that differ, no more than 7% of intervals fail.

    That is so for the line, which also may have no sample in the coarse round, and for the total.
    """
    chance, size, count = random.Random(7), 16 * KIB, 800
    missed = missed_total = 0
    for _ in range(300):
        rounds = []
        for rate in rates:
            found = sum(chance.random() < -math.expm1(-size / rate) for _ in range(count))
            rounds.append(heap(*([retained(size, found)] if found else []), rate=rate))
        findings = find_culprits("live_heap", rounds, None, MODULE)
        change, interval = next(((c.change, c.interval) for c in findings.culprits), (0, 0))
        missed += abs(change - size * count) > interval
        missed_total += abs(findings.total_change - size * count) > 2 * findings.total_sigma
    assert missed <= 21
    assert missed_total <= 21


def test_a_mean_shows_what_a_single_round_leaves_in_the_noise():
    """Four samples may be chance, also of two rounds; three in each of three rounds are not."""
    one = heap(retained(KIB, 3))
    assert find_culprits("live_heap", (one,), None, MODULE).culprits == ()
    nothing = find_culprits("live_heap", (one, heap(retained(KIB, 1))), None, MODULE).nothing
    assert nothing.endswith("is within the noise of 2 profiles that take one sample in 524 kB")
    assert find_culprits("live_heap", (one,) * 3, None, MODULE).culprits[0].function == ADD[0]


def test_callers_are_those_of_most_growth_in_all_rounds_and_what_is_left_is_of_all():
    """One round alone may show another way, or less churn."""
    rounds = [
        heap(retained(KIB, 100, ADD, OTHER), retained(KIB, 150, ADD, HANDLE)),
        heap(retained(KIB, 100, ADD, OTHER), dropped(KIB, 100, ADD, OTHER)),
    ]
    culprit = find_culprits("total_alloc", rounds, None, MODULE).culprits[0]
    assert culprit.callers[0].function == OTHER[0]
    assert culprit.reason.endswith("of which 77.8% is still live")


def test_each_round_needs_its_own_earlier_profile():
    """A process is compared with itself."""
    one = heap(retained(KIB, 100))
    with pytest.raises(ValueError, match="zip"):
        find_culprits("live_heap", (one, one), (one,), MODULE)
