"""Growth of a real service: a leak that fails its budget, work that leaves nothing, and what is said of both."""

from __future__ import annotations

TESTS = """
@pytest.mark.gomem(heap_growth_per_op="16B", time_to_limit={"min": "1h", "limit": "64MiB"}, diagnose=False)
def test_leak(go_service):
    for _ in go_service.cycles(20):
        go_service.load("/alloc?bytes=640&keep=true", requests=50, connections=2)


@pytest.mark.gomem(heap_growth_per_op="1kB", time_to_limit={"min": "3650d", "limit": "64MiB"}, goroutine_growth=0)
def test_steady(go_service):
    for _ in go_service.cycles(20):
        go_service.load("/alloc?bytes=640", requests=50, connections=2)


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
    outcome = scenario(TESTS).run()
    leak, steady, goroutines = (outcome.window(name)["metrics"] for name in ("_leak", "_steady", "_goroutines"))
    found = leak["heap_growth_per_op"]
    low, high = found["interval"]
    assert 640 < low < found["value"] < high < 1000  # the slice that keeps them grows too
    assert "from 20 cycles" in found["note"]
    broken = [(one["metric"], one["status"]) for one in outcome.window("_leak")["verdicts"]]
    assert broken == [("heap_growth_per_op", "fail"), ("time_to_limit", "fail")]
    assert f"B/op ({(found['value'] - 16) / 16:.0%}) over its limit of 16B; the interval is " in outcome.text
    assert {one["status"] for one in outcome.window("_steady")["verdicts"]} == {"pass"}
    assert " shown; " in steady["time_to_limit"]["note"] or "out of sight" in steady["time_to_limit"]["note"]
    assert (goroutines["goroutine_growth_per_op"]["value"], goroutines["goroutine_growth_per_op"]["interval"]) == (
        2,
        [2, 2],
    )
    assert outcome.window("_once")["metrics"]["heap_growth"]["reason"].endswith(
        "repeat the work by service.cycles(20), or by --gomem-cycles=20"
    )
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
