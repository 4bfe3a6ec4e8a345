"""What a test leaves behind is read once the service is at rest: connections that end are in no figure."""

from __future__ import annotations

from pathlib import Path

PROGRAMS = Path(__file__).parents[1] / "programs"
SERVICES = f"""\
built:
  build: {PROGRAMS}/server
  args: ["--listen", "127.0.0.1:{{port}}"]
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


    @pytest.mark.gomem(service="built")
    class TestAgent:
        def test_quiet(self, go_service):
            go_service.get("/healthz")

        def test_dropped(self, go_service):
            go_service.get("/healthz")
            drop(go_service)

        def test_restless(self, go_service):
            go_service.get("/multiply")


    @pytest.mark.gomem(service="built")
    def test_kept(go_service):
        go_service.get("/goroutines?n=20")
"""


def test_only_what_stays_is_counted(scenario):
    """Twenty connections that end half a second later are no goroutines of the test, and what stays is counted.

    A service that never rests is measured all the same and says so. tests/unit/test_session_window.py has the rest:
    when a window opens, in phases, and by sources that force no collection.
    """
    outcome = scenario(TESTS, more_services=SERVICES).run()
    assert outcome.status == 0, outcome.text
    windows = {test["nodeid"].partition("::")[2]: test["windows"][0] for test in outcome.report["tests"]}
    found = {name: window["metrics"]["goroutines"]["value"] for name, window in windows.items()}
    assert found["TestPlain::test_dropped"] == found["TestPlain::test_quiet"]
    assert found["TestAgent::test_dropped"] == found["TestAgent::test_quiet"]
    assert found["test_kept"] == found["TestAgent::test_quiet"] + 20
    restless = windows["TestAgent::test_restless"]
    assert any("did not come to rest within" in note and "goroutines moved" in note for note in restless["notes"])
    assert "did not come to rest" in restless["metrics"]["live_heap"]["note"]
    others = [note for name, window in windows.items() if window is not restless for note in window["notes"]]
    assert not [note for note in others if "come to rest" in note]
