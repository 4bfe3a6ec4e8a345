"""Whether a failed test runs again to find the cause: what refuses it, and how many of a run do."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_gomem.plugin.diagnosing import note_deadline, refusals


def item(attempt: int | None = None, reruns: int | None = None) -> SimpleNamespace:
    """A test; attempt: which it is of those that pytest-rerunfailures makes, if that is there."""
    plugin = SimpleNamespace(get_reruns_count=lambda item: reruns)
    manager = SimpleNamespace(getplugin=lambda name: None if attempt is None else plugin)
    counted = {} if attempt is None else {"execution_count": attempt}
    return SimpleNamespace(stash=pytest.Stash(), config=SimpleNamespace(pluginmanager=manager), **counted)


def refusal(tmp_path, *, most: int = 20, seconds: float = 1.0, **test) -> str:
    return refusals(item(**test), most, lambda: tmp_path)(seconds)


def test_a_run_diagnoses_so_many_tests_in_all_its_processes(tmp_path):
    """Each asks for itself; what they share is a folder."""
    assert [refusal(tmp_path, most=2) for _ in range(2)] == ["", ""]
    assert refusal(tmp_path, most=2) == "2 failed tests of this run were diagnosed before it (--gomem-diagnose=2)"
    assert refusal(tmp_path / "other", most=1) == ""
    assert refusal(tmp_path / "other", most=1).startswith("1 failed test of this run was diagnosed before it (")


def test_where_the_diagnosis_is_off_nothing_is_shared(tmp_path):
    assert refusal(tmp_path, most=0) == "the diagnosis is off (--gomem-diagnose=off)"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("attempt", "reruns", "is_diagnosed"), [(1, 2, False), (2, 2, False), (3, 2, True), (1, 0, True), (1, None, True)]
)
def test_of_several_attempts_the_last_one_is_diagnosed(tmp_path, attempt, reruns, is_diagnosed):
    """The others take none of the run's diagnoses."""
    found = refusal(tmp_path, attempt=attempt, reruns=reruns)
    assert (found == "") is is_diagnosed
    assert is_diagnosed or "only its last attempt is diagnosed" in found
    assert bool(list(tmp_path.iterdir())) is is_diagnosed


def test_two_rounds_must_fit_before_pytest_timeout_ends_the_test(tmp_path):
    one = item()
    ask = refusals(one, 20, lambda: tmp_path)
    note_deadline(one, 100.0)
    assert ask(49.0) == ""
    assert ask(51.0).startswith("a round takes about 51 s, and pytest-timeout leaves 100 s")
    note_deadline(one, -3.0)
    assert "leaves 0 s" in ask(1.0)
