"""The load driver's process: sends the requests of a load and times them, apart from the test's own work."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from typing import TypeVar

from urllib3.exceptions import HTTPError

from pytest_gomem.base.clock import Deadline
from pytest_gomem.load.connection import Connection, request_target
from pytest_gomem.load.failures import TIMEOUT, failure_kind
from pytest_gomem.load.spec import LoadRecord, LoadSpec, Message, record_to_message, spec_from_message

_CHUNK = 1 << 18
_PARENT_LOOK = 0.5  # seconds between looks at the parent
_clock = time.perf_counter
T = TypeVar("T")


class Sender:
    """Sends the requests of a load over one kept connection, which is opened again after a failure."""

    def __init__(self, spec: LoadSpec) -> None:
        self._connection = Connection(spec.url)
        self._target = request_target(spec.url, spec.path)
        self._spec = spec

    def send(self) -> int | str:
        """Send a request and read its answer; returns the status, or what happened instead."""
        spec = self._spec
        try:
            response = self._connection.ask(Deadline(spec.timeout), spec.method, self._target, spec.body, spec.headers)
            while response.read(_CHUNK):
                pass
        except (OSError, HTTPException, HTTPError) as error:
            self._connection.close()
            return failure_kind(error)
        return response.status

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@dataclass
class Tally:
    """The results of one connection; latencies only of answered requests, since refused ones are too quick."""

    latencies: array[float] = field(default_factory=lambda: array("d"))
    outcomes: Counter[int | str] = field(default_factory=Counter)
    first: float = float("inf")
    last: float = float("-inf")

    def add(self, begun: float, ended: float, outcome: int | str) -> None:
        """Count one request, from the instant it was due until its answer was read."""
        self.outcomes[outcome] += 1
        if isinstance(outcome, int):
            self.latencies.append(ended - begun)
        self.first = min(self.first, begun)
        self.last = max(self.last, ended)


class Schedule:
    """The start times of an open loop's requests, `interval` seconds apart, shared by its connections.

    It ends on time: requests that found no free connection until then are never sent, and lower the achieved rate.
    """

    def __init__(self, planned: int, interval: float) -> None:
        self._planned, self._interval = planned, interval
        self._start: float | None = None
        self._taken = 0
        self._lock = threading.Lock()

    def take(self) -> float | None:
        """When the next request is due; None when the schedule has ended."""
        with self._lock:
            now = _clock()
            start = self._start = now if self._start is None else self._start
            if self._taken == self._planned or now >= start + self._planned * self._interval:
                return None
            self._taken += 1
            return start + (self._taken - 1) * self._interval


def run_load(spec: LoadSpec) -> LoadRecord:
    """Send the requests of a load and read all answers; failures are counted by kind, never raised."""
    with _no_collections():
        tallies = in_parallel([partial(_work, spec, turns) for turns in _turns(spec)])
    outcomes = sum((tally.outcomes for tally in tallies), Counter[int | str]())
    requests = outcomes.total()
    return LoadRecord(
        requests=requests,
        errors=sum(count for outcome, count in outcomes.items() if isinstance(outcome, str) or outcome >= 400),
        duration=max(tally.last for tally in tallies) - min(tally.first for tally in tallies),
        latencies=tuple(latency for tally in tallies for latency in tally.latencies),
        rate_asked=spec.rate,
        statuses=tuple(sorted((str(outcome), count) for outcome, count in outcomes.items())),
        rate_achieved=None if spec.rate is None else spec.rate * requests / spec.planned,
    )


@contextmanager
def _no_collections() -> Iterator[None]:
    """Switch Python's collector off, which would pause the load; requests leave no cycles."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _turns(spec: LoadSpec) -> list[Iterable[float]]:
    """For each connection, the start times of its requests, each yielded when it is due."""
    if spec.rate is not None:
        schedule = Schedule(spec.planned, 1 / spec.rate)
        return [_on_schedule(schedule) for _ in range(min(spec.connections, spec.planned))]
    # Equal shares, so that every connection is used, and the same in every run.
    shares = (range(index, spec.planned, spec.connections) for index in range(spec.connections))
    return [_back_to_back(len(share)) for share in shares if share]


def _back_to_back(count: int) -> Iterator[float]:
    for _ in range(count):
        yield _clock()


def _on_schedule(schedule: Schedule) -> Iterator[float]:
    while (due := schedule.take()) is not None:
        time.sleep(max(0.0, due - _clock()))
        yield due


def _work(spec: LoadSpec, turns: Iterable[float]) -> Tally:
    sender, tally = Sender(spec), Tally()
    for begun in turns:
        outcome = sender.send()
        tally.add(begun, _clock(), outcome)
        if outcome == TIMEOUT and spec.until_timeout:
            break
    sender.close()
    return tally


def in_parallel(works: Sequence[Callable[[], T]]) -> list[T]:
    """Run each in its own thread, all from the same moment; raises what any of them raises."""
    # Without the gate, a thread with short work would take the next one too, and fewer would run at once.
    gate = threading.Event()

    def gated(work: Callable[[], T]) -> T:
        gate.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        try:
            futures = [pool.submit(gated, work) for work in works]
        finally:
            gate.set()  # also if no more threads can start: those that wait must end
        return [future.result() for future in futures]


def _answer(request: Message) -> Message:
    try:
        return record_to_message(run_load(spec_from_message(request)))
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _end_with(parent: int) -> None:
    """End when the parent ends: a process that it forked may hold our stdin open."""
    while os.getppid() == parent:
        time.sleep(_PARENT_LOOK)
    os._exit(1)


def main(parent: int) -> None:
    """Answer loads, one line each, until stdin or the process `parent` ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # pytest handles Ctrl-C
    logging.disable()  # urllib3 warns of every odd header, once a request
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    for line in sys.stdin.buffer:
        print(json.dumps(_answer(json.loads(line))), flush=True)
