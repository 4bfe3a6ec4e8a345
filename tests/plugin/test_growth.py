"""Growth of a real service: a leak that fails its budget, work that leaves nothing, and what is said of both."""

from __future__ import annotations

import pytest

TESTS = """
@pytest.mark.gomem(heap_growth_per_op="16B", time_to_limit={"min": "1h", "limit": "64MiB"}, diagnose=False)
def test_leak(go_service):
    for _ in go_service.cycles(20):
        go_service.load("/alloc?bytes=8192&keep=true", requests=50)


@pytest.mark.gomem(heap_growth_per_op="1kB", time_to_limit={"min": "1min", "limit": "64MiB"}, goroutine_growth=0)
def test_steady(go_service):
    for _ in go_service.cycles(20):
        go_service.load("/alloc?bytes=8192", requests=50)


@pytest.mark.gomem(goroutine_growth_per_op=0, diagnose=False)
def test_goroutines(go_service):
    for _ in go_service.cycles(10):
        go_service.get("/goroutines?n=2")


@pytest.mark.gomem(heap_growth="1kB/s", diagnose=False)
def test_once(go_service):
    go_service.get("/alloc")
"""


def test_growth_is_judged_by_what_cycles_leave(scenario):
    """A leak fails with its interval, and so do two goroutines an operation; steady work passes with its bound."""
    project = scenario(TESTS)
    outcome = project.run("-v", "--gomem-artifacts=kept")
    leak, steady, goroutines = (outcome.window(name)["metrics"] for name in ("_leak", "_steady", "_goroutines"))
    found = leak["heap_growth_per_op"]
    low, high = found["interval"]
    assert 16 < low < found["value"] < high
    assert found["value"] == pytest.approx(8192, rel=0.1)
    assert "from 20 cycles" in found["note"]
    broken = [(one["metric"], one["status"]) for one in outcome.window("_leak")["verdicts"]]
    assert broken == [("heap_growth_per_op", "fail"), ("time_to_limit", "fail")]
    assert "over its limit of 16B; the interval is " in " ".join(outcome.text.split())
    assert {one["status"] for one in outcome.window("_steady")["verdicts"]} == {"pass"}
    assert "  test_steady: heap_growth_per_op: " in outcome.text
    assert "  load: 20 x 50 requests in " in outcome.text
    assert " shown; " in steady["time_to_limit"]["note"] or "out of sight" in steady["time_to_limit"]["note"]
    assert (goroutines["goroutine_growth_per_op"]["value"], goroutines["goroutine_growth_per_op"]["interval"]) == (
        2,
        [2, 2],
    )
    assert outcome.window("_once")["metrics"]["heap_growth"]["reason"].endswith(
        "repeat the work by service.cycles(20), or by --gomem-cycles=20"
    )
    picture = (project.folder / "kept" / outcome.window("_leak")["artifacts"]["heap_growth_per_op_course"]).read_text()
    assert "heap_growth_per_op of test_leak" in picture
    course = outcome.window("_leak")["courses"]["heap_growth_per_op"]
    assert (course["per"], course["shape"], course["x"][-1]) == ("op", "grows", 1000)


def test_readings_between_cycles_are_in_no_figure(scenario):
    """A phase may be in the loop, but no cycle may end in a phase; the time of the readings is left out."""
    outcome = scenario(
        """
        def test_phases(go_service):
            for _ in go_service.cycles(3):
                with go_service.phase("login", ops=10):
                    go_service.load("/alloc?bytes=64", requests=10)

        def test_within(go_service):
            with go_service.phase("login"):
                for _ in go_service.cycles(3):
                    go_service.get("/alloc?bytes=64")
        """
    ).run()
    window = outcome.window("test_phases")
    assert [phase["name"] for phase in window["phases"]] == ["login", "login#2", "login#3"]
    assert window["metrics"]["gc_cycles"]["value"] == 0
    assert "put the phase into the loop" in outcome.text


UNCHANGED = """
import unittest

began = []

@pytest.fixture
def one():
    began.append(1)
    return len(began)

@pytest.mark.gomem(heap_growth_per_op="16B", diagnose=False)
def test_leak(go_service, one):
    go_service.load("/alloc?bytes=640&keep=true", requests=50)
    assert one == 1

@pytest.mark.gomem(ops=10)
def test_declared(go_service):
    pass

def test_own(go_service):
    for _ in go_service.cycles(11):
        go_service.get("/alloc?bytes=64")

ran = []

def test_third(go_service):
    ran.append(1)
    assert len(ran) < 3, "in the third"

def test_nothing():
    ran.append(1)
    assert len(ran) == 4

class TestCase(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _service(self, go_service):
        self.service = go_service

    def test_unittest(self):
        self.service.get("/alloc?bytes=64")
"""


def test_a_body_is_repeated_as_it_is(scenario):
    """In one window with its fixtures kept; not if it has cycles of its own, and no longer once it fails."""
    outcome = scenario(UNCHANGED).run("--gomem-cycles=12")
    leak = outcome.window("_leak")
    assert (leak["ops"], len(leak["courses"]["heap_growth_per_op"]["x"])) == (600, 12)
    assert [one["status"] for one in leak["verdicts"]] == ["fail"]
    assert leak["conditions"]["cycles"] == "12"
    assert outcome.window("_declared")["ops"] == 120
    assert outcome.window("_declared")["courses"]["heap_growth_per_op"]["x"] == [10.0 * at for at in range(1, 13)]
    assert (outcome.window("_own")["ops"], outcome.window("_own")["conditions"]["cycles"]) == (11, "11")
    assert outcome.window("_unittest")["ops"] == 12
    assert "AssertionError: in the third" in outcome.text
    assert "2 failed, 4 passed" in outcome.text
