"""Which loads count as done."""

from __future__ import annotations

import pytest

from pytest_gomem.base.errors import LoadError
from pytest_gomem.load.failures import judge_load
from pytest_gomem.load.spec import LoadRecord


def record(requests=100, errors=0, *, statuses=None, asked=None, achieved=None):
    return LoadRecord(
        requests=requests,
        errors=errors,
        duration=1.0,
        latencies=(0.001,) * (requests - errors),
        rate_asked=asked,
        statuses=statuses if statuses is not None else (("200", requests - errors),),
        rate_achieved=achieved,
    )


def test_a_clean_load_passes():
    """No errors and the rate asked for: nothing is raised."""
    judge_load(record(asked=50.0, achieved=50.0), allow_errors=False, allow_missed_rate=False)


def test_errors_fail_with_their_counts_largest_first():
    """The error names how many failed of how many, by kind, and not the requests that succeeded."""
    failing = record(1000, 12, statuses=(("200", 988), ("503", 10), ("timeout", 2)))
    with pytest.raises(LoadError) as caught:
        judge_load(failing, allow_errors=False, allow_missed_rate=False)
    assert str(caught.value).startswith("12 of 1000 requests failed: 10 x 503, 2 x timeout\n")
    assert "these figures mean nothing" in str(caught.value)


def test_what_was_not_sent_any_more_is_told():
    """After timeouts the rest of fixed work is left out."""
    with pytest.raises(LoadError, match=r"2 of 7 requests failed: 2 x timeout\n  93 more were not sent"):
        judge_load(record(7, 2, statuses=(("200", 5), ("timeout", 2))), False, False, unsent=93)


@pytest.mark.parametrize(
    ("statuses", "hinted"),
    [
        ((("no HTTP/1.1 came back", 10),), True),
        ((("closed without an answer", 9), ("connection reset", 1)), True),
        ((("200", 1), ("closed without an answer", 9)), False),
        ((("timeout", 10),), False),
    ],
)
def test_a_port_of_another_protocol_is_suspected(statuses, hinted):
    """Where every request was hung up on, and only there."""
    with pytest.raises(LoadError) as caught:
        judge_load(record(10, 9, statuses=statuses), allow_errors=False, allow_missed_rate=False)
    assert ("Does this port speak HTTP/1.1? For gRPC use a client of your own" in str(caught.value)) == hinted


def test_allowed_errors_pass():
    """allow_errors lets a failing load through."""
    judge_load(record(10, 10, statuses=(("500", 10),)), allow_errors=True, allow_missed_rate=False)


@pytest.mark.parametrize("asked", [1.0, 3.0, 50.0, 300.0, 1000.0])
def test_a_rate_is_missed_by_more_than_two_percent(asked):
    """98 of 100 planned requests keep the rate, 97 do not."""
    judge_load(record(98, asked=asked, achieved=asked * 98 / 100), allow_errors=False, allow_missed_rate=False)
    short = record(97, asked=asked, achieved=asked * 97 / 100)
    with pytest.raises(LoadError, match=f"asked for {asked:.6g} requests/s, achieved {asked * 0.97:.6g}"):
        judge_load(short, allow_errors=False, allow_missed_rate=False)
    judge_load(short, allow_errors=False, allow_missed_rate=True)


def test_both_faults_are_told_at_once():
    """Failed requests do not hide a missed rate."""
    bad = record(50, 50, statuses=(("timeout", 50),), asked=100.0, achieved=50.0)
    with pytest.raises(LoadError, match=r"(?s)50 of 50 requests failed.*asked for 100 requests/s, achieved 50"):
        judge_load(bad, allow_errors=False, allow_missed_rate=False)
