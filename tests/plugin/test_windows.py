"""When windows open and close, and what is inside."""

from __future__ import annotations

from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parents[1] / "programs"


def test_window_is_the_body_without_fixtures_and_warmup(scenario):
    """Work in fixtures and in warmup() is not in the window; phases, count and ops are."""
    outcome = scenario(
        """
        @pytest.fixture
        def seeded(go_service):
            go_service.get("/alloc?bytes=30000000&keep=false")

        def test_fixture_work(go_service, seeded):
            go_service.get("/alloc?bytes=1000000&keep=false")

        def test_warmup(go_service):
            with go_service.warmup():
                go_service.get("/alloc?bytes=30000000&keep=false")
            with go_service.phase("login", ops=2):
                go_service.get("/alloc?bytes=1000000&keep=false")

        @pytest.mark.gomem(ops=50)
        def test_declared(go_service):
            pass

        def test_counted(go_service):
            go_service.count(3)
            go_service.count(4)
        """
    ).run()
    assert outcome.status == 0, outcome.text
    for test in ("test_fixture_work", "test_warmup"):
        assert outcome.window(test)["ops"] == 1
        assert outcome.value(test, "total_alloc") == pytest.approx(1e6, rel=0.5)
    assert [phase["name"] for phase in outcome.window("test_warmup")["phases"]] == ["login"]
    assert outcome.window("test_declared")["ops"] == 50
    assert outcome.window("test_counted")["ops"] == 7


def test_operations_at_odds(dry_scenario):
    """Two counts of operations that disagree fail the test and name both."""
    outcome = dry_scenario(
        """
        import os

        def test_odds(gomem):
            service = gomem.attach(pid=os.getpid())
            with gomem.measure(service, ops=5):
                service.count(1)
        """
    ).run()
    assert outcome.status == 1
    assert "disagree: count(n) 1, ops= 5" in outcome.text


def test_shared_service_never_shows_an_earlier_peak(scenario):
    """On a shared service a small test's peak is its own or bounded, never the big one's before it."""
    outcome = scenario(
        """
        def test_big(go_service_session):
            go_service_session.get("/alloc?bytes=80000000&keep=false")

        @pytest.mark.gomem(peak_rss="150MB")
        def test_small(go_service_session):
            go_service_session.get("/healthz")
        """
    ).run()
    assert outcome.status == 0, outcome.text
    assert outcome.value("test_big", "peak_rss") > 80e6
    small = outcome.window("test_small")["metrics"]["peak_rss"]
    least = small["bounds"][0] if small["value"] is None else small["value"]
    assert 1e6 < least < 40e6


def test_the_garbage_of_a_start_is_in_no_peak(scenario, binaries):
    """The agent returns it; without one the peak has bounds, launched and attached: a limit above both is kept."""
    outcome = scenario(
        """
        @pytest.mark.gomem(service="built", peak_rss="40MB", startup_peak={"min": "60MB"})
        def test_returned(go_service):
            go_service.get("/transient?bytes=10000000")

        @pytest.mark.gomem(service="bare", peak_rss={"max": "150MB", "regression": "5%"})
        def test_bounded(go_service, gomem):
            go_service.get("/transient?bytes=10000000")
            other = gomem.attach(pid=go_service.pid)
            with gomem.measure(other, name="attached") as m:
                go_service.get("/transient?bytes=10000000")
            m.check(peak_rss="150MB")
            with pytest.raises(Exception, match="peak_rss .* it lies between"):
                m["peak_rss"]

        @pytest.mark.gomem(service="bare", peak_rss="30MB")
        def test_untold(go_service):
            go_service.get("/transient?bytes=10000000")
        """,
        more_services=f"""\
        built:
          build: {PROGRAMS}/startup
          args: ["--listen", "127.0.0.1:{{port}}"]
          ready: {{http: /healthz}}
        bare:
          binary: {binaries("startup")}
          args: ["--listen", "127.0.0.1:{{port}}"]
          ready: {{http: /healthz}}
        """,
    ).run()
    assert "1 failed, 2 passed" in outcome.text
    returned = outcome.window("test_returned")["metrics"]
    assert 10e6 < returned["peak_rss"]["value"] < 35e6 < 64e6 < returned["startup_peak"]["value"]
    bounded = outcome.window("test_bounded")
    least, most = bounded["metrics"]["peak_rss"]["bounds"]
    assert 1e6 < least < 40e6 < most < 150e6
    assert bounded["metrics"]["startup_peak"]["value"] > 64e6
    assert [(v["kind"], v["status"]) for v in bounded["verdicts"]] == [("max", "pass"), ("regression", "no_baseline")]
    assert "it is not known whether peak_rss keeps its limit of 30MB: it lies between" in outcome.text
    assert "<= " in outcome.text


def test_program_that_ends_by_itself(scenario, binaries):
    """gomem.run measures a program whole, its peak from wait4, and a failing program fails the test."""
    outcome = scenario(
        """
        ballast = bytearray(200 << 20)

        def test_run(gomem):
            result = gomem.run("job")
            assert 30 << 20 < result["peak_rss"] < 45 << 20

        def test_failing(gomem):
            gomem.run("job", args=["--no-such-flag"])
        """,
        more_services=f"""\
        job:
          binary: {binaries("hold")}
          args: ["--mb", "30", "--for", "300ms"]
        """,
    ).run()
    assert "1 failed, 1 passed" in outcome.text
    assert "ended with exit status 2" in outcome.text
    metrics = outcome.window("test_run")["metrics"]
    assert metrics["peak_rss"]["source"].startswith("ru_maxrss")
    assert metrics["startup_peak"]["reason"].endswith("is never ready: its start is in peak_rss")


def test_attach_reads_a_process_that_is_not_ours(scenario):
    """attach() measures by pid and pprof URL, resets no peak unasked, and never signals."""
    outcome = scenario(
        """
        import os, signal
        import psutil

        def test_attached(gomem):
            owned = gomem.launch("api")
            pprof = owned.url("/debug/pprof", port="admin")
            other = gomem.attach(pid=owned.pid, pprof=pprof)
            with gomem.measure(other, name="attached") as m:
                owned.get("/alloc?bytes=40000000&keep=true")
            assert m["live_heap"] > 40e6
            assert m["end_rss"] > 40e6
            assert m.get("gc_cycles") is not None
            other.stop()
            assert owned.get("/healthz").ok
            with pytest.raises(Exception, match="no such process"):
                gomem.attach(pid=2**22 + 1)

        def test_found_on_its_ports(gomem):
            owned = gomem.launch("api")
            other = gomem.attach(owned.pid, port=owned.port)
            with gomem.measure(other, name="attached") as m:
                other.load("/alloc?bytes=40000000&keep=true", requests=1)
                other.get("/healthz", port=owned.port)
            assert m["live_heap"] > 40e6
            assert m["ops"] == 2
            with pytest.raises(Exception, match="is not its own: pid .* answers there"):
                gomem.attach(os.getpid(), pprof=owned.url("/debug/pprof", port="admin"))
            with pytest.raises(Exception, match="listens on http://127.*: pass port= or url="):
                gomem.attach(owned.pid).get("/healthz")
            with pytest.raises(Exception, match=r"listens on no TCP port, but pid .* below it does"):
                gomem.attach(psutil.Process(owned.pid).ppid()).memstats()
        """
    ).run()
    assert outcome.status == 0, outcome.text


def test_no_measure_launches_only(scenario):
    """--gomem-no-measure runs tests against real services and judges nothing."""
    outcome = scenario(
        """
        @pytest.mark.gomem(peak_rss="1kB")
        def test_it(go_service):
            assert go_service.get("/healthz").ok
        """
    ).run("--gomem-no-measure")
    assert outcome.status == 0, outcome.text
    assert outcome.report["tests"][0]["windows"] == []


def test_pss_on_request(dry_scenario):
    """peak_pss is read where a budget or measure(pss=True) asks for it, and unavailable with the reason elsewhere."""
    outcome = dry_scenario(
        """
        import os

        @pytest.mark.gomem(peak_pss="100GB")
        def test_budget(gomem):
            with gomem.measure(gomem.attach(pid=os.getpid())):
                pass

        def test_by_hand(gomem):
            service = gomem.attach(pid=os.getpid())
            with gomem.measure(service, name="unasked"):
                pass
            with gomem.measure(service, pss=True) as m:
                pass
            assert 0 < m["peak_pss"] <= m["end_rss"]
        """
    ).run()
    assert outcome.status == 0, outcome.text
    assert outcome.value("test_budget", "peak_pss") > 1e6
    assert outcome.window("test_by_hand")["metrics"]["peak_pss"]["reason"]
