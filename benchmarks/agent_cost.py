"""What the agent costs a service and what it catches: `python benchmarks/agent_cost.py [--small]`.

Each figure names what it compares: `plain` is built without the agent, `off` with it but without its environment
variable, `on` with it listening. --small takes a few seconds, for CI; it exits with 1 when a cycle or a spike is lost.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.launch.overlay import Overlay, overlay_for
from pytest_gomem.launch.toolchain import find_toolchain
from pytest_gomem.observe.agent.client import AgentClient, read_peak
from pytest_gomem.pprof.aggregate import aggregate
from pytest_gomem.pprof.read import parse_profile

BARE = """package main

import (
	"os"
	"runtime"
	"strconv"
	"time"
)

var sink []byte

func spike() {
	sink = make([]byte, 200<<20)
	for i := 0; i < len(sink); i += 4096 {
		sink[i] = 1
	}
	time.Sleep(5 * time.Millisecond)
	sink = nil
}

// cycles forces that many, evenly over the time.
func cycles(n int, d time.Duration) {
	start := time.Now()
	for i := 0; i < n; i++ {
		time.Sleep(time.Until(start.Add(d * time.Duration(i) / time.Duration(n))))
		runtime.GC()
	}
}

func main() {
	if len(os.Args) > 2 {
		n, _ := strconv.Atoi(os.Args[1])
		ms, _ := strconv.Atoi(os.Args[2])
		cycles(n, time.Duration(ms)*time.Millisecond)
	} else if len(os.Args) > 1 {
		os.Stdin.Read(make([]byte, 1))
		spike()
	}
	os.Stdout.Write([]byte("done\\n"))
	os.Stdin.Read(make([]byte, 1))
}
"""
HTTP = """package main

import (
	"net/http"
	_ "net/http/pprof"
	"os"
)

func main() {
	go http.ListenAndServe("127.0.0.1:0", nil)
	os.Stdout.Write([]byte("done\\n"))
	os.Stdin.Read(make([]byte, 1))
}
"""


def main() -> int:
    """Print every figure; 1 when one that must hold does not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="seconds instead of minutes")
    small = parser.parse_args().small
    with tempfile.TemporaryDirectory(prefix="gomem-") as folder:
        bare = build(Path(folder) / "bare", BARE)
        sizes("bare program", bare, runs=1 if small else 15)
        if not small:
            sizes("net/http + net/http/pprof", build(Path(folder) / "http", HTTP), runs=15)
        idle(bare["agent"], seconds=1 if small else 5)
        reading(bare["agent"], count=20 if small else 200)
        followed = follow(bare["agent"], rate=850, seconds=1 if small else 10)
        per_cycle(bare["agent"], count=200 if small else 2000, pairs=2 if small else 15)
        named = spikes(bare["agent"], runs=1 if small else 20)
    return 0 if followed and named else 1


def build(folder: Path, source: str) -> dict[str, Path]:
    """The binaries `plain` and `agent`, with the time that `go build` took for each on a warm cache."""
    folder.mkdir()
    (folder / "go.mod").write_text("module bench\n\ngo 1.21\n")
    (folder / "main.go").write_text(source)
    go = find_toolchain().go
    overlay = overlay_for(".", folder, folder, go, os.environ)
    assert isinstance(overlay, Overlay), overlay
    binaries = {"plain": folder / "plain", "agent": folder / "with_agent"}
    for kind, flags in (("plain", ()), ("agent", overlay.flags)):
        times = []
        for _ in range(2):
            start = time.perf_counter()
            subprocess.run([go, "build", "-o", str(binaries[kind]), *flags, "."], cwd=folder, check=True)
            times.append(time.perf_counter() - start)
        print(f"{folder.name}: go build {kind}: {min(times):.2f} s")
    return binaries


@contextlib.contextmanager
def running(
    binary: Path, *args: str, agent: bool = True, procs: int = 2
) -> Iterator[tuple[subprocess.Popen[bytes], AgentClient]]:
    """The program, and the client of its agent."""
    with tempfile.TemporaryDirectory(prefix="gomem-") as folder:
        socket = Path(folder) / "agent"
        env = {**os.environ, "GOMAXPROCS": str(procs), **({"PYTEST_GOMEM_AGENT": str(socket)} if agent else {})}
        with subprocess.Popen([binary, *args], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            client = AgentClient(socket)
            if agent:
                client.wait(10)
            try:
                yield process, client
            finally:
                client.close()
                process.kill()


def done(process: subprocess.Popen[bytes]) -> None:
    """Wait until the program has done its work."""
    assert process.stdout is not None
    assert process.stdout.readline() == b"done\n"


def status(pid: int, key: str) -> int:
    """A line of /proc/PID/status, kB as bytes."""
    value = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())[key].split()
    return int(value[0]) * (1024 if len(value) > 1 else 1)


def cpu(pid: int) -> float:
    """Seconds on a CPU of all living threads, by the scheduler's count of nanoseconds."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def sizes(name: str, binaries: dict[str, Path], runs: int) -> None:
    """Binary size, and the medians of RSS, threads and descriptors when the program waits."""
    for kind, binary, on in (("plain", "plain", False), ("off", "agent", False), ("on", "agent", True)):
        rss, threads, fds = [], [], []
        for _ in range(runs):
            with running(binaries[binary], agent=on) as (process, _client):
                done(process)
                time.sleep(0.1)
                rss.append(status(process.pid, "VmRSS"))
                threads.append(status(process.pid, "Threads"))
                fds.append(len(list(Path(f"/proc/{process.pid}/fd").iterdir())))
        print(
            f"{name}, {kind}: binary {binaries[binary].stat().st_size / 1e6:.2f} MB, "
            f"RSS {statistics.median(rss) / 1e6:.2f} MB, threads {statistics.median(threads):.0f}, "
            f"descriptors {statistics.median(fds):.0f}"
        )


def idle(binary: Path, seconds: float) -> None:
    """CPU of a waiting program."""
    for on in (False, True):
        with running(binary, agent=on) as (process, _):
            done(process)
            time.sleep(0.3)
            start = cpu(process.pid)
            time.sleep(seconds)
            used = cpu(process.pid) - start
            print(f"idle, {'on' if on else 'off'}: {1e3 * used:.2f} ms CPU in {seconds:.0f} s = {used / seconds:.4%}")


def reading(binary: Path, count: int) -> None:
    """Time of a reading as its caller sees it, CPU and allocation in the service."""
    with running(binary) as (process, client):
        done(process)
        commands: dict[str, Callable[[], object]] = {
            "memstats": client.memstats,
            "metrics": client.metrics,
            "cycles": client.gc_records,
            "profile heap": lambda: client.profile("heap"),
            "free": client.free,
        }
        for name, command in commands.items():
            command()
            before, start, used = client.memstats().common, time.perf_counter(), cpu(process.pid)
            for _ in range(count):
                command()
            used, took, after = cpu(process.pid) - used, time.perf_counter() - start, client.memstats().common
            allocated = (after.total_alloc - before.total_alloc) / count
            print(
                f"{name}: {1e6 * took / count:.0f} us, CPU of the service {1e6 * used / count:.0f} us, "
                f"{allocated:.0f} bytes allocated"
            )


def follow(binary: Path, rate: int, seconds: int) -> bool:
    """Whether each of so many cycles a second has its record."""
    with running(binary, str(rate * seconds), str(1000 * seconds)) as (process, client):
        start = time.perf_counter()
        done(process)
        took = time.perf_counter() - start
        records, num_gc = client.gc_records(), client.memstats().common.num_gc
        print(
            f"{num_gc / took:.0f} cycles/s for {took:.1f} s: {len(records.cycles)} records + {records.lost} lost = "
            f"{len(records.cycles) + records.lost}, NumGC {num_gc}"
        )
        return records.lost == 0 and len(records.cycles) == num_gc


def per_cycle(binary: Path, count: int, pairs: int) -> None:
    """CPU that a cycle costs more when it is recorded, and when the peak is looked for; GOMAXPROCS=1, less noise."""
    used: dict[str, list[float]] = {"off": [], "on": [], "peak": []}
    for _ in range(pairs):
        for kind, spent in used.items():
            with running(binary, str(count), "0", agent=kind != "off", procs=1) as (process, client):
                if kind == "peak":
                    client.start_peak(Path(tempfile.mkdtemp(prefix="gomem-")) / "peak")
                done(process)
                spent.append(cpu(process.pid))
    for kind in ("on", "peak"):
        extra = [1e6 * (b - a) / count for a, b in zip(used["off"], used[kind], strict=True)]
        print(
            f"a cycle, {kind} - off: {statistics.median(extra):.2f} us CPU (median of {pairs} pairs, "
            f"{min(extra):.2f}..{max(extra):.2f}) of {1e6 * statistics.median(used['off']) / count:.0f} us"
        )


def spikes(binary: Path, runs: int) -> bool:
    """Whether the peak's profile names the function of a spike of 200 MB and 5 ms that no cycle follows."""
    named, forced = 0, []
    for _ in range(runs):
        with running(binary, "spike") as (process, client), tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "peak"
            client.start_peak(path)
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.flush()
            done(process)
            time.sleep(0.05)
            forced.append(client.memstats().common.num_forced_gc)
            with contextlib.suppress(ObserveError):
                rows = aggregate(parse_profile(read_peak(path).profile), "inuse_space").rows
                named += bool(rows) and rows[0].frame.function == "main.spike"
    print(f"spike of 200 MB and 5 ms: named {named} of {runs}; cycles forced for it {json.dumps(sorted(forced))}")
    return named == runs


if __name__ == "__main__":
    sys.exit(main())
