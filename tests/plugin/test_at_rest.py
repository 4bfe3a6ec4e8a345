"""What a test leaves behind is read once the service is at rest: connections that end are in no figure."""

from __future__ import annotations

from pathlib import Path

PROGRAMS = Path(__file__).parents[1] / "programs"
SERVICES = """\
built:
  build: {programs}/server
  args: ["--listen", "127.0.0.1:{{port}}"]
  ready: {{http: /healthz}}
pub:
  binary: {published}
  args: ["--listen", "127.0.0.1:{{port}}", "--metrics"]
  ready: {{http: /healthz}}
"""
TESTS = """
    import socket

    # net/http answers such a request without its body, and waits for half a second before it ends the connection.
    UNREAD = b"POST /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: 1000000\\r\\n\\r\\n"

    def drop(service, number=20):
        clients = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(number)]
        for client in clients:
            client.sendall(UNREAD)
        for client in clients:
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
            client.close()


    # By pprof.
    @pytest.mark.gomem(service="api")
    class TestPlain:
        def test_quiet(self, go_service):
            go_service.get("/healthz")

        def test_dropped(self, go_service):
            go_service.get("/healthz")
            drop(go_service)


    # By a Prometheus page alone.
    @pytest.mark.gomem(service="pub")
    class TestPage:
        def test_quiet(self, go_service):
            go_service.get("/healthz")

        def test_dropped(self, go_service):
            go_service.get("/healthz")
            drop(go_service)


    @pytest.mark.gomem(service="built")
    class TestAgent:
        def test_quiet(self, go_service):
            go_service.get("/healthz")

        def test_dropped(self, go_service):
            go_service.get("/healthz")
            drop(go_service)

        def test_worked(self, go_service):
            go_service.get("/goroutines?n=20&ms=100")

        def test_phase(self, go_service):
            with go_service.phase("working", collect=True):
                go_service.get("/goroutines?n=20&ms=100")
            with go_service.phase("dropping", collect=True):
                go_service.get("/healthz")
                drop(go_service)

        def test_restless(self, go_service):
            go_service.get("/multiply")

        def test_opened_on_them(self, gomem):
            service = gomem.launch("built")
            service.get("/healthz")
            drop(service)
            with gomem.measure(service):
                service.get("/healthz")


    @pytest.mark.gomem(service="built")
    def test_kept(go_service):
        go_service.get("/goroutines?n=20")
"""


def test_only_what_stays_is_counted(scenario, binaries):
    """Twenty connections that end half a second later are no goroutines of the test, a service that never rests is
    measured all the same and says so; workers that end after 100 ms are none either, and what stays is counted."""
    services = SERVICES.format(programs=PROGRAMS, published=binaries("published"))
    outcome = scenario(TESTS, more_services=services).run()
    assert outcome.status == 0, outcome.text
    windows = {test["nodeid"].partition("::")[2]: test["windows"][0] for test in outcome.report["tests"]}
    found = {name: window["metrics"]["goroutines"]["value"] for name, window in windows.items()}
    assert found["TestPlain::test_dropped"] == found["TestPlain::test_quiet"]
    assert found["TestPage::test_dropped"] == found["TestPage::test_quiet"]
    assert found["TestAgent::test_dropped"] == found["TestAgent::test_quiet"] == found["TestAgent::test_opened_on_them"]
    assert found["TestAgent::test_worked"] == found["TestAgent::test_quiet"]
    phases = [phase["metrics"]["goroutines"]["value"] for phase in windows["TestAgent::test_phase"]["phases"]]
    assert phases == 2 * [found["TestAgent::test_quiet"]]
    assert found["test_kept"] == found["TestAgent::test_quiet"] + 20
    restless = windows["TestAgent::test_restless"]
    assert any("did not come to rest within" in note and "goroutines moved" in note for note in restless["notes"])
    assert "did not come to rest" in restless["metrics"]["live_heap"]["note"]
    others = [note for name, window in windows.items() if window is not restless for note in window["notes"]]
    assert not [note for note in others if "come to rest" in note]
