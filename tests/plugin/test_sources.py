"""Sources beside agent and pprof: expvar, Prometheus and a user's own are found, ranked, and say so in each metric."""

from __future__ import annotations

from pathlib import Path

PROGRAMS = Path(__file__).parents[1] / "programs"

ALLOC = """
    @pytest.mark.gomem(service="pub")
    def test_alloc(go_service):
        for _ in range(20):
            go_service.get("/alloc?bytes=1000000")
"""


def published(binaries, *options: str, keys: str = "") -> str:
    args = ", ".join(f'"{option}"' for option in ("--listen", "127.0.0.1:{port}", *options))
    return f"pub:\n  binary: {binaries('published')}\n  args: [{args}]\n  ready: {{http: /healthz}}\n{keys}"


def metrics_of(outcome) -> dict:
    assert outcome.status == 0, outcome.text
    return outcome.window("test_alloc")["metrics"]


def test_expvar_is_memstats_where_nobody_else_tells_them(scenario, binaries):
    """Its MemStats are complete, but for what needs a forced collection; the goroutines are told by nobody."""
    metrics = metrics_of(scenario(ALLOC, more_services=published(binaries, "--expvar")).run())
    assert 19e6 < metrics["total_alloc"]["value"] < 22e6
    assert metrics["total_alloc"]["source"].endswith("by expvar")
    assert metrics["gc_pause_max"]["source"].endswith("PauseNs by expvar")
    assert metrics["heap_sys"]["value"] > 0
    assert "cannot force a collection" in metrics["live_heap"]["reason"]
    assert "no Prometheus page found" in metrics["goroutines"]["reason"]


def test_prometheus_tells_what_it_has(scenario, binaries):
    """Counters and gauges of client_golang stand in for MemStats, one by one."""
    metrics = metrics_of(scenario(ALLOC, more_services=published(binaries, "--metrics")).run())
    assert 19e6 < metrics["total_alloc"]["value"] < 22e6
    for name in ("total_alloc", "heap_sys", "heap_goal", "goroutines"):
        assert metrics[name]["source"].endswith("by prometheus")
    assert metrics["gc_cycles"]["source"] == "gctrace"
    assert "no expvar page found" in metrics["live_heap"]["reason"]
    assert "no agent is built into it" in metrics["stack_inuse"]["reason"]


def test_a_source_of_ones_own(scenario, binaries):
    """It comes by the hook; the most trusted source goes first, whoever brings it."""
    conftest = """
        import time
        import pytest_gomem as gm

        class Constant:
            def read(self):
                return gm.Observed(time.monotonic(), {"goroutines": 42, "heap_sys": 1})

            def close(self):
                pass

        def pytest_gomem_sources():
            return [gm.Source("constant", 45, frozenset({"goroutines", "heap_sys"}), lambda target: Constant())]
    """
    metrics = metrics_of(
        scenario(ALLOC, more_services=published(binaries, "--expvar", "--metrics"), conftest=conftest).run()
    )
    assert (metrics["goroutines"]["value"], metrics["goroutines"]["source"]) == (
        42,
        "number of goroutines, once two readings agree, by constant",
    )
    assert metrics["heap_sys"]["source"].endswith("by expvar")


def test_two_sources_are_compared(scenario, binaries):
    """A page named in gomem.yaml is read beside the agent: where it is right all checks agree, where not it is told."""
    named = '  metrics: "http://127.0.0.1:{port}/metrics"\n'
    built = f"  build: {PROGRAMS / 'published'}\n  args: ["
    services = "".join(
        f"{name}:\n{built}{options}]\n  ready: {{http: /healthz}}\n{named}"
        for name, options in (
            ("honest", '"--listen", "127.0.0.1:{port}", "--metrics"'),
            ("liar", '"--listen", "127.0.0.1:{port}", "--metrics", "--lie"'),
        )
    )
    outcome = scenario(
        """
        @pytest.mark.parametrize("name", ["honest", "liar"])
        def test_alloc(gomem, name):
            service = gomem.launch(name)
            with gomem.measure(service):
                for _ in range(20):
                    service.get("/alloc?bytes=1000000")
        """,
        more_services=services,
    ).run()
    assert outcome.status == 0, outcome.text
    honest, liar = (outcome.window(f"test_alloc[{name}]") for name in ("honest", "liar"))
    made = {(check["quantity"], *check["sources"]): check["agrees"] for check in honest["cross_checks"]}
    assert made.pop(("pause_total", "agent", "prometheus"), True)
    assert made == {
        ("total_alloc", "agent", "prometheus"): True,
        ("mallocs", "agent", "prometheus"): True,
        ("num_gc", "agent", "prometheus"): True,
        ("rss", "kernel", "prometheus"): True,
        ("cpu", "kernel", "prometheus"): True,
        ("num_gc", "agent", "gctrace"): True,
        ("num_forced_gc", "agent", "gctrace"): True,
        ("pause_total", "agent", "gctrace"): True,
    }
    assert honest["notes"] == []
    assert [c["quantity"] for c in liar["cross_checks"] if not c["agrees"]] == ["total_alloc"]
    assert any("two sources disagree on total_alloc" in note for note in liar["notes"])
    assert honest["metrics"]["total_alloc"]["source"].endswith("by the agent")


def test_a_broken_budget_of_a_service_that_has_expvar_alone(scenario, binaries):
    """What such a window cannot leave behind is told beside the broken limit, and takes nothing else along."""
    test = ALLOC.replace('service="pub"', 'service="pub", total_alloc="1MB"')
    outcome = scenario(test, more_services=published(binaries, "--expvar")).run("--gomem-diagnose=20")
    assert outcome.status == 1
    assert "total_alloc is 2" in outcome.text
    notes = outcome.window("test_alloc")["notes"]
    assert "no stacks of goroutines: expvar has no stacks of goroutines" in " ".join(notes)
    assert "AttributeError" not in outcome.text


def test_what_a_service_publishes_can_be_budgeted(scenario, binaries):
    """Beside the agent's own figures: in the marker, in gomem.yaml, in phases, in check() and in the test's body."""
    args = '"--listen", "127.0.0.1:{port}", "--metrics", "--expvar"'
    pub = f"pub:\n  build: {PROGRAMS / 'published'}\n  args: [{args}]\n  ready: {{http: /healthz}}\n"
    outcome = scenario(
        """
        OWN = {
            "prom:store_allocs_total{keep='true'}": 0, "prom:store_allocs_total per_op": 1,
            "prom:scrapes_total": 0, "expvar:store.heldBytes": "2MB", "prom:store_held_byte": 5,
            "phases": {"keep": {"prom:store_allocs_total": 1}},
        }

        @pytest.mark.gomem(service="pub", **OWN)
        def test_alloc(gomem):
            service = gomem.launch("pub")
            with gomem.measure(service) as m:
                for _ in range(5):
                    service.get("/alloc?bytes=1000")
                with service.phase("keep"):
                    service.get("/alloc?bytes=3000000&keep=true")
            assert m['prom:store_allocs_total{keep=true}'] == 1
            assert m["expvar:store.allocs per_op"] == 1
            assert m.get("prom:store_held_bytes") is None
            m.check(**{"expvar:store.allocs per_op": 1})
        """,
        budgets="""
        budgets:
          defaults:
            "prom:store_allocs_total{keep=true}": {warn: 1, max: 9}
            "expvar:store.allocs per_op": 1
        """,
        more_services=pub,
    ).run("-n1", "--gomem-diagnose=off")
    assert outcome.status == 1
    assert "prom:store_allocs_total{keep=true} is 1, 1 over its limit of 0" in outcome.text
    print(outcome.text)
    window = outcome.window("test_alloc")
    verdicts = {(v["metric"], v["phase"] or ""): v["status"] for v in window["verdicts"]}
    assert sum(v["metric"] == "expvar:store.allocs per_op" for v in window["verdicts"]) == 2  # check() too
    assert verdicts == {
        ("prom:store_allocs_total{keep=true}", ""): "fail",
        ("prom:store_allocs_total per_op", ""): "pass",
        ("prom:scrapes_total", ""): "pass",
        ("expvar:store.heldBytes", ""): "fail",
        ("expvar:store.allocs per_op", ""): "pass",
        ("prom:store_held_byte", ""): "unavailable",
        ("prom:store_allocs_total", "keep"): "pass",
    }
    metrics = window["metrics"]
    assert "did you mean store_held_bytes?" in metrics["prom:store_held_byte"]["reason"]
    told = {name: (m["value"], m["unit"], m["source"]) for name, m in metrics.items() if m["value"] is not None}
    assert told["prom:store_allocs_total per_op"] == (1, "count/op", "prometheus")
    assert told["expvar:store.heldBytes"] == (3e6, "bytes", "expvar")
