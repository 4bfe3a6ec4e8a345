"""The burden that `gomem selftest` hands to its runs."""

from __future__ import annotations

import pytest

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.instruments.injected_load import NO_BURDEN, VARIABLE, Burden, burden_of_environment, write_burden

BURDEN = Burden(0.05, {("t.py::test_a[x]", "api", "test"): 123, ("t.py::test_a[x]", "api", "steady"): 0})


def test_it_comes_back(tmp_path, monkeypatch):
    """What was written is read again; without the variable there is none."""
    write_burden(BURDEN, tmp_path / "burden.json")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "burden.json"))
    assert burden_of_environment() == BURDEN
    monkeypatch.delenv(VARIABLE)
    assert burden_of_environment() is NO_BURDEN


@pytest.mark.parametrize("text", ["{", "{}", '{"churn": "much", "retain": []}', '{"churn": 1, "retain": [1]}', None])
def test_a_damaged_one_is_named(tmp_path, monkeypatch, text):
    """A file that is none is an error that names the variable and the file."""
    path = tmp_path / "burden.json"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(ConfigError, match=rf"burden.json: {VARIABLE} names no burden"):
        burden_of_environment()
