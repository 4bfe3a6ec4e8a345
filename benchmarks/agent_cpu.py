"""Shows what the agent costs a busy net/http service: CPU per request, against the same service without it.

Both run side by side. A pair is the same number of requests to each, the order turned from pair to pair; each request
allocates 20 kB, so that GC cycles are followed all the time. `streaming` asks the agent for MemStats and the GC cycles
50 times a second besides. Limit: the upper bound of the 95% interval (Student) of the mean extra CPU per request is at
most 2% for the agent as windows use it. --small judges nothing: a few pairs on a busy machine tell nothing.

    python benchmarks/agent_cpu.py [--small]
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev

from agents import built, line, module, running
from common import small_asked, table, verdict, workshop

from pytest_gomem.drive.load import LoadDriver
from pytest_gomem.drive.spec import LoadSpec
from pytest_gomem.judge.student import quantile
from pytest_gomem.observe.agent.client import AgentClient

MOST = 0.02
STREAM_RATE = 50.0
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


def pairs(folder: Path, count: int, requests: int) -> dict[str, list[float]]:
    """The extra CPU per request as a share of the plain service's, by kind, one for each pair."""
    source = module(folder / "bench", SOURCE)
    plain = built(".", source, folder / "plain" / "bench", agent=False)
    with_agent = built(".", source, folder / "agent" / "bench")
    found: dict[str, list[float]] = {"agent": [], "agent, streaming": []}
    driver = LoadDriver()
    try:
        with running(plain, agent=False) as (bare, _, _), running(with_agent) as (full, client, _):
            addresses = {process.pid: line(process).decode().strip() for process in (bare, full)}
            for pid, address in addresses.items():
                per_request(driver, pid, address, requests)
            for at in range(count):
                for kind, extra in found.items():
                    stream = streaming(client) if "streaming" in kind else contextlib.nullcontext()
                    with stream:
                        order = (bare, full) if at % 2 else (full, bare)
                        used = {p.pid: per_request(driver, p.pid, addresses[p.pid], requests) for p in order}
                    extra.append(used[full.pid] / used[bare.pid] - 1)
    finally:
        driver.close()
    return found


def interval(values: list[float]) -> tuple[float, float]:
    """The 95% interval of the mean."""
    half = quantile(0.025, len(values) - 1) * stdev(values) / len(values) ** 0.5
    return mean(values) - half, mean(values) + half


def main() -> int:
    """Measure and print."""
    small = small_asked(__doc__)
    count, requests = (2, 300) if small else (40, 4000)
    with workshop() as folder:
        found = pairs(folder, count, requests)
    rows = [(kind, f"{mean(v):+.2%}", *(f"{b:+.2%}" for b in interval(v)), len(v)) for kind, v in found.items()]
    title = f"extra CPU per request, {requests} requests a pair"
    table(title, ("against the plain service", "mean", "from", "to", "pairs"), rows)
    upper = interval(found["agent"])[1]
    missed = [f"up to {upper:.2%} more CPU per request, at most {MOST:.0%} is allowed"] if upper > MOST else []
    return verdict(missed, enforced=not small)


if __name__ == "__main__":
    sys.exit(main())
