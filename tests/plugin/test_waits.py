"""Waits for a service that does not answer end, and what comes as it comes is one operation."""

from __future__ import annotations

import re


def test_waits(scenario):
    """A stopped service is named at once in a request, a load and the figures; a stream counts when it begins."""
    outcome = scenario(
        """
        import os, signal, time
        import psutil

        @pytest.mark.gomem(live_heap="1GB")
        def test_stopped(go_service):
            go_service.get("/healthz")
            os.kill(go_service.pid, signal.SIGSTOP)
            while psutil.Process(go_service.pid).status() != psutil.STATUS_STOPPED:
                time.sleep(0.01)
            with pytest.raises(Exception) as caught:
                go_service.get("/healthz", timeout="100ms")
            print("GET:", caught.value)
            go_service.load("/healthz", requests=100, connections=2, timeout="100ms")

        def test_stream(go_service):
            with go_service.stream("/healthz") as answer:
                assert answer.ok
                print("BODY:", list(answer.lines()))
        """
    ).run("-rA")
    assert outcome.status == 1
    stopped = r"process \d+ is stopped \(state T\): send it SIGCONT"
    assert_found(outcome.text, rf"GET: GET http://127.0.0.1:\d+/healthz got no whole answer within 0\.1 s\n  {stopped}")
    assert_found(outcome.text, r"2 of 2 requests failed: 2 x timeout\n\S*\s+98 more were not sent: ")
    assert_found(outcome.text, r"BODY: \['ok'\]")
    window = outcome.window("test_stopped")
    assert_found(window["metrics"]["live_heap"]["reason"], rf"^{stopped}$")
    assert [(load["requests"], load["statuses"]) for load in outcome.window("test_stream")["loads"]] == [
        (1, {"200": 1})
    ]


def assert_found(text, pattern):
    assert re.search(pattern, text), text
