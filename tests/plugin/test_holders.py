"""Who holds the memory, from heap dumps of real services: in a failure, by hand, and where there is no answer."""

from __future__ import annotations

import stat
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "programs" / "holders"
SIZE = 8 << 10  # bytes that the program keeps of each request
REQUESTS = 300
# Without debug information of its own: the reader gets that of a second build.
SERVICE = f"""\
  build: {{package: {PROGRAM}, flags: ["-ldflags=-s -w"]}}
  args: ["--listen", "127.0.0.1:{{port}}"]
  ready: {{http: /healthz}}
"""
# At Go's own rate of samples one run in 100 knows no line of a session.
SERVICES = f"""\
holders:
{SERVICE}
sampled:
{SERVICE}
  gc: {{godebug: {{memprofilerate: 4096}}}}
"""
# A dump that ends the service is too rare to wait for.
CONFTEST = """
import os, signal
from pytest_gomem.observe.agent.client import AgentClient

dump_heap = AgentClient.dump_heap

@pytest.fixture
def deadly(monkeypatch):
    def dies(self, path, seconds):
        os.kill(self.ping().pid, signal.SIGKILL)
        dump_heap(self, path, seconds)

    monkeypatch.setattr(AgentClient, "dump_heap", dies)
"""
TESTS = f"""
def grow(service, path):
    for _ in range({REQUESTS}):
        service.get(path)

@pytest.mark.gomem(service="holders", live_heap="1MB")
def test_map(go_service):
    grow(go_service, "/session")

@pytest.mark.gomem(service="holders", live_heap="1MB")
def test_cleanup(go_service):
    grow(go_service, "/file")

@pytest.mark.gomem(service="holders", live_heap="1MB")
def test_deadly(go_service, deadly):
    grow(go_service, "/session")

@pytest.mark.gomem(service="sampled", live_heap="10MB")
def test_by_hand(go_service, tmp_path):
    grow(go_service, "/session")
    found = go_service.retention(keep=tmp_path / "heap.dump")
    holder = found.holders[0]
    assert holder.root == "global main.sessions (map[string]*main.session)"
    assert holder.path[-1].type == "[]uint8"
    assert holder.sites[0].file == "holders/main.go"
    assert found.objects("main.session").count == {REQUESTS}
    assert found.live_bytes > holder.retained > {REQUESTS * SIZE}
    assert not [name for name in found.types if "pytestGomem" in name]
    with pytest.raises(Exception, match="cannot be kept as .*heap.dump: File exists"):
        go_service.retention(keep=tmp_path / "heap.dump")
"""


def test_who_holds_what_lives(scenario, tmp_path):
    """A global, and a cleanup that no dump shows; a service that dies of it; a binary without debug information."""
    project = scenario(TESTS, more_services=SERVICES, conftest=CONFTEST)
    outcome = project.run("--gomem-diagnose=20", f"--basetemp={tmp_path / 'base'}")

    window = outcome.window("test_map")
    holder = window["holders"][0]
    assert (holder["kind"], holder["name"]) == ("global", "main.sessions")
    assert REQUESTS * SIZE < holder["retained"] < 1.1 * REQUESTS * SIZE
    assert window["objects"]["main.session"]["new"] == REQUESTS
    assert (holder["share"] > 0.9, window["diagnosis"]["rounds"]) == (True, 2)
    assert [step["type"] for step in holder["path"]][-1] == "[]uint8"
    assert holder["sites"][0]["file"] == "holders/main.go"
    held = "held by global main.sessions (map[string]*main.session) -> main.session x 300 -> []uint8 x 300: 2."
    assert held in " ".join(outcome.text.split())

    window = outcome.window("test_cleanup")
    assert window["holders"][0]["kind"] == "finalizer"
    source = PROGRAM.joinpath("main.go").read_text()
    line = source[: source.index("AddCleanup(")].count("\n") + 1
    assert (
        f"of main.file, which reaches that object itself, added at main.open (holders/main.go:{line})"
        in (window["holders"][0]["root"])
    )

    window = outcome.window("test_deadly")
    assert window["holders"] == []
    assert window["diagnosis"]["rounds"] == 1
    assert "killed by SIGKILL" in window["diagnosis"]["notes"][0]
    assert window["culprits"][0]["function"] == "main.login"

    window = outcome.window("test_by_hand")
    assert {metric["reason"] for metric in window["metrics"].values()} == {
        "retention() was called in this window, and a heap dump disturbs the service"
    }
    (kept,) = (tmp_path / "base").rglob("heap.dump")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "FAILED test_it.py::test_by_hand - live_heap is unavailable: retention() was" in outcome.text
