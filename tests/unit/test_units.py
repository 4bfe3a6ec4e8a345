"""Quantities: what is accepted, what is refused, and the way back into text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.units import (
    BYTES,
    BYTES_PER_OP,
    BYTES_PER_SECOND,
    COUNT,
    COUNT_PER_OP,
    PER_SECOND,
    RATIO,
    SECONDS,
    SECONDS_PER_OP,
    UNITS,
    Unit,
    format_value,
    parse_quantity,
)

ALL_UNITS = st.sampled_from(sorted(UNITS.values(), key=str))


@pytest.mark.parametrize(
    ("written", "unit", "value"),
    [
        ("1.8GB", BYTES, 1.8e9),
        ("1MiB", BYTES, 2.0**20),
        ("1 KB", BYTES, 1e3),
        ("1kB", BYTES, 1e3),
        ("1_000", BYTES, 1000.0),
        ("1.5e3", BYTES, 1500.0),
        (" 5 ms ", SECONDS, 0.005),
        ("2d", SECONDS, 172_800.0),
        ("1min", SECONDS, 60.0),
        ("10%", RATIO, 0.1),
        (0.1, RATIO, 0.1),
        (200, COUNT, 200.0),
        ("3k", COUNT, 3000.0),
        ("60MB/min", BYTES_PER_SECOND, 1e6),
        ("1MiB / s", BYTES_PER_SECOND, 2.0**20),
        ("7200/h", PER_SECOND, 2.0),
        ("30kB/op", BYTES_PER_OP, 30e3),
        ("12/op", COUNT_PER_OP, 12.0),
        ("5us/op", SECONDS_PER_OP, 5e-6),
        (0, BYTES, 0.0),
    ],
)
def test_a_quantity_is_read_in_base_units(written: object, unit: Unit, value: float) -> None:
    """Suffixes, rates and bare numbers all end up in the base unit, and the spelling is kept."""
    quantity = parse_quantity(written, unit)
    assert quantity.value == pytest.approx(value, rel=1e-12)
    assert str(quantity) == str(written).strip()


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("24MBnonsense", BYTES),
        ("1.2.3MB", BYTES),
        ("1.8 G B", BYTES),
        ("1_MB", BYTES),
        ("", BYTES),
        ("MB", BYTES),
        ("-5MB", BYTES),
        ("inf", BYTES),
        ("nan", BYTES),
        ("1e999", BYTES),
        ("٣MB", BYTES),
        ("1mb", BYTES),
        ("5ms", BYTES),
        ("5MB/s", BYTES),
        ("5MB/op", BYTES_PER_SECOND),
        ("5MB/s", BYTES_PER_OP),
        ("5/fortnight", PER_SECOND),
        ("1:30", SECONDS),
        (-1, BYTES),
        (10**400, BYTES),
        (math.inf, BYTES),
        (math.nan, BYTES),
        (True, COUNT),
        (None, BYTES),
        (["1MB"], BYTES),
    ],
)
def test_what_is_no_quantity_is_refused_by_name(written: object, unit: Unit) -> None:
    """Only a whole, finite, non-negative quantity of the unit passes, and the message repeats what was written."""
    with pytest.raises(ValueError, match=r".") as caught:
        parse_quantity(written, unit)
    assert repr(written) in str(caught.value)


def test_a_refusal_ends_in_linear_time() -> None:
    """A long run of digits with nonsense behind it is refused without backtracking through every way to split it."""
    with pytest.raises(ValueError, match="not a quantity"):
        parse_quantity("1" * 10_000 + "!/!", BYTES)


@given(st.text(max_size=12), ALL_UNITS)
def test_garbage_is_never_accepted(text: str, unit: Unit) -> None:
    """Whatever is accepted begins with a digit, ends in a known suffix or rate, and is finite and at least 0."""
    try:
        quantity = parse_quantity(text, unit)
    except ValueError:
        return
    amount = text.strip().split("/")[0].strip()
    assert amount[0] in "0123456789"
    assert amount[-1] in "0123456789" or any(amount.endswith(suffix) for suffix in unit.suffixes)
    assert math.isfinite(quantity.value)
    assert quantity.value >= 0


@given(st.floats(min_value=1e-6, max_value=1e14), ALL_UNITS)
def test_formatting_keeps_the_magnitude(value: float, unit: Unit) -> None:
    """The printed text, its prefix read back, lies within half a unit of the third digit of the value."""
    text = format_value(value, unit)
    assert _read_back(text, unit) == pytest.approx(value, rel=0.0051)


def _read_back(text: str, unit: Unit) -> float:
    """Read a printed value; counts print a prefix G that nobody may write."""
    number = text.split("/")[0].replace(" ", "")
    return parse_quantity(number[:-1], unit).value * 1e9 if number.endswith("G") else parse_quantity(number, unit).value


@given(st.integers(min_value=0, max_value=9999))
def test_small_whole_counts_print_exactly(count: int) -> None:
    """A count below 10^4 loses no digit."""
    assert format_value(float(count), COUNT) == str(count)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.8e9, BYTES, "1.80 GB"),
        (0.005, SECONDS, "5.00 ms"),
        (0.123, RATIO, "12.3%"),
        (0.00001, RATIO, "0.00100%"),
        (30_100.0, BYTES_PER_OP, "30.1 kB/op"),
        (0.0042, COUNT_PER_OP, "0.00420/op"),
        (999_960.0, BYTES, "1.00 MB"),
        (999.4, BYTES, "999 B"),
        (0.0, BYTES, "0 B"),
        (12_345.0, COUNT, "12.3k"),
        (-2e6, BYTES, "-2.00 MB"),
    ],
)
def test_a_value_prints_three_digits(value: float, unit: Unit, text: str) -> None:
    """Three significant digits under the largest fitting prefix; a small value never prints as nothing."""
    assert format_value(value, unit) == text


@given(st.floats(min_value=1e-12, max_value=1e15), ALL_UNITS)
def test_only_zero_prints_as_zero(value: float, unit: Unit) -> None:
    """A positive value never prints with only zeros."""
    assert any(digit in format_value(value, unit) for digit in "123456789")


def test_a_negative_zero_is_zero():
    """-0.0, which a subtraction may leave, prints as 0."""
    assert format_value(-0.0, COUNT) == "0"
    assert format_value(-0.0, BYTES) == "0 B"
