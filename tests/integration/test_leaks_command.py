"""The command `gomem leaks` on a real service that leaks under load."""

from __future__ import annotations

import io
import json
import threading
from contextlib import closing

from pytest_gomem.commands.cli import main
from pytest_gomem.load.connection import Request
from pytest_gomem.load.http_client import HttpClient


def test_a_real_leak_is_found_by_process_id(launch, programs):
    """Bytes and goroutines, with the lines that made them."""
    args = ["--listen", "127.0.0.1:{port}", "--admin", "127.0.0.1:{port:admin}"]
    service = launch(binary=programs["server"], args=args, ready={"http": "/healthz"})
    end, out, err = threading.Event(), io.StringIO(), io.StringIO()

    def work():
        with closing(HttpClient(f"http://127.0.0.1:{service.ports['']}")) as client:
            while not end.wait(0.02):
                client.request(Request("GET", "/alloc?bytes=65536&keep=true"))
                client.request(Request("GET", "/goroutines?n=1"))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        status = main(["leaks", str(service.child.pid), "--for", "5s", "--json"], out, err)
    finally:
        end.set()
        worker.join()
    found = json.loads(out.getvalue())
    assert err.getvalue() == ""
    # On a busy machine the work is not steady enough to call it growth.
    assert status == int("grows" in (found["live_heap"]["shape"], found["goroutines"]["shape"]))
    assert all(found[name]["last"] > found[name]["first"] for name in ("live_heap", "goroutines", "rss"))
    assert found["culprits"][0]["function"].endswith("keeper).alloc")
    assert found["goroutine_groups"][0]["function"].endswith("keeper).goroutines.func1")
