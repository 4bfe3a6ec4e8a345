"""Rounds: fresh processes and function fixtures, medians, one result, and the company of other plugins."""

from __future__ import annotations

import textwrap

COUNTED = """
    import json, os
    from pathlib import Path

    def said(word):
        with Path("said.txt").open("a") as file:
            file.write(word + "\\n")

    @pytest.fixture(scope="module")
    def shared():
        said("shared up")
        yield
        said("shared down")

    @pytest.fixture
    def own(shared):
        said("own up")
        yield
        said("own down")

    # A window without a service, of pytest itself: what rounds do is the same.
    def measured(gomem, **options):
        with gomem.measure(gomem.attach(pid=os.getpid()), **options):
            pass
"""


def counted(tests: str) -> str:
    return textwrap.dedent(COUNTED) + textwrap.dedent(tests)


def said(project) -> list[str]:
    path = project.folder / "said.txt"
    found = path.read_text().split("\n")[:-1] if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def test_each_round_is_a_fresh_process_with_its_own_function_fixtures(scenario):
    """Three rounds: three processes, function fixtures three times, others once, one result, medians and their spread.

    Without rounds a test stays as it was; the option serves tests whose marker is silent.
    """
    project = scenario(
        counted("""
        @pytest.mark.gomem(rounds=3, live_heap="20MB")
        def test_three(own, go_service, tmp_path, caplog, capsys):
            said(f"pid {go_service.pid}")
            said(f"{tmp_path.exists()} {len(list(tmp_path.iterdir()))}")
            (tmp_path / "mark").touch()
            kept = len(Path("said.txt").read_text().split("pid")) * 1_000_000
            go_service.get(f"/alloc?bytes={kept}&keep=true")
            __import__("logging").warning("one line")
            assert len(caplog.records) == 1
            print("printed")
            assert capsys.readouterr().out == "printed\\n"

        @pytest.mark.parametrize("x", ["p", "q"])
        def test_other(own, x, gomem):
            said(f"other {x}")
            measured(gomem, name="one")
            measured(gomem, name="one")

        @pytest.mark.gomem(rounds=1)
        def test_one(go_service, own):
            said("one")

        def test_unmeasured(own):
            said("unmeasured")
        """),
        ini="junit_family = xunit1",
        conftest="""
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            setattr(item, f"rep_{report.when}", report)
            return report

        @pytest.fixture(autouse=True)
        def knows_the_outcome(request):
            yield
            assert request.node.rep_call.passed
        """,
    )
    outcome = project.run("--gomem-rounds=2", "--junitxml=junit.xml")
    assert "5 passed" in outcome.text, outcome.text
    told = said(project)
    pids = [line for line in told if line.startswith("pid")]
    assert len(set(pids)) == len(pids) == 3
    assert told.count("True 0") == 3
    assert told[:4] == ["shared up", "own up", pids[0], "True 0"]
    assert (told.count("own up"), told.count("own down")) == (3 + 4 + 1 + 1, 3 + 4 + 1 + 1)
    assert (told.count("shared up"), told.count("shared down"), told[-1]) == (1, 1, "shared down")
    assert [told.count(word) for word in ("other p", "other q", "one", "unmeasured")] == [2, 2, 1, 1]

    window = outcome.window("test_three")
    each = [one["live_heap"] for one in window["rounds"]]
    assert len(each) == 3
    assert each[2] - each[0] > 1_900_000
    assert window["metrics"]["live_heap"]["value"] == sorted(each)[1]
    assert window["metrics"]["live_heap"]["note"].startswith("median of 3 rounds, ")
    assert window["verdicts"][0]["actual"] == sorted(each)[1]
    two = outcome.window("test_other[p]", 1)
    assert (two["name"], len(two["rounds"]), len(outcome.window("test_one")["rounds"])) == ("one", 2, 0)
    assert len(next(t for t in outcome.report["tests"] if t["nodeid"].endswith("[q]"))["windows"]) == 2
    junit = (project.folder / "junit.xml").read_text()
    assert junit.count("<testcase") == 5
    assert junit.count('name="gomem.live_heap"') == 2


def test_a_budget_is_judged_on_the_median_and_a_failing_round_ends_the_test(scenario):
    """Two wild rounds of three break it; a body, a service or a set-up that fails ends the rounds."""
    outcome = scenario(
        counted("""
        def grow(go_service, name, sizes):
            path = Path(name)
            at = len(path.read_text()) if path.exists() else 0
            path.write_text("x" * (at + 1))
            go_service.get(f"/alloc?bytes={sizes[at]}&keep=true")
            return at

        def times(name):
            said(name)
            return Path("said.txt").read_text().split().count(name)

        @pytest.mark.gomem(rounds=3, live_heap="20MB")
        def test_broken(go_service):
            grow(go_service, "broken", [30_000_000, 0, 30_000_000])

        @pytest.mark.gomem(rounds=3)
        def test_body(gomem):
            assert times("body") < 2, "second"

        @pytest.mark.gomem(rounds=3)
        def test_dies(go_service):
            if grow(go_service, "dies", [0, 0, 0]) == 1:
                os.kill(go_service.pid, 9)
                while go_service.process.ending() is None:
                    pass

        @pytest.fixture
        def second_fails():
            if times("set-up") == 2:
                pytest.fail("no second set-up")

        @pytest.mark.gomem(rounds=3)
        def test_setup(gomem, second_fails):
            pass

        @pytest.mark.gomem(rounds=2)
        def test_skips(gomem):
            if times("skips") == 2:
                pytest.skip("not today")

        @pytest.mark.gomem(rounds=2, end_rss="1kB")
        @pytest.mark.xfail(strict=True)
        def test_expected(gomem):
            measured(gomem)
        """)
    ).run("--gomem-artifacts=kept")
    assert "4 failed, 1 skipped, 1 xfailed" in outcome.text, outcome.text
    assert "live_heap is 30" in outcome.text
    assert "median of 3 rounds" in " ".join(outcome.text.split())
    assert "round 2 of 3 failed" in outcome.text
    assert "killed by SIGKILL" in outcome.text
    assert "no second set-up" in outcome.text
    assert outcome.window("test_broken")["artifacts"]["log"]
    assert "INTERNALERROR" not in outcome.text


def test_company_of_rerunfailures_timeout_xdist_unittest_and_subtests(dry_scenario):
    """All rounds are one attempt of rerunfailures, one test of xdist and unittest; a failed subtest ends them."""
    project = dry_scenario(
        counted("""
        import unittest

        @pytest.mark.gomem(rounds=2)
        def test_flaky(own, gomem):
            measured(gomem)
            said("flaky")
            assert Path("said.txt").read_text().count("flaky") >= 4

        @pytest.mark.flaky(reruns=1)
        @pytest.mark.gomem(rounds=2, end_rss="1kB")
        def test_always_broken(own, gomem):
            measured(gomem)
            said("broken")

        @pytest.mark.gomem(rounds=2)
        @pytest.mark.usefixtures("gomem")
        class TestOld(unittest.TestCase):
            def setUp(self):
                said("setUp")

            def test_old(self):
                said("old")

        @pytest.mark.gomem(rounds=3)
        @pytest.mark.timeout(60)
        def test_subtests(gomem, subtests):
            said("subtests")
            with subtests.test("a"):
                assert False
        """)
    )
    for args in (["--reruns=3"], ["--reruns=3", "-n1"]):
        outcome = project.run(*args)
        told = said(project)
        assert outcome.status == 1
        # flaky fails in its first round thrice, then goes through both of its rounds.
        assert (told.count("flaky"), told.count("broken"), told.count("setUp"), told.count("old")) == (5, 4, 2, 2)
        assert told.count("own up") == told.count("own down") == 9
        assert told.count("shared up") == told.count("shared down")
        assert len(outcome.window("test_flaky")["rounds"]) == 2
        assert [len(t["windows"]) for t in outcome.report["tests"] if t["nodeid"].endswith("always_broken")] == [1]
        assert outcome.window("test_always_broken")["verdicts"][0]["status"] == "fail"
        assert told.count("subtests") == 4
        assert "INTERNALERROR" not in outcome.text


def test_a_test_case_that_fails_ends_its_rounds(dry_scenario):
    """unittest catches what a body raises: no later round makes good for one that failed."""
    project = dry_scenario(
        counted("""
        import unittest

        @pytest.mark.gomem(rounds=3)
        @pytest.mark.usefixtures("gomem")
        class TestOld(unittest.TestCase):
            def test_fails_in_the(self):
                said("in")
                self.assertNotEqual(Path("said.txt").read_text().count("in"), int(os.environ["ROUND"]))

            def tearDown(self):
                said("down")
        """)
    )
    for number in ("1", "2"):
        outcome = project.run(env={"ROUND": number})
        assert outcome.status == 1, outcome.text
        assert f"AssertionError: {number} == {number}" in outcome.text
        assert said(project) == ["in", "down"] * int(number)


def test_a_failed_subtest_fails_its_test(dry_scenario):
    """It ends the rounds, the report calls the test failed, and no baseline is made of it."""
    project = dry_scenario(
        counted("""
        import unittest

        @pytest.fixture
        def window(gomem):
            measured(gomem)

        @pytest.mark.gomem(rounds=3)
        @pytest.mark.usefixtures("window")
        class TestParts(unittest.TestCase):
            def test_parts(self):
                said("parts")
                with self.subTest("a"):
                    self.fail()

        @pytest.mark.gomem(rounds=3)
        def test_subtests(window, subtests):
            said("subtests")
            with subtests.test("a"):
                assert False
            with subtests.test("b"):
                pass
        """)
    )
    outcome = project.run("--gomem-update")
    assert outcome.status == 1
    assert sorted(said(project)) == ["parts", "subtests"]
    assert [test["outcome"] for test in outcome.report["tests"]] == ["failed", "failed"]
    assert "2 refused" in outcome.text


def test_wrong_rounds_are_refused(dry_scenario):
    """A number of rounds that means nothing, and rounds on a shared process, are refused before any test runs."""
    project = dry_scenario(
        """
        @pytest.mark.gomem(rounds=0)
        def test_zero(go_service):
            pass

        @pytest.mark.gomem(rounds=2)
        def test_shared(go_service_session):
            pass
        """
    )
    outcome = project.run()
    assert outcome.status == 4
    assert (
        'test_zero @pytest.mark.gomem.rounds: expected a whole number from 1 to 1000 or "auto", not 0' in outcome.text
    )
    assert "go_service_session is one process for many tests: it cannot be a fresh one in each round" in outcome.text
    outcome = project.run("--gomem-rounds=some", "--gomem-confirm=2")
    assert outcome.status == 4
    assert "--gomem-rounds: expected a whole number" in outcome.text
    assert "--gomem-confirm: expected a whole number from 3 to 1000, not '2'" in outcome.text


def test_pytest_benchmark_lists_a_test_of_several_rounds_once(dry_scenario):
    """Its fixture is a new one in each round, and each would be a line of its table."""
    outcome = dry_scenario(
        counted("""
        @pytest.mark.gomem(rounds=2)
        def test_it(gomem, benchmark):
            measured(gomem)
            benchmark.pedantic(int)

        def test_after(benchmark):
            benchmark.pedantic(int)
        """)
    ).run("-p", "benchmark", "--benchmark-columns=rounds", "-rA")
    assert "2 passed" in outcome.text, outcome.text
    table = outcome.text.partition("---- benchmark: ")[2].partition("Legend")[0]
    names = [line.split()[0] for line in table.splitlines() if line.startswith(("test_it ", "test_after "))]
    assert names == ["test_after", "test_it"], outcome.text
    assert len(outcome.window("test_it")["rounds"]) == 2
