"""What a user is told when another process than the one that was started serves, or when it becomes another program."""

from __future__ import annotations


def test_the_one_that_serves_is_judged(scenario, binaries):
    """Below a shell the service's own peak breaks the limit; exec within a window costs MemStats, and not the peak."""
    chaos = binaries("chaos")
    outcome = scenario(
        """
        import time

        @pytest.mark.gomem(service="wrapped", peak_rss="40MB")
        def test_wrapped(go_service):
            assert int(go_service.get("/pid").text) == go_service.pid
            go_service.get("/keep?mb=70")

        @pytest.mark.gomem(service="plain", peak_rss="200MB")
        def test_exec(go_service):
            go_service.get("/keep?mb=70")
            time.sleep(0.1)
            before = go_service.process.system.image()
            go_service.get("/exec")
            while go_service.process.system.image() in (before, ""):
                time.sleep(0.01)

        @pytest.mark.gomem(service="idle", peak_rss="200MB")
        def test_idle(go_service): pass
        """,
        more_services=f"""\
        wrapped:
          command: [sh, -c, "{chaos} -listen 127.0.0.1:{{port}} -admin 127.0.0.1:{{port:admin}}; exit $?"]
          ready: {{http: /healthz}}
        plain:
          command: [{chaos}, -listen, "127.0.0.1:{{port}}", -admin, "127.0.0.1:{{port:admin}}"]
          ready: {{http: /healthz}}
        idle: {{command: [{chaos}, -mode, idle]}}
        """,
    ).run()
    assert "1 failed, 2 passed" in outcome.text, outcome.text
    assert outcome.value("test_wrapped", "peak_rss") > 70e6
    assert outcome.value("test_wrapped", "live_heap") > 70e6
    assert outcome.value("test_wrapped", "gc_cycles") > 0
    assert "is measured, because it listens" in " ".join(outcome.text.split()), outcome.text
    replaced = outcome.window("test_exec")
    assert replaced["metrics"]["peak_rss"]["value"] > 70e6
    assert "replaced itself by another program (exec)" in replaced["metrics"]["live_heap"]["reason"]
    assert "replaced itself by another program (exec)" in replaced["notes"][0]
    assert "was not checked" in outcome.window("test_idle")["notes"][0]
