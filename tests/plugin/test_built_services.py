"""What the agent in a built service adds: exact figures without an endpoint, own peaks, a clean log."""

from __future__ import annotations

from pathlib import Path

from pytest_gomem.launch.overlay import agent_mark

PROGRAMS = Path(__file__).parents[1] / "programs"
BUILT = f"""\
built:
  build: {PROGRAMS}/server
  args: ["--listen", "127.0.0.1:{{port}}"]
  ready: {{http: /healthz}}
plain:
  build: {PROGRAMS}/server
  agent: false
  args: ["--listen", "127.0.0.1:{{port}}"]
  ready: {{http: /healthz}}
"""


SUPERVISOR = """package main

import (
	"flag"
	"net/http"
)

var kept [][]byte

func keep(http.ResponseWriter, *http.Request) {
	kept = append(kept, make([]byte, 60_000_000))
}

func main() {
	listen := flag.String("listen", "", "")
	flag.Parse()
	http.HandleFunc("/keep", keep)
	panic(http.ListenAndServe(*listen, nil))
}
"""


def test_figures_without_an_endpoint(scenario, tmp_path):
    """A service without pprof is measured by its agent; with agent: false the reason says both ways are missing.

    Also where TMPDIR is so long that no socket can be below it.
    """
    temporary = tmp_path / ("t" * 90)
    temporary.mkdir()
    outcome = scenario(
        """
        @pytest.mark.gomem(service="built", ops=1, alloc_bytes_per_op="7MB")
        def test_agent(go_service):
            assert go_service.set_gc_percent(50) == 100
            go_service.get("/alloc?bytes=5000000&keep=true")
            go_service.get("/stderr?lines=5&len=30")
            assert go_service.log().count("\\n") == 5

        @pytest.mark.gomem(service="plain")
        def test_plain(go_service):
            with pytest.raises(Exception, match="agent: false"):
                go_service.free()
        """.replace("ops=1, ", ""),
        more_services=BUILT,
    ).run(env={"TMPDIR": str(temporary)})
    assert outcome.status == 0, outcome.text
    assert not list(temporary.iterdir())
    assert outcome.value("test_agent", "live_heap") > 5e6
    assert outcome.window("test_agent")["gc"]["effective"]["gogc"] == "50"
    assert_seen_inside(outcome.window("test_agent"))
    with_agent, without = (outcome.window(test)["conditions"] for test in ("test_agent", "test_plain"))
    assert (with_agent["agent"], with_agent["agent_source"]) == ("yes", agent_mark())
    assert (without["agent"], "agent_source" in without) == ("no", False)
    reason = outcome.window("test_plain")["metrics"]["live_heap"]["reason"]
    assert "no pprof endpoint found" in reason
    assert "gomem.yaml says agent: false" in reason


def assert_seen_inside(window) -> None:
    """What runtime/metrics, BySize and both records of each GC cycle tell."""
    values = {name: metric["value"] for name, metric in window["metrics"].items()}
    assert values["scan_total"] == sum(values[f"scan_{part}"] for part in ("heap", "stack", "globals"))
    assert values["sched_latency_p99"] > 0
    parts = ("mspan_sys", "mcache_sys", "profile_buckets", "gc_sys", "other_sys")
    assert values["runtime_overhead"] == sum(values[part] for part in parts)
    assert 0 <= values["runtime_free"] < values["mspan_sys"] + values["mcache_sys"]
    allocated = sum(growth["bytes"] for growth in window["size_classes"])
    assert allocated - 20_000 < values["total_alloc"] <= allocated
    cycles = window["cycles"]
    assert values["gc_cycles"] == len(cycles) >= 1
    assert all(None not in cycle.values() for cycle in cycles), cycles
    assert sum(bucket["count"] for bucket in window["histograms"]["gc_stops"]) == 2 * len(cycles)
    assert all(check["agrees"] for check in window["cross_checks"])


def test_each_test_on_a_shared_service_has_its_own_peak(scenario):
    """The agent returns what an earlier test left, so that a small test's peak is its own number."""
    outcome = scenario(
        """
        import pytest

        @pytest.fixture(scope="session")
        def shared(gomem_session):
            return gomem_session.launch("built")

        def test_big(shared, gomem):
            with gomem.measure(shared):
                shared.get("/alloc?bytes=80000000&keep=false")

        def test_small(shared, gomem):
            with gomem.measure(shared):
                shared.get("/alloc?bytes=8000000&keep=false")

        def test_quiet(shared, gomem):
            with gomem.measure(shared):
                pass
        """,
        more_services=BUILT,
    ).run()
    assert outcome.status == 0, outcome.text
    assert 0 < outcome.value("test_quiet", "peak_rss") < 40e6
    assert outcome.value("test_big", "peak_rss") > 80e6
    assert 8e6 < outcome.value("test_small", "peak_rss") < 40e6


def test_profile_of_the_peak(scenario):
    """Where a limit on a peak is broken, the heap profile of the highest cycle reaches the report as an artifact."""
    project = scenario(
        """
        @pytest.mark.gomem(service="built", peak_rss="1MB")
        def test_peak(go_service):
            for _ in range(3):
                go_service.get("/alloc?bytes=20000000&keep=true")
                go_service.gc_now()
        """,
        more_services=BUILT,
    )
    outcome = project.run("--gomem-artifacts=artifacts", "--gomem-diagnose=20")
    assert outcome.status == 1
    profile = project.folder / "artifacts" / outcome.window("test_peak")["artifacts"]["peak_profile"]
    assert profile.read_bytes()[:2] == b"\x1f\x8b"


def test_each_window_on_a_process_has_its_own_peak_profile(scenario):
    """A spike before is forgotten: the second window names its own function.

    The live heap, which is asked of the profile of the close, does not stand for the peak.
    """
    outcome = scenario(
        """
        @pytest.mark.gomem(live_heap="1kB", peak_rss="1MB")
        def test_first(gomem):
            service = gomem.launch("built")
            with gomem.measure(service, "large"):
                service.get("/allocate?size=60000000")
                service.gc_now()
                service.get("/allocate?size=1")
            with gomem.measure(service, "small"):
                service.get("/allocate?size=20000000&fat=true")
                service.gc_now()
        """,
        more_services=BUILT.replace("server", "profiled"),
    ).run("--gomem-diagnose=20")
    assert outcome.status == 1
    large, small = (outcome.window("test_first", index) for index in range(2))
    first, second = (
        next(culprit for culprit in window["culprits"] if culprit["metric"] == "peak_rss") for window in (large, small)
    )
    assert (first["function"], second["function"]) == ("main.lean", "main.fatter")
    assert "-" not in second["reason"]


def test_a_line_of_package_main_is_named_from_its_module(scenario, tmp_path):
    """In a program whose one package lies in cmd/api, as where no other was sampled."""
    folder = tmp_path / "supervisor" / "cmd" / "api"
    folder.mkdir(parents=True)
    (folder.parents[1] / "go.mod").write_text("module example.com/supervisor\n\ngo 1.21\n")
    (folder / "main.go").write_text(SUPERVISOR)
    supervisor = f"""\
supervisor:
  build: {folder}
  args: ["--listen", "127.0.0.1:{{port}}"]
  ready: {{tcp: true}}
"""
    outcome = scenario(
        """
        @pytest.mark.gomem(service="supervisor", live_heap="10MB")
        def test_keep(go_service):
            go_service.get("/keep")
        """,
        more_services=supervisor,
    ).run("--gomem-diagnose=20")
    assert outcome.status == 1
    first = outcome.window("test_keep")["culprits"][0]
    assert (first["function"], first["file"]) == ("main.keep", "cmd/api/main.go")
    assert f"cmd/api/main.go:{first['line']}" in outcome.text
