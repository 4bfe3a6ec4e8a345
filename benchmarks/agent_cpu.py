"""Shows what the agent costs a busy net/http service: CPU per request, against the same service without it.

Both run side by side, in fresh processes each turn: two processes of one binary differ by some percent for as long as
they live. The same number of requests goes to each, the order turned from load to load; each request allocates 20 kB,
so that GC cycles are followed all the time. `streaming` asks the agent for MemStats and the GC cycles 50 times a second
besides. `control` is the plain service once more: what the measurement itself can come to. Limit: the upper bound of
the 95% interval (Student) of the mean extra CPU per request is at most 2% for the agent as windows use it. --small
judges nothing: a few loads on a busy machine tell nothing.

    python benchmarks/agent_cpu.py [--small]
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, median, stdev

from agents import built, line, module, running
from common import small_asked, table, verdict, workshop

from pytest_gomem.base.student import quantile
from pytest_gomem.load.drivers import LoadDriver
from pytest_gomem.load.spec import LoadSpec
from pytest_gomem.observe.agent.client import AgentClient

MOST = 0.02
STREAM_RATE = 50.0
KINDS = CONTROL, AGENT, STREAMING = "control", "agent", "agent, streaming"
SOURCE = """package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
)

func main() {
	http.HandleFunc("/work", func(w http.ResponseWriter, r *http.Request) {
		words := make([]string, 300)
		for i := range words {
			words[i] = fmt.Sprint("word ", i)
		}
		json.NewEncoder(w).Encode(bytes.NewBufferString(fmt.Sprint(words)).String())
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	http.Serve(listener, nil)
}
"""


def cpu(pid: int) -> float:
    """Seconds on a CPU of all living threads, by the scheduler's count of nanoseconds."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


@contextlib.contextmanager
def streaming(client: AgentClient) -> Iterator[None]:
    """Read MemStats and GC cycles all the time."""
    ended = threading.Event()

    def read() -> None:
        while not ended.wait(1 / STREAM_RATE):
            client.memstats()
            client.gc_records(since=client.memstats().common.num_gc)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def per_request(driver: LoadDriver, pid: int, address: str, requests: int) -> float:
    """CPU seconds of the service for one request."""
    before = cpu(pid)
    driver.run(LoadSpec.of(f"http://{address}", "/work", requests=requests, connections=2))
    time.sleep(0.02)
    return (cpu(pid) - before) / requests


def extra_cpu(folder: Path, turns: int, loads: int, requests: int) -> dict[str, list[float]]:
    """The extra CPU per request as a share of the plain service's, by kind, one for each turn of fresh processes."""
    source = module(folder / "bench", SOURCE)
    plain = built(".", source, folder / "plain" / "bench", agent=False)
    with_agent = built(".", source, folder / "agent" / "bench")
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    driver = LoadDriver()
    try:
        for _ in range(turns):
            for kind, extra in one_turn(driver, plain, with_agent, loads, requests).items():
                found[kind].append(extra)
    finally:
        driver.close()
    return found


def one_turn(driver: LoadDriver, plain: Path, with_agent: Path, loads: int, requests: int) -> dict[str, float]:
    """Fresh processes side by side, each loaded as often, the order turned from load to load: medians compared."""
    with (
        running(plain, agent=False) as (bare, _, _),
        running(plain, agent=False) as (control, _, _),
        running(with_agent) as (full, client, _),
    ):
        used: dict[str, list[float]] = {kind: [] for kind in ("bare", *KINDS)}
        kinds = list(zip(used, (bare, control, full, full), strict=True))
        addresses = {process.pid: line(process).decode().strip() for process in (bare, control, full)}
        for pid, address in addresses.items():
            per_request(driver, pid, address, requests)
        for at in range(loads):
            for kind, process in kinds[at % len(kinds) :] + kinds[: at % len(kinds)]:
                stream = streaming(client) if kind == STREAMING else contextlib.nullcontext()
                with stream:
                    used[kind].append(per_request(driver, process.pid, addresses[process.pid], requests))
        return {kind: median(used[kind]) / median(used["bare"]) - 1 for kind in KINDS}


def interval(values: list[float]) -> tuple[float, float]:
    """The 95% interval of the mean."""
    half = quantile(0.025, len(values) - 1) * stdev(values) / len(values) ** 0.5
    return mean(values) - half, mean(values) + half


def main() -> int:
    """Measure and print."""
    small = small_asked(__doc__)
    turns, loads, requests = (2, 2, 300) if small else (12, 12, 4000)
    with workshop() as folder:
        found = extra_cpu(folder, turns, loads, requests)
    rows = [(kind, f"{mean(v):+.2%}", *(f"{b:+.2%}" for b in interval(v)), len(v)) for kind, v in found.items()]
    title = f"extra CPU per request, {loads} loads of {requests} requests by each process"
    table(title, ("against the plain service", "mean", "from", "to", "turns"), rows)
    upper = interval(found[AGENT])[1]
    missed = [f"up to {upper:.2%} more CPU per request, at most {MOST:.0%} is allowed"] if upper > MOST else []
    return verdict(missed, enforced=not small)


if __name__ == "__main__":
    sys.exit(main())
