"""Measures what a heap dump costs: the stop of the service, and the seconds and memory of reading it.

A small service holds 0.1, 1 and 5 million objects (dump_cost/main.go) and answers requests, one after the other, while
its dump is written. The longest of them is how long it stood still. The reader then names what holds the memory. Five
million objects are to be dumped, read and answered in 10 s, by a reader that takes no more than 1 GB.

    python benchmarks/dump_cost.py [--objects 100000,1000000,5000000] [--runs 3]
    python benchmarks/dump_cost.py --small    100 000 objects once, for CI, where only memory is judged
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from common import BUILT, mb, ms, table, verdict, workshop

from pytest_gomem.config.services import BuildSpec
from pytest_gomem.launch.build import build_once
from pytest_gomem.launch.go_program import program_environment
from pytest_gomem.retention.reader_program import reader_program
from pytest_gomem.retention.reading import read_dump

PROGRAM = Path(__file__).parent / "dump_cost"
SIZES, SMALL_SIZES = (100_000, 1_000_000, 5_000_000), (100_000,)
GOAL_OBJECTS, GOAL_SECONDS, GOAL_MEMORY = 5_000_000, 10.0, 1e9
HOLDER = "global main.open (*main.shop)"
PATIENCE = 120.0  # seconds


@dataclass(frozen=True)
class Cost:
    """Of one dump. dumped, read: seconds; quiet, stopped: the longest request before it and while it is written."""

    objects: int
    bytes: int
    dumped: float
    quiet: float
    stopped: float
    read: float
    memory: int
    typed: float
    holder: str

    @property
    def seconds(self) -> float:
        """Until there is an answer."""
        return self.dumped + self.read


class Requests(threading.Thread):
    """Asks a service again and again; `longest`: seconds that a request took."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.longest = 0.0
        self._address, self._ends = address, threading.Event()

    def run(self) -> None:
        """Ask until it is ended."""
        connection = HTTPConnection(self._address, timeout=PATIENCE)
        while not self._ends.is_set():
            began = time.monotonic()
            connection.request("GET", "/")
            connection.getresponse().read()
            self.longest = max(self.longest, time.monotonic() - began)
            time.sleep(0.001)

    def end(self) -> float:
        """The longest request."""
        self._ends.set()
        self.join(PATIENCE)
        return self.longest


def dumped(binary: Path, objects: int, dump: Path) -> tuple[float, float, float]:
    """Have a service write its dump; seconds of the dump, and of the longest request before and meanwhile."""
    service = subprocess.Popen([binary, f"-objects={objects}"], stdout=subprocess.PIPE, text=True)
    try:
        assert service.stdout is not None
        address = service.stdout.readline().strip()
        before = Requests(address)
        before.start()
        time.sleep(0.5)
        quiet = before.end()
        meanwhile = Requests(address)
        meanwhile.start()
        connection = HTTPConnection(address, timeout=PATIENCE)
        began = time.monotonic()
        connection.request("GET", f"/dump?to={dump}")
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        return time.monotonic() - began, quiet, meanwhile.end()
    finally:
        service.kill()
        service.wait()


def reading(dump: Path, binary: Path, folder: Path) -> tuple[float, int, dict[str, Any]]:
    """Seconds and peak memory of the reader as the product runs it, and its answer."""
    began = time.monotonic()
    with (folder / "answer.json").open("w+") as out:
        command = [reader_program(folder), "-binary", binary, "-memory", str(1 << 30), "-top", "12", dump]
        reader = subprocess.Popen(command, stdout=out, env=program_environment())
        _, status, used = os.wait4(reader.pid, 0)
        seconds = time.monotonic() - began
        assert status == 0, status
        out.seek(0)
        return seconds, used.ru_maxrss * 1024, json.load(out)


def cost(binary: Path, objects: int, folder: Path) -> Cost:
    """Dump and read once."""
    dump = folder / "service.dump"
    seconds, quiet, stopped = dumped(binary, objects, dump)
    read, memory, answer = reading(dump, binary, folder)
    first = answer["holders"][0]["root"] if answer["holders"] else ""
    size = dump.stat().st_size
    if objects == SMALL_SIZES[0]:
        assert read_dump(dump, binary).live_objects == answer["objects"]
    dump.unlink()
    return Cost(answer["objects"], size, seconds, quiet, stopped, read, memory, answer["typed_objects"], first)


def main() -> int:
    """Dump, read, print; 1 where an answer is wrong or a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", default=",".join(map(str, SIZES)))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="a small instance, for CI")
    given = parser.parse_args()
    sizes = tuple(map(int, given.objects.split(",")))
    if given.small:
        sizes, given.runs = SMALL_SIZES, 1
    rows, missed = [], []
    with workshop() as folder:
        binary = build_once("dumpcost", BuildSpec("."), PROGRAM, Path(BUILT or folder / "bin"))
        reader_program(folder)  # not timed: it is built once for each Go
        for size in sizes:
            costs = [cost(binary, size, folder) for _ in range(given.runs)]
            middle = {name: statistics.median(getattr(one, name) for one in costs) for name in ("dumped", "read")}
            worst = max(one.memory for one in costs)
            seconds = statistics.median(one.seconds for one in costs)
            rows.append(
                (
                    f"{costs[0].objects / 1e6:.2f} M",
                    mb(costs[0].bytes),
                    f"{middle['dumped']:.2f} s",
                    ms(statistics.median(one.quiet for one in costs)),
                    ms(statistics.median(one.stopped for one in costs)),
                    f"{middle['read']:.2f} s",
                    f"{seconds:.2f} s",
                    mb(worst),
                    f"{costs[0].typed:.1%}",
                    costs[0].holder,
                )
            )
            print(*rows[-1], sep="  ", flush=True)
            missed += [f"{size} objects: {one.holder!r} is first" for one in costs if one.holder != HOLDER]
            if worst > GOAL_MEMORY:
                missed.append(f"{size} objects: the reader takes {mb(worst)}")
            if size <= GOAL_OBJECTS and seconds > GOAL_SECONDS and not given.small:
                missed.append(f"{size} objects: {seconds:.1f} s until there is an answer")
    head = (
        "objects",
        "dump",
        "dump takes",
        "longest before",
        "stop",
        "reading",
        "together",
        "memory",
        "typed",
        "first",
    )
    table("what a heap dump costs: medians, and the most memory", head, rows)
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
