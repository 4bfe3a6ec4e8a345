"""Culprits between two versions of the code: lines move, and the samples of two processes are independent."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from test_attribution_culprits import HANDLE, KIB, MODULE, heap, retained

from pytest_gomem.attribution.between import culprits_between
from pytest_gomem.judge.functions import Asked, counting


def line(number: int, function: str = "main.add") -> tuple[str, str, int]:
    return function, "/srv/app/logs.go", number


def held(*lines: tuple[int, int], function: str = "main.add", rate: int = 1):
    """A profile in which these lines (number, objects of 1 KiB) hold memory."""
    return heap(*(retained(KIB, count, line(number, function), HANDLE) for number, count in lines), rate=rate)


def between(new, base, there="on the base side"):
    return culprits_between("live_heap", (new,), (base,), MODULE, there=there)


def found(new, base) -> list[tuple[str, int, int]]:
    """Function, line and growth in KiB of each culprit."""
    culprits = between(new, base).culprits
    return [(c.function, c.line, c.change // KIB) for c in culprits]


def test_lines_that_moved_are_not_new():
    """An edit further up moves every line; what holds as much as before holds no more."""
    base = held((10, 500), (12, 300))
    assert found(held((20, 500), (22, 300)), base) == []
    assert found(held((20, 500), (22, 300), (25, 40)), base) == [("main.add", 25, 40)]
    assert found(held((15, 40), (20, 500), (22, 300)), base) == [("main.add", 15, 40)]


def test_a_line_beside_an_equal_one_is_all_new():
    """Of two explanations of the same size, the one that leaves equal lines equal."""
    assert found(held((10, 300), (12, 500)), held((10, 300))) == [("main.add", 12, 500)]


def test_a_line_that_grew_is_told_from_its_neighbours():
    """The growth belongs to the line whose like on the base side held less, wherever it stands now."""
    base = held((10, 500), (12, 300), (14, 20))
    assert found(held((11, 500), (13, 700), (15, 20)), base) == [("main.add", 13, 400)]


def test_a_line_that_is_one_more_is_named_if_its_function_grew():
    """A line had no sample, was split, or went: which is whose like is a guess, and one of them looks new."""
    rate = 512 * KIB
    base = held((10, 200), rate=rate)
    assert found(held((10, 100), (11, 100), rate=rate), base) == []
    assert found(held((10, 20), (11, 20), rate=rate), held((10, 30), rate=rate)) == []
    for less, more in ((190, 30), (200, 3000)):
        assert [at for _, at, _ in found(held((10, less), (11, more), rate=rate), base)] == [11]


def test_among_many_lines_chance_names_none():
    """Each line of a hundred functions scatters by itself: one that is 2.5 sigmas more is expected, one of 5 is not."""

    def many(first: int):
        lines = [retained(KIB, first if not at else 100, line(10, f"main.f{at}"), HANDLE) for at in range(100)]
        return heap(*lines, rate=512 * KIB)

    base = many(100)
    assert between(many(137), base).culprits == ()
    assert [c.function for c in between(many(180), base).culprits] == ["main.f0"]
    alone = held((10, 100), rate=512 * KIB)
    assert found(held((10, 137), rate=512 * KIB), alone) != []


def test_a_function_that_grew_in_many_lines_is_told():
    """None of them has a tenth of the growth. What its other lines lost counts against it."""
    lines = [(n, 30) for n in range(1, 13)]
    new, base = held(*lines), held((99, 60))
    assert between(new, base).nothing == (
        "no single line has 10% of the growth of 338 kB, in 1 function; "
        "of the functions main.add has most: 91%, in 12 lines"
    )


def test_a_line_that_went_takes_no_growth_away():
    """Memory that moved into another function is that function's growth; what shrank is nobody's."""
    base = heap(retained(KIB, 800, line(10), HANDLE), rate=1)
    new = heap(retained(KIB, 900, line(10, "main.cache"), HANDLE), rate=1)
    culprit = between(new, base).culprits[0]
    assert (culprit.function, culprit.before, culprit.is_between) == ("main.cache", 0, True)
    assert culprit.reason == "allocated 922 kB of the live heap, and nothing on the base side"
    assert culprit.callers[0].function == "main.handle"


def test_the_uncertainty_is_of_both_sides():
    """Two processes are sampled independently: the variance of the difference is the sum, and decides who is named."""
    rate = 512 * KIB
    new, base = held((10, 400), rate=rate), held((10, 300), rate=rate)
    culprit = between(new, base).culprits[0]
    sigmas = [math.sqrt((count + 1) * rate * rate) for count in (400, 300)]
    assert math.isclose(culprit.interval, 2 * math.hypot(*sigmas), rel_tol=0.01)
    close = between(held((10, 320), rate=rate), base)
    assert close.culprits == ()
    assert "within the noise of 2 profiles that take one sample in 524 kB" in close.nothing


def test_equal_sides_accuse_nobody():
    """Without growth the reason says so."""
    same = held((10, 300))
    assert "no line has more of the live heap" in between(same, same).nothing


def test_where_samples_show_no_growth_their_rate_is_told():
    """What a figure says and the profiles do not may lie between two samples."""
    for rate, words in ((524_288, "524 kB"), (512, "512 B")):
        same = held((1, 100), rate=rate)
        assert between(same, same).nothing.endswith(f"that take one sample in {words}")


def test_the_other_side_is_called_what_it_is():
    """A line that is new, one that grew, and that there is none: all speak of the baseline where it is one."""
    base, new = held((10, 300)), held((10, 400), (20, 40))
    grown, fresh = between(new, base, there="in the baseline").culprits
    assert grown.reason == "allocated 102 kB more of the live heap than in the baseline"
    assert fresh.reason == "allocated 41.0 kB of the live heap, and nothing in the baseline"
    assert (
        "no line has more of the live heap than in the baseline" in between(base, new, there="in the baseline").nothing
    )


_counts = st.lists(st.integers(1, 500), min_size=0, max_size=5)


@given(_counts, _counts)
def test_growth_balances(new, base):
    """However lines are matched, all that grew less all that shrank is the difference of the two sides."""
    after, before = (held(*((10 + at, count) for at, count in enumerate(side)), (99, 1)) for side in (new, base))
    findings = between(after, before)
    assert findings.growth >= max(sum(new) - sum(base), 0) * KIB
    assert findings.growth <= sum(new) * KIB


def test_only_the_stacks_of_a_budget_are_looked_at():
    """A budget on functions accuses nobody else, however much others have grown."""
    rows = [(KIB, 10, line(1)), (KIB, 900, line(2, "main.other"))]
    new = heap(*(retained(size, 3 * count, where, HANDLE) for size, count, where in rows), rate=1)
    base = heap(*(retained(size, count, where, HANDLE) for size, count, where in rows), rate=1)
    takes = counting(Asked("inuse_space", "main.add", False))
    found = culprits_between("inuse_space", (new,), (base,), MODULE, there="on the base side", counts=takes)
    assert [(c.function, c.change // KIB, c.share) for c in found.culprits] == [("main.add", 20, 1.0)]
