"""A service under a memory limit: what is left of it, what counts, and what the reports say of it."""

from __future__ import annotations

from pathlib import Path

import pytest

MIB = 1 << 20
PROGRAM = Path(__file__).parents[1] / "programs" / "limited"
SERVICE = f"""\
limited:
  build: {PROGRAM}
  args: ["-listen", "127.0.0.1:{{port}}"]
  ready: {{http: /healthz}}
  memory_limit: 64MiB
  gc: {{gomemlimit: "90%"}}
"""
TESTS = """
import os, signal, subprocess, psutil

@pytest.mark.gomem(service="limited", min_headroom="20MiB")
def test_files(go_service):
    go_service.get("/map?n=40000000")
    go_service.get("/hold?n=10000000")
    go_service.get("/cache?n=150000000")

@pytest.mark.gomem(service="limited", min_headroom="60MiB", diagnose=False)
def test_spike(gomem):
    service = gomem.launch("limited", memory_limit={"max": "80MiB", "mode": "cgroup"})
    with gomem.measure(service):
        service.get("/child?n=30000000")

@pytest.mark.gomem(service="limited", min_headroom="1MiB", diagnose=False)
def test_attached(gomem):
    process = subprocess.Popen(["sleep", "60"])
    with gomem.measure(gomem.attach(process.pid)):
        process.kill()
    process.wait()

@pytest.mark.gomem(service="limited", diagnose=False)
def test_between_two_looks(gomem):
    service = gomem.launch("limited", memory_limit={"max": "40MiB", "mode": "simulated"}, gomemlimit="1GiB")
    watching = psutil.Process(service.pid).ppid()
    with gomem.measure(service):
        os.kill(watching, signal.SIGSTOP)
        try:
            service.get("/burst?n=60000000")
            service.free()
        finally:
            os.kill(watching, signal.SIGCONT)
"""


@pytest.mark.usefixtures("memory_groups")
def test_page_cache_is_no_headroom_lost_and_a_childs_memory_is(scenario):
    """Under 64 MiB: 150 MB of files fill the group and need no room; 30 MB of a short child do."""
    outcome = scenario(TESTS, more_services=SERVICE).run("-v")
    files, spike = outcome.window("_files"), outcome.window("_spike")
    peak, anon, left = (files["metrics"][name] for name in ("cgroup_peak", "cgroup_anon_peak", "memory_headroom"))
    assert peak["value"] > 63 * MIB
    assert "page cache" in peak["note"]
    assert 10_000_000 < anon["value"] < 24 * MIB
    assert 64 * MIB - anon["value"] - 8 * MIB < left["value"] < 64 * MIB - anon["value"]
    assert "came up to its limit by page cache" in left["note"]
    assert [one["status"] for one in files["verdicts"]] == ["pass"]
    assert files["gc"]["requested"]["gomemlimit"] == files["gc"]["effective"]["gomemlimit"] == "58982KiB"
    assert files["gc"]["effective"]["memory_limit"].startswith("64MiB, cgroup v")
    assert files["conditions"]["memory_limit"] == "64MiB"
    assert spike["gc"]["effective"]["gomemlimit"] == "72MiB", "a share of the limit that the test sets"
    assert 30_000_000 < 80 * MIB - spike["metrics"]["memory_headroom"]["value"] < 48 * MIB
    assert [one["status"] for one in spike["verdicts"]] == ["fail"]
    assert "below its floor of 60MiB" in outcome.text
    assert "only a service that is launched here has a memory limit" in outcome.text
    simulated(outcome)


def simulated(outcome):
    """A spike that came and went between two looks: a kernel would have killed the service."""
    window = outcome.window("_looks")
    assert window["gc"]["effective"]["memory_limit"] == window["conditions"]["memory_limit"] == "40MiB, simulated"
    assert -40 * MIB < window["metrics"]["memory_headroom"]["value"] < -10 * MIB
    assert "there is no memory cgroup" in window["metrics"]["cgroup_peak"]["reason"]
    assert any("GOMEMLIMIT is 1GiB, above the memory limit of 40MiB" in note for note in window["notes"])
    (verdict,) = window["verdicts"]
    assert (verdict["metric"], verdict["kind"], verdict["status"]) == ("memory_headroom", "over_limit", "fail")
    assert "above the simulated memory limit of 40MiB, between two looks at it" in " ".join(outcome.text.split())
