"""What services publish of themselves: the Prometheus text format and expvar, from real recordings and worse."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.memstats import parse_expvar
from pytest_gomem.observe.published import SAMPLES, parse_prometheus

PAGE = (Path(__file__).parents[1] / "recorded" / "prometheus" / "client_golang-1.20.txt").read_text()
VARS = (Path(__file__).parents[1] / "recorded" / "expvar" / "go1.26.json").read_text()


def test_a_page_of_client_golang():
    """Every quantity of the Go and process collectors, exact to the byte; samples with labels are read over."""
    told = parse_prometheus(PAGE)
    assert set(told) == set(SAMPLES)
    assert (told["total_alloc"], told["heap_sys"], told["num_gc"]) == (470392, 8060928, 5)
    assert (told["pause_total"], told["cpu"], told["rss"]) == (0.000304711, 0.01, 11988992)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("", "none of the go_"),
        ("<html>404</html>", "line 1 is not of the Prometheus text format"),
        ("go_goroutines 5\ngo_goroutines 6", "line 2: go_goroutines is there twice"),
        ("go_goroutines NaN", "which is impossible"),
        ("go_goroutines -1", "which is impossible"),
        ("go_goroutines +Inf", "which is impossible"),
        ("go_goroutines 1.5", "which is impossible"),
        ("go_goroutines", "line 1 is not"),
        ("go_goroutines five", "line 1 is not"),
        ("go_goroutines 5 later", "line 1 is not"),
        ('go_goroutines{a="b 5', "line 1 is not"),
        ("go_goroutines{a=b} 5", "line 1 is not"),
        ("go_goroutines5", "line 1 is not"),
    ],
)
def test_bad_pages_are_refused(page, reason):
    """With the line and what is wrong there."""
    with pytest.raises(ObserveError, match=reason):
        parse_prometheus(page)


@pytest.mark.parametrize(
    "line",
    [
        "go_goroutines 5",
        "go_goroutines\t5\t1395066363000",
        "  go_goroutines 5e0 ",
        "go_goroutines{} 5\ngo_goroutines 5",
        'go_goroutines{a="x\\"y\\\\}",} 7\ngo_goroutines 5\r',
        "# go_goroutines 9\ngo_goroutines 5.0\n# EOF",
    ],
)
def test_every_spelling_of_a_sample(line):
    """White space, exponents, timestamps, comments; a sample with labels is another sample."""
    assert parse_prometheus(line) in ({"goroutines": 5}, {"goroutines": 5.0})


@given(st.text() | st.lists(st.sampled_from(PAGE.splitlines()), max_size=8).map("\n".join))
def test_anything_is_read_or_refused(page):
    """No page brings anything but figures or a reason."""
    with suppress(ObserveError):
        assert set(parse_prometheus(page)) <= set(SAMPLES)


@given(st.integers(0, len(PAGE) - 1), st.sampled_from(["\0", "{", '"', "\n", "-", "9"]))
def test_a_page_with_one_wrong_byte(at, wrong):
    """What is read of it are figures that can be."""
    try:
        told = parse_prometheus(PAGE[:at] + wrong + PAGE[at + 1 :])
    except ObserveError:
        return
    assert all(value >= 0 for value in told.values())


def test_expvar():
    """MemStats as the program published them, with the pauses of each cycle."""
    stats, pause_total = parse_expvar(VARS, 7.0)
    published = json.loads(VARS)["memstats"]
    assert (stats.t, stats.total_alloc, stats.num_gc) == (7.0, published["TotalAlloc"], published["NumGC"])
    assert sum(pause for _, pause, _ in stats.pauses) == pytest.approx(pause_total)
    assert stats.goroutines is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<html>", "is not JSON"),
        ("[]", "no MemStats of package expvar"),
        ("{}", "no MemStats of package expvar: KeyError"),
        ('{"memstats": 5}', "no MemStats"),
        (VARS.replace('"TotalAlloc":', '"TotalAlloc":-'), "TotalAlloc is -"),
        (VARS.replace('"NumGC":', '"NumGC":"'), "is not JSON"),
        (VARS.replace('"HeapSys":', '"HeapSys":0.5,"x":'), "HeapSys is 0.5"),
        (VARS.replace('"PauseNs":[', '"PauseNs":[1,'), "PauseNs and PauseEnd have 257"),
        ("[" * 100_000, "nested too deeply|is not JSON"),
    ],
)
def test_bad_variables_are_refused(text, reason):
    """In words."""
    with pytest.raises(ObserveError, match=reason):
        parse_expvar(text, 0.0)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["memstats", "NumGC", "PauseNs", "PauseTotalNs", "TotalAlloc"]), inner)
        ),
    )
)
def test_any_json_is_refused(value):
    """Whatever its shape."""
    with pytest.raises(ObserveError):
        parse_expvar(json.dumps(value), 0.0)
