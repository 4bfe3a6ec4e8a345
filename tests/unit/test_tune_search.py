"""A search for settings finds the answer in few runs, and says so where there is none."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tuned_services import MIB, Formula, searched

from pytest_gomem.tune.records import Answer, Bound, Ended, Find, Plan, Question, RunResult, Setting
from pytest_gomem.tune.search import answer_so_far, next_step
from pytest_gomem.tune.table import comfortable, setting_of

LIMIT = Question(Find.LIMIT)
LARGE = Formula()
SMALL = Formula(live=12, outside=5, allocated=2000, kills=(20, 24), thrashes=25, cpu=0.2, per_cycle=0.0022)
FLAT = Formula(per_cycle=0.002)


def smallest(service: Formula, question: Question, times: float = 1.25) -> float:
    """The answer to the question, in MiB, by the formula."""
    most, size = times * service.cost(comfortable(question)), 600.0
    while size > max(service.kills[1], service.thrashes):
        if service.cost(setting_of(question, int(size * MIB))) > most:
            break
        size -= 0.5
    return size


@pytest.mark.parametrize("service", [LARGE, SMALL, FLAT], ids=["large", "small", "flat"])
@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_the_smallest_limit(service, noise):
    """Within a step of the truth or, as cycles are whole, of the next whole one, clear of what died; and all lines."""
    service = replace(service, noise=noise)
    for seed in range(2):
        answer, results = searched(LIMIT, service.run, seed)
        assert answer.needs_rounds == 0, answer.reason
        assert answer.setting is not None
        died = max(result.setting.memory_limit for result in results if result.ended is not Ended.OK)
        right = max(smallest(service, LIMIT) * MIB, 1.15 * died)
        assert answer.setting.memory_limit == pytest.approx(right, rel=0.05 + noise)
        assert answer.setting.memory_limit >= 1.1 * died
        assert answer.setting == setting_of(LIMIT, answer.setting.memory_limit)
        assert answer.confirmed >= 5
        assert service.cost(answer.setting) <= service.cost(comfortable(LIMIT)) * 1.25 * (1 + noise)
        assert len(results) <= 50
        low, high = service.kills
        assert low * MIB < answer.killed_below <= high * 1.05 * MIB
        assert answer.thrashing_below * 0.95 <= service.thrashes * MIB / 0.9 <= answer.thrashing_below * 1.01
        assert answer.comfortable_above == answer.setting.memory_limit


@pytest.mark.parametrize("noise", [0.2, 0.3])
def test_much_noise_is_said(noise):
    """An answer that is given all the same breaks the bound by less than the noise."""
    said = 0
    for seed in range(2):
        answer, results = searched(LIMIT, replace(LARGE, noise=noise).run, seed)
        said += answer.needs_rounds > 0
        if not answer.needs_rounds and answer.setting is not None:
            assert LARGE.cost(answer.setting) <= LARGE.cost(comfortable(LIMIT)) * 1.25 * (1 + noise)
        assert "noisy" in answer.reason or answer.needs_rounds == 0 or "would make sure" in answer.reason
        assert len(results) <= LIMIT.most_runs
    assert said


def test_the_cheapest_setting_under_a_limit():
    """GOGC off where collections are what costs; GOGC as it is where fresh memory costs more than they do."""
    question = Question(Find.SETTING, limit=300 * MIB)
    answer, results = searched(question, LARGE.run)
    assert answer.setting == Setting("off", 285 * MIB, 300 * MIB)
    assert "less CPU per op" in answer.reason
    assert answer.confirmed >= 5
    assert len(results) <= 20
    touching = replace(SMALL, per_cycle=0.0001, per_mib=0.002)
    answer, _ = searched(question, touching.run)
    assert answer.setting == Setting(None, 270 * MIB, 300 * MIB)
    assert "no more memory" in answer.reason


def test_a_limit_that_nothing_survives():
    """Each share of the limit is tried; what ended the last one is said."""
    answer, _ = searched(Question(Find.SETTING, limit=100 * MIB), LARGE.run)
    assert answer.setting is None
    assert answer.reason == "no setting works under 100 MiB: killed at the memory limit"


def test_gomemlimit_for_a_memory_use():
    """The largest that keeps the memory, with GOGC off; the smallest that keeps the CPU, with GOGC as it is."""
    question = Question(Find.GOMEMLIMIT, bounds=(Bound("peak_rss", 200.0 * MIB),))
    answer, _ = searched(question, LARGE.run)
    assert answer.setting is not None
    assert (answer.setting.gogc, answer.setting.memory_limit) == ("off", "off")
    assert answer.setting.gomemlimit == pytest.approx(200 * MIB, rel=0.07)
    assert answer.comfortable_above is None
    question = Question(Find.GOMEMLIMIT)
    answer, _ = searched(question, LARGE.run)
    assert answer.setting is not None
    assert answer.setting.gogc is None
    assert answer.setting.gomemlimit == pytest.approx(smallest(LARGE, question) * MIB, rel=0.07)


def test_bounds_that_contradict():
    """Too little memory for the CPU that is asked for."""
    bounds = (Bound("cpu_per_op", 1.05, relative=True), Bound("peak_rss", 150.0 * MIB))
    answer, _ = searched(Question(Find.GOMEMLIMIT, bounds=bounds), LARGE.run)
    assert answer.setting is None
    assert "keeps cpu_per_op<=1.05x and peak_rss<=" in answer.reason


def test_an_absolute_bound():
    """Latency, which scatters more than CPU."""
    cost = LARGE.cost(comfortable(LIMIT))
    question = Question(Find.LIMIT, bounds=(Bound("latency_p99", 0.02 * cost * 1.5),))
    answer, _ = searched(question, LARGE.run)
    assert answer.setting is not None
    assert answer.setting.memory_limit == pytest.approx(smallest(LARGE, LIMIT, 1.5) * MIB, rel=0.1)
    broken = Question(Find.LIMIT, bounds=(Bound("latency_p99", 0.02 * cost * 0.5, written="latency_p99<=5ms"),))
    answer, _ = searched(broken, LARGE.run)
    assert answer.reason == "latency_p99<=5ms is broken with memory to spare already: no limit keeps it"


def after(question: Question, *results: RunResult) -> str:
    answer = next_step(question, results)
    assert isinstance(answer, Answer)
    assert answer.setting is None
    return answer.reason


def test_what_cannot_be_answered():
    """Nothing is run for it, or no more than one run with memory to spare."""
    own = comfortable(LIMIT)
    assert "a pause scatters" in after(Question(Find.LIMIT, bounds=(Bound("gc_pause_max", 0.01),)))
    few = RunResult(own, Ended.OK, {"gc_cycles": 4, "cpu_per_op": 1.0})
    assert after(LIMIT, few).endswith("let the test do 3 times the work")
    assert "4 GC cycles" in after(LIMIT, few)
    none = RunResult(own, Ended.OK, {"cpu_per_op": 1.0}, missing={"gc_cycles": "the binary is prebuilt"})
    assert "the binary is prebuilt" in after(LIMIT, none)
    no_cpu = RunResult(own, Ended.OK, {"gc_cycles": 40, "cpu_per_op": float("nan")})
    assert "cpu_per_op was not measured" in after(LIMIT, no_cpu)
    failed = RunResult(own, Ended.FAILED, why="assert 1 == 2")
    assert isinstance(next_step(LIMIT, [failed]), Plan)
    assert after(LIMIT, failed, failed) == "the test does not pass with memory to spare: assert 1 == 2"


def test_the_budget():
    """No run begins that would end after it; what is known by then is the answer, and what is missing."""
    question = Question(Find.LIMIT, budget_seconds=12.0)
    answer, results = searched(question, LARGE.run)
    assert sum(result.seconds for result in results) <= 12
    assert answer.reason.startswith("the budget of 12 s is spent: ")
    assert answer.setting is not None
    answer, results = searched(replace(LIMIT, most_runs=2), LARGE.run)
    assert answer.setting is None
    assert len(results) == 1


def test_a_search_is_a_function_of_its_results():
    """Broken off after any run it goes on as if it had not been; and it can be asked at any time."""
    whole, results = searched(LIMIT, LARGE.run)
    step, at = next_step(LIMIT, ()), 0
    while isinstance(step, Plan):
        assert step.left >= len(step.settings)
        assert step.settings == tuple(result.setting for result in results[at : at + len(step.settings)])
        at += len(step.settings)
        step = next_step(LIMIT, results[:at])
    assert step == whole
    chance = random.Random(1)
    broken_off = results[:7]
    while isinstance(step := next_step(LIMIT, broken_off), Plan):
        broken_off.append(LARGE.run(step.settings[0], chance))
    assert step.setting is not None
    assert whole.setting is not None
    assert step.setting.memory_limit == pytest.approx(whole.setting.memory_limit, rel=0.1)
    stopped = answer_so_far(LIMIT, results[:20], "you stopped it")
    assert stopped.reason.startswith("you stopped it")
    assert stopped.setting is not None
    assert answer_so_far(LIMIT, results, "you stopped it") == whole


FIGURES = st.dictionaries(
    st.sampled_from(["cpu_per_op", "gc_cycles", "peak_rss", "live_heap", "latency_p99"]),
    st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 1e10),
)


@given(
    data=st.data(),
    find=st.sampled_from(list(Find)),
    bounds=st.lists(
        st.sampled_from([Bound("cpu_per_op", 1.25, True), Bound("peak_rss", 2e8), Bound("error_rate", 0.0)]), max_size=2
    ),
    gogc=st.sampled_from([None, 50, 400, "off"]),
)
def test_strange_results(data, find, bounds, gogc):
    """Whatever the runs show, the search ends with an answer, within its runs."""
    question = Question(find, 300 * MIB, tuple(bounds), most_runs=40, gogc=gogc)

    def run(setting: Setting, chance: random.Random) -> RunResult:
        ended = data.draw(st.sampled_from([*Ended, Ended.OK, Ended.OK, Ended.OK]))
        return RunResult(setting, ended, data.draw(FIGURES) | ({"gc_cycles": 40.0} if data.draw(st.booleans()) else {}))

    answer, results = searched(question, run)
    assert answer.reason
    assert len(results) <= 40


@settings(max_examples=max(settings.default.max_examples // 4, 1))
@given(kills=st.floats(0, 600), thrashes=st.floats(0, 300), live=st.floats(1, 300), seed=st.integers(0, 99))
def test_strange_services(kills, thrashes, live, seed):
    """An answer is a size that works, above all that were seen not to."""
    service = Formula(live=live, kills=(kills, kills + 20), thrashes=thrashes)
    answer, results = searched(LIMIT, service.run, seed)
    if answer.setting is not None:
        assert isinstance(answer.setting.memory_limit, int)
        bad = [run.setting.memory_limit for run in results if run.ended is not Ended.OK]
        assert answer.setting.memory_limit > max(bad, default=0)
