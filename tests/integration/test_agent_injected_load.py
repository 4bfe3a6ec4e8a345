"""The injected load: what the agent adds to a real service, as its own MemStats count it."""

from __future__ import annotations

import subprocess
import tempfile
import urllib.request
from pathlib import Path

import pytest
from agent_programs import PATIENCE, running

from pytest_gomem.base.errors import ObserveError


@pytest.fixture
def served(binaries):
    """The server's agent, and a function that fetches from it."""
    with (
        tempfile.TemporaryDirectory(prefix="gomem-") as folder,
        running(
            binaries("server", agent=True), Path(folder), "--listen=127.0.0.1:0", "--log-ready", stderr=subprocess.PIPE
        ) as program,
    ):
        base = f"http://{program.process.stderr.readline().split()[-1]}"
        yield program.agent, lambda path: urllib.request.urlopen(base + path, timeout=PATIENCE).read()


def live_heap(agent):
    agent.gc()
    return agent.memstats().common.heap_alloc


@pytest.mark.parametrize("size", [1000, 222_222, 3_000_000])
def test_what_is_retained_shows_in_the_live_heap(served, size):
    """The live heap grows by the bytes asked for, give or take what an idle runtime does by itself, and falls again."""
    agent, _ = served
    before = live_heap(agent)
    about = pytest.approx(size, rel=0.01, abs=8000)
    agent.retain(size)
    assert live_heap(agent) - before == about
    agent.retain(size)  # in place of those before, not on top
    assert live_heap(agent) - before == about
    assert agent.end_injected().retained == 0
    assert abs(live_heap(agent) - before) < 8000


@pytest.mark.parametrize(("share", "size"), [(0.05, 20_000), (0.5, 200), (0.02, 1_500_000)])
def test_churn_is_a_share_of_what_the_service_allocates(served, share, size):
    """Bytes and objects rise by the share, whatever the service's mean size, and nothing of it stays."""
    agent, get = served
    get("/alloc?bytes=1")
    held = live_heap(agent)
    before = agent.memstats().common
    agent.churn(share)
    for _ in range(150):
        get(f"/alloc?bytes={size}")
    own = agent.churn(0)
    after = agent.memstats().common
    service_bytes = after.total_alloc - before.total_alloc - own.churned_bytes
    service_objects = after.mallocs - before.mallocs - own.churned_objects
    assert service_bytes > 150 * size
    assert own.churned_bytes == pytest.approx(share * service_bytes, rel=0.01, abs=4000)
    assert own.churned_objects == pytest.approx(share * service_objects, rel=0.01, abs=20)
    assert abs(live_heap(agent) - held) < 50_000


def test_the_agents_own_goroutine_is_told(served):
    """A churn is a goroutine of the agent's, left out of the service's count, and gone when it ends."""
    agent, _ = served
    own, others = agent.ping().agent_goroutines, agent.memstats().common.goroutines
    agent.churn(0.1)
    assert agent.ping().agent_goroutines == own + 1
    assert agent.memstats().common.goroutines == others
    agent.end_injected()
    assert agent.ping().agent_goroutines == own


def test_what_makes_no_sense_is_refused(served):
    """A negative size or share is an error of the agent's, and the service goes on."""
    agent, _ = served
    with pytest.raises(ObserveError, match="invalid syntax"):
        agent.retain(-1)
    for share in (-0.1, float("nan"), 1e9):
        with pytest.raises(ObserveError, match="between 0 and 100"):
            agent.churn(share)
    assert agent.end_injected().churned_bytes == 0
