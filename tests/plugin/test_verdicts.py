"""Budgets on a real service: what passes, what fails, and what the failure says."""

from __future__ import annotations


def test_budgets_pass_and_fail_with_the_words_to_act_on(scenario):
    """A kept budget passes, a broken one fails its test with metric, limit, place and floor, under -v settings too."""
    outcome = scenario(
        """
        @pytest.mark.gomem(peak_rss="100MB", live_heap="20MB")
        def test_lean(go_service):
            go_service.get("/alloc?bytes=1000000&keep=false")

        @pytest.mark.gomem(peak_rss="30MB")
        def test_fat(go_service):
            go_service.get("/alloc?bytes=50000000&keep=true")
        """
    ).run("-v")
    assert outcome.status == 1
    assert "1 failed, 1 passed" in outcome.text
    assert "peak_rss is" in outcome.text
    assert "over its limit of 30MB" in outcome.text
    assert "test_it.py:7 test_fat @pytest.mark.gomem.peak_rss (marker on function)" in outcome.text
    assert "it stood at" in outcome.text
    assert "gomaxprocs" in outcome.text
    assert "Traceback" not in outcome.text
    assert outcome.value("test_fat", "peak_rss") > 50e6
    assert outcome.value("test_lean", "peak_rss") < 100e6


def test_rank_of_declarations(scenario):
    """The marker on a function beats its class, its class the YAML glob, that the service, that the defaults."""
    outcome = scenario(
        """
        @pytest.mark.gomem(threads=1001)
        class TestRank:
            @pytest.mark.gomem(fds=1002)
            def test_it(self, go_service):
                pass
        """,
        budgets="""\
        budgets:
          defaults: {fds: 1, threads: 2, goroutines: 3, peak_rss: 1kB, live_heap: 64MB}
          services: {api: {goroutines: 4, peak_rss: 2kB, fds: 5}}
          tests:
            "test_it.py::*": {peak_rss: 640MB, goroutines: 100}
        """,
    ).run()
    verdicts = {v["metric"]: v["declared_at"] for v in outcome.window("test_it")["verdicts"]}
    assert outcome.status == 0, outcome.text
    assert "test_it.py:5" in verdicts["fds"]
    assert "test_it.py:3" in verdicts["threads"]
    assert "gomem.yaml" in verdicts["goroutines"]
    assert set(verdicts) == {"fds", "threads", "goroutines", "peak_rss", "live_heap"}


def test_unmeasured_is_not_passed(scenario):
    """A budget on a metric that could not be measured fails with the reason."""
    outcome = scenario(
        """
        @pytest.mark.gomem(alloc_bytes_per_op="1MB")
        def test_no_operations(go_service):
            pass
        """
    ).run()
    assert outcome.status == 1
    assert "alloc_bytes_per_op is unavailable" in outcome.text
    assert outcome.value("test_no_operations", "alloc_bytes_per_op") is None
    assert outcome.window("test_no_operations")["metrics"]["alloc_bytes_per_op"]["reason"]


def test_own_outcome_of_the_body_is_kept(scenario):
    """A failing body keeps its error beside the verdict; skip and xfail mean what they mean without us."""
    outcome = scenario(
        """
        import unittest
        pytestmark = pytest.mark.gomem(peak_rss="1kB")

        def test_fails(go_service):
            assert 1 == 2, "the user's own words"

        def test_skips(go_service):
            pytest.skip("not today")

        @pytest.mark.xfail(strict=True)
        def test_expected(go_service):
            pass

        @pytest.mark.usefixtures("go_service")
        class TestOld(unittest.TestCase):
            def test_old(self):
                pass

            def test_fails_too(self):
                self.fail("what it says itself")

            def test_skips_too(self):
                self.skipTest("not today")
        """
    ).run()
    assert "3 failed, 2 skipped, 1 xfailed" in outcome.text
    assert "the user's own words" in outcome.text
    assert "test_fails_too - AssertionError: what it says itself" in outcome.text
    outcomes = {t["nodeid"].split("::")[-1]: t["outcome"] for t in outcome.report["tests"]}
    assert outcomes == {
        "test_fails": "failed",
        "test_skips": "skipped",
        "test_expected": "xfailed",
        "test_old": "failed",
        "test_fails_too": "failed",
        "test_skips_too": "skipped",
    }
    for test in ("test_fails", "test_fails_too"):
        assert outcome.window(test)["verdicts"][0]["status"] == "fail"
    assert outcome.text.count("Captured gomem call") == 2


def test_report_only(scenario):
    """--gomem-report-only reports a broken budget and lets the test pass."""
    project = scenario(
        """
        @pytest.mark.gomem(peak_rss="1kB")
        def test_fat(go_service, gomem):
            with gomem.measure(gomem.launch("api")) as m:
                pass
            m.check(live_heap="1kB")
        """
    )
    assert project.run().status == 1
    outcome = project.run("--gomem-report-only")
    assert outcome.status == 0
    assert "over by" in outcome.text
    assert outcome.window("test_fat")["verdicts"][0]["status"] == "fail"


def test_check_by_hand(scenario):
    """m[...] reads a figure, m.check judges it at the user's line, and an open window has no figures."""
    outcome = scenario(
        """
        import unittest

        class TestOld(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def take(self, gomem):
                self.gomem = gomem

            def test_old(self):
                with self.gomem.measure(self.gomem.launch("api")) as m:
                    pass
                m.check(peak_rss="2kB")

        def test_figures(gomem):
            with gomem.launch("api", gogc=25, args=["--listen", "127.0.0.1:{port}", "--pprof"]) as svc:
                with gomem.measure(svc, name="steady", ops=10) as m:
                    for _ in range(10):
                        svc.get("/alloc?bytes=100000&keep=false")
                    with pytest.raises(Exception, match="still open"):
                        m["peak_rss"]
                assert m["ops"] == 10
                assert 100_000 < m["alloc_bytes_per_op"] < 200_000
                assert svc.gc.gogc == 25
                m.check(peak_rss="200MB")
                m.check(peak_rss="1kB")
        """
    ).run()
    assert outcome.status == 1
    for limit in ("1kB", "2kB"):
        assert f'm.check(peak_rss="{limit}")' in outcome.text
        assert outcome.text.count(f"over its limit of {limit}\n") == 1
    assert "def check(" not in outcome.text
    assert outcome.window("test_figures")["name"] == "steady"
