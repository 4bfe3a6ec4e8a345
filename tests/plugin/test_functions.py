"""Budgets on functions and the profiles behind them, on a real service whose functions allocate to the byte."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest

from pytest_gomem.commands.cli import main

HEAP_TYPES = ("alloc_objects", "alloc_space", "inuse_objects", "inuse_space")


def test_budgets_on_functions(scenario, profiled):
    """Marker and YAML, flat and cumulative, made and held: verdict, interval, rate and culprit of each."""
    outcome = scenario(
        """
        MADE = "/allocate?size=1024&count=11718"  # 12.0 MB

        @pytest.mark.gomem(service="built", alloc_space={"main.lean": "10MB", "main.fat": 0})
        def test_over(go_service):
            go_service.get(MADE)

        @pytest.mark.gomem(service="plain", alloc_space={"main.fat": {"max": "10MB", "cum": True}, "main.lean": "1MB"})
        @pytest.mark.gomem_gc(gogc=[50])
        def test_cum(go_service):
            go_service.get("/allocate?fat=true&size=1024&count=11718")

        @pytest.mark.gomem(service="built", alloc_space={"main.l*n": "14.5MB"}, inuse_objects={"main.lean": "2k"})
        def test_kept(go_service):
            go_service.get(MADE)
            go_service.get("/allocate?size=512&count=1000&keep=true")

        @pytest.mark.gomem(service="built", alloc_space={"main.laen": "10MB"})
        def test_misspelt(go_service):
            go_service.get(MADE)

        def test_late(gomem):
            with gomem.launch("built") as svc, gomem.measure(svc) as m:
                svc.get(MADE)
            m.check(alloc_space={"main.lean": "10MB"})
        """,
        more_services=profiled(),
        budgets="""\
        budgets:
          tests:
            "*test_late": {threads: 50}
            "*test_kept": {alloc_objects: {"main.lean": ">= 100"}}
        """,
    ).run()
    assert "3 failed, 2 passed" in outcome.text
    over = outcome.window("test_over")
    verdict, fat = over["verdicts"][1], over["verdicts"][0]
    assert (verdict["status"], verdict["function"], verdict["cum"]) == ("fail", "main.lean", False)
    assert (fat["status"], fat["function"]) == ("pass", "main.fat")
    (value,) = [f for f in over["functions"] if f["function"] == "main.lean"]
    assert value["rate"] == 1
    # The runtime allocates a little of its own inside of an allocation, when that has to wait for the collector.
    assert 0 <= value["value"] - 11718 * 1024 < 4096
    assert value["interval"] == 0
    assert over["culprits"][0]["function"] == "main.lean"
    assert over["culprits"][0]["metric"] == "alloc_space"
    assert "alloc_space[main.lean]: alloc_space is 12.0 MB, 2.00 MB" in outcome.text
    cum = outcome.window("[gogc=50]")
    assert {v["function"]: v["status"] for v in cum["verdicts"]} == {"main.fat": "fail", "main.lean": "pass"}
    (value,) = [f for f in cum["functions"] if f["cum"]]
    assert value["rate"] == 512
    assert abs(value["value"] - 11718 * 1024) <= 2 * value["interval"]
    assert [c["function"] for c in cum["culprits"]] == ["main.fatter"]
    kept = outcome.window("test_kept")
    assert {v["status"] for v in kept["verdicts"]} == {"pass"}
    assert {f["metric"] for f in kept["functions"]} == {"alloc_space", "alloc_objects", "inuse_objects"}
    assert "GomemWarning: the budget on alloc_space of 'main.laen' matches no function" in outcome.text
    assert "did you mean main.lean?" in outcome.text
    (verdict,) = [v for v in outcome.window("test_late")["verdicts"] if v["function"]]
    assert (verdict["status"], verdict["scope"]) == ("fail", "check()")
    for test in ("test_over", "test_kept", "test_late"):
        window = outcome.window(test)
        assert (len(window["observed_rounds"]), window["rounds"]) == (1, [])
        assert not {"opening_heap_profile", "profile_rate"} & set(window["conditions"])


def test_a_test_that_must_not_run_again_is_profiled_where_it_is_measured(scenario, profiled):
    """By its marker. A check() on functions then needs its budget beforehand, and one on memory profiles late."""
    outcome = scenario(
        """
        MADE = "/allocate?size=1024&count=11718"  # 12.0 MB

        @pytest.mark.gomem(service="built", alloc_space={"main.lean": "10MB"}, diagnose=False)
        def test_declared(go_service):
            go_service.get(MADE)

        @pytest.mark.gomem(total_alloc="1GB", diagnose=False)
        def test_after(gomem):
            with gomem.launch("built") as svc:
                with gomem.measure(svc) as m:
                    svc.get("/allocate?size=1024")
                svc.get(MADE)
                with pytest.raises(AssertionError, match="no heap profile was taken in this window"):
                    m.check(alloc_space={"main.lean": "10MB"})
                with pytest.raises(AssertionError, match=r"allocated by[^|]*main.lean[^|]*taken when check"):
                    m.check(total_alloc="1B")
                with pytest.raises(AssertionError, match="no heap profile was taken in this window"):
                    m.check(alloc_space={"main.lean": "10MB"})
                m.check(total_alloc="1GB")
        """,
        more_services=profiled(),
    ).run("--gomem-artifacts=artifacts", "--gomem-diagnose=20")
    assert "2 failed" in outcome.text
    declared = outcome.window("test_declared")
    assert (declared["observed_rounds"], declared["diagnosis"]) == ([], None)
    assert declared["conditions"]["opening_heap_profile"] == "taken for a budget"
    assert any("the budgets on functions set the profile rate" in note for note in declared["notes"])
    assert declared["culprits"][0]["function"] == "main.lean"
    after = outcome.window("test_after")
    assert [v["status"] for v in after["verdicts"]] == ["pass", "unavailable", "fail", "unavailable", "pass"]
    assert after["culprits"][0]["function"] == "main.lean"
    assert len([note for note in after["notes"] if "when check() failed" in note]) == 1
    assert "heap_profile" in after["artifacts"]


def test_a_glob_without_a_function_is_an_error_under_strict(scenario, profiled):
    """--gomem-strict: unmeasured is not passed."""
    outcome = scenario(
        """
        @pytest.mark.gomem(service="plain", alloc_space={"main.laen": "10MB"})
        def test_misspelt(go_service):
            go_service.get("/allocate?size=1024&count=100")
        """,
        more_services=profiled(),
    ).run("--gomem-strict")
    assert outcome.status == 1
    said = " ".join(outcome.text.split())
    assert "alloc_space is unavailable: the budget on alloc_space of 'main.laen' matches no function" in said


def test_a_shared_service_has_the_finest_rate_that_a_test_needs(scenario, profiled):
    """One process, one rate; a rate of the user's own is left alone, and its wider interval is told."""
    outcome = scenario(
        """
        @pytest.fixture(scope="session")
        def shared(gomem_session):
            return gomem_session.launch("plain")

        @pytest.mark.gomem(alloc_space={"main.lean": "10MB"})
        def test_coarse(shared, gomem):
            with gomem.measure(shared):
                shared.get("/allocate?size=1024&count=1000")

        @pytest.mark.gomem(alloc_space={"main.lean": "1MB"})
        def test_fine(shared, gomem):
            with gomem.measure(shared):
                shared.get("/allocate?size=1024&count=400")

        @pytest.mark.gomem(alloc_space={"main.lean": "1MB"})
        def test_attached(shared, gomem):
            mine = gomem.attach(shared.pid, port=shared.port)
            with gomem.measure(mine):
                mine.get("/allocate?size=1024&count=400")

        @pytest.mark.gomem(service="plain", alloc_space={"main.lean": "1MB"})
        def test_own_rate(gomem):
            with gomem.launch("plain", gc={"godebug": {"memprofilerate": 524288}}) as svc, gomem.measure(svc):
                pass  # whether 1 MB was allocated without one sample among them nobody can tell
        """,
        more_services=profiled(),
    ).run()
    assert outcome.status == 0, outcome.text
    assert [outcome.window(t)["functions"][0]["rate"] for t in ("test_coarse", "test_fine", "test_attached")] == [
        512
    ] * 3
    own = outcome.window("test_own_rate")
    assert own["functions"][0]["rate"] == 524288
    assert own["verdicts"][0]["status"] == "noisy"
    assert "too close to its limit of 1MB to tell" in own["verdicts"][0]["reason"]


def test_functions_that_make_more_than_their_baseline(scenario, profiled, monkeypatch):
    """Unchanged passes; 20% more fails, names them, and can be accepted by that name; an update takes it."""
    project = scenario(
        """
        from pathlib import Path

        free, five = {"regression": "50%"}, {"regression": "5%"}

        @pytest.mark.gomem(
            service="plain",
            rounds=3,
            **dict.fromkeys(("live_heap", "peak_rss", "alloc_bytes_per_op", "allocs_per_op"), free),
            alloc_space={"main.l*n": {**five, "max": "2MB"}, "main.fatter": free},
            inuse_objects={"main.fat": {**free, "cum": True}},
        )
        def test_made(go_service):
            count = int(Path("count").read_text())
            go_service.get(f"/allocate?size=1024&count={count}")
            go_service.get(f"/allocate?size=200000&count={count // 10}&keep=true&fat=true")
        """,
        more_services=profiled(),
    )
    count = project.folder / "count"
    count.write_text("1000")
    record = ("--gomem-update", "--gomem-force")  # of so few operations the objects of each scatter
    assert project.run(*record).status == 0
    same = project.run("--gomem-confirm=3")
    assert same.status == 0, same.text
    assert _compared(same) == {"main.fat": "pass", "main.l*n": "pass", "main.fatter": "pass"}
    base = same.window("test_made")["base"]["observed_rounds"]
    assert [one["alloc_space[main.l*n]"] for one in base] == pytest.approx([1_024_000] * 3, rel=0.02)
    assert [one["inuse_objects[main.fat] cum"] for one in base] == pytest.approx([100] * 3, abs=2)

    count.write_text("1200")
    worse = project.run("--gomem-confirm=3")
    assert worse.status == 1
    assert _compared(worse) == {"main.fat": "pass", "main.l*n": "fail", "main.fatter": "pass"}
    said = r"FAIL  alloc_space\[main\.l\*n\] is 20\d kB \(\+(19\.[89]|20\.[01])\d*%\) worse than at the baseline of "
    assert re.search(said, worse.text)
    assert "of 1 function, estimated from samples: one in 128 B" in " ".join(worse.text.split())
    assert [culprit["function"] for culprit in worse.window("test_made")["culprits"]] == ["main.lean"]

    monkeypatch.chdir(project.folder)
    words = "accept test_made alloc_space[main.l*n] --reason larger --owner ann --report report.json"
    assert main(words.split(), io.StringIO(), sys.stderr) == 0
    accepted = project.run("--gomem-confirm=3")
    assert accepted.status == 0, accepted.text
    assert _compared(accepted)["main.l*n"] == "warn"

    update = project.run(*record, "--gomem-baseline-profiles=off")
    assert update.status == 0, update.text
    assert re.search(r"plain/test: alloc_space\[main\.l\*n\] 1\.0\d MB -> 1\.2\d MB, \+(19\.9|20\.[01])%", update.text)


def _compared(outcome):
    verdicts = outcome.window("test_made")["verdicts"]
    return {v["function"]: v["status"] for v in verdicts if v["function"] and v["kind"] == "regression"}


def test_a_comparison_by_hand_is_refused(scenario):
    """check() judges one round, and would never look at what it was told to compare."""
    outcome = scenario(
        """
        def test_checked(gomem):
            with gomem.launch() as svc, gomem.measure(svc) as m:
                pass
            m.check(live_heap={"max": "1GB", "regression": "5%"})
        """
    ).run()
    assert outcome.status == 1
    assert "check().live_heap: a comparison waits for all rounds of the test" in outcome.text


BROKEN = {
    "html": "an HTML page, not a profile",
    "status": "answered 403: profiling is switched off",
    "truncated": "gzip data that is cut short",
    "cut": "answer cut off",
    "die": "ended with exit status 7",
}


def test_broken_profiles_cost_only_what_they_hold(scenario, profiled):
    """Whatever comes in place of a profile is told and is no artifact, and the other metrics are kept."""
    tests = "".join(
        f"""
@pytest.mark.gomem(service="{how}", alloc_space={{"main.lean": "10MB"}}, threads=500)
def test_{how}(go_service):
    go_service.get("/allocate?size=1024&count=1000")
"""
        for how in BROKEN
    )
    flags = {how: f"--broken {how} --after {4 if how == 'die' else 0}" for how in BROKEN}
    outcome = scenario(tests, more_services=profiled(**flags)).run("--gomem-artifacts=artifacts")
    assert f"{len(BROKEN)} failed" in outcome.text
    assert "Traceback" not in outcome.text
    for how, words in BROKEN.items():
        window = outcome.window(f"test_{how}")
        verdicts = {v["metric"]: v for v in window["verdicts"]}
        assert verdicts["alloc_space"]["status"] == "unavailable"
        assert words in verdicts["alloc_space"]["reason"], how
        assert verdicts["threads"]["status"] == "pass"
        assert window["metrics"]["end_rss"]["value"] > 1e6
        assert not {"heap_profile", "goroutine_profile"} & set(window["artifacts"])


def test_a_failed_test_leaves_profiles_that_pprof_opens(scenario, profiled):
    """Also where only its body failed; a test that passes without such budgets is never asked for a profile."""
    project = scenario(
        """
        @pytest.mark.gomem(service="plain")
        def test_body(go_service):
            go_service.get("/allocate?size=1024&count=20000&keep=true")
            assert 1 == 2

        @pytest.mark.gomem(service="html", peak_rss="200MB")
        def test_html(go_service):
            assert 1 == 2

        @pytest.mark.gomem(service="dies", threads=500)
        def test_never_asked(go_service):
            pass
        """,
        more_services=profiled(html="--broken html", dies="--broken die --after 2"),
    )
    outcome = project.run("--gomem-artifacts=artifacts")
    assert "2 failed, 1 passed" in outcome.text
    artifacts = outcome.window("test_body")["artifacts"]
    assert {"log", "heap_profile", "goroutine_profile"} <= set(artifacts)
    heap = project.folder / "artifacts" / artifacts["heap_profile"]
    raw = _pprof(heap, "-raw")
    assert re.search(r"^\s*" + "\\S* ".join(f"{kind}/" for kind in HEAP_TYPES), raw, re.MULTILINE), raw[:500]
    assert "main.lean" in raw
    assert "main.main" in _pprof(project.folder / "artifacts" / artifacts["goroutine_profile"])
    notes = outcome.window("test_html")["notes"]
    assert any("no heap and no goroutine profile" in note and "HTML page" in note for note in notes)


def _pprof(profile, *flags):
    command = ["go", "tool", "pprof", "-symbolize=none", *(flags or ["-top"]), str(profile)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_allocs_profile_of_a_span_of_time(scenario, profiled):
    """By the agent and by the endpoint: what was allocated meanwhile, not what was before."""
    outcome = scenario(
        """
        import threading
        from pytest_gomem.pprof.aggregate import aggregate
        from pytest_gomem.pprof.read import parse_profile

        @pytest.mark.parametrize("name", ["built", "plain"])
        def test_span(gomem, name):
            with gomem.launch(name, gc={"godebug": {"memprofilerate": 1}}) as svc:
                svc.get("/allocate?size=1024&count=50")
                over = threading.Event()
                asked = []

                def work():
                    while not over.is_set():
                        asked.append(svc.get("/allocate?size=1024&count=7&fat=true"))

                meanwhile = threading.Thread(target=work)
                meanwhile.start()
                while len(asked) < 2:
                    pass
                profile = parse_profile(svc.allocs_profile(seconds=0.6))
                over.set()
                meanwhile.join()
            made = {row.frame.function: row.flat for row in aggregate(profile, "alloc_objects").rows}
            # The endpoint tells what was allocated up to the last collection but one.
            assert (0 if name == "plain" else 1) <= made.get("main.fatter", 0) <= 7 * (len(asked) - 2)
            assert "main.lean" not in made
            assert 0.5e9 < profile.duration_nanos < 60e9
        """,
        more_services=profiled(),
    ).run()
    assert outcome.status == 0, outcome.text
