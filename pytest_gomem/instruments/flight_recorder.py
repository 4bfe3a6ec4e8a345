"""The flight recorder of a service: what it has traced last, read when something takes long, or at the close."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import SECONDS, format_value
from pytest_gomem.config import flight
from pytest_gomem.instruments.execution_trace import Tracing
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.observe.agent.records import Flight
from pytest_gomem.session.instrument import Finding, Target
from pytest_gomem.session.life import EndedProgram
from pytest_gomem.session.subject import unanswered
from pytest_gomem.tracing.found import TraceFound
from pytest_gomem.tracing.taking import new_file

_ON = "already started"  # as the agent says it
_LONGER = 1.25  # times what is kept: writing it takes the service some ms


class FlightRecorder(Tracing):
    """Records from the last reading of the opening to the first of the close."""

    name = "flight_recorder"
    disturbs = "gomem.yaml has a flight recorder for this service (trace:), which disturbs it"

    def __init__(self, asked: flight.FlightRecorder) -> None:
        super().__init__()
        self._asked = asked
        self._agent: AgentClient | None = None
        self._failed = Unavailable("the window was not opened")
        self._by_pause = self._by_latency = Path()
        self._longest = 0.0

    def open(self, target: Target) -> None:
        """Begin."""
        self._agent, self._longest = None, self._asked.latency or 0.0
        agent = target.subject.agent()
        if agent is None:
            self._failed = Unavailable(f"the flight recorder needs the agent: {target.subject.no_agent}")
            return
        self._by_pause, self._by_latency = new_file(agent.folder), new_file(agent.folder)
        try:
            self._start(agent)
        except ObserveError as error:
            self._failed = unanswered(target.subject, error)
        else:
            self._agent = agent

    def _start(self, agent: AgentClient) -> None:
        try:
            agent.start_flight(self._asked.size, self._asked.pause, self._by_pause)
        except ObserveError as error:
            if _ON not in str(error):
                raise
            agent.stop_flight()  # that of a window which was never closed, as by pytest.skip() in a shared service
            agent.start_flight(self._asked.size, self._asked.pause, self._by_pause)

    def reopened(self, target: Target) -> None:
        """What was recorded is warm-up: begin anew."""
        if self._agent is not None:
            with contextlib.suppress(ObserveError):  # the new one says what is wrong
                self._agent.stop_flight()
            for path in (self._by_pause, self._by_latency):
                path.unlink(missing_ok=True)
        self.open(target)

    def answered(self, target: Target, seconds: float) -> None:
        """Read it if a request took longer than all before, and than it may."""
        if self._agent is None or self._asked.latency is None or seconds <= self._longest:
            return
        with contextlib.suppress(ObserveError):  # of a service that dies: the close says so
            self._agent.write_flight(self._by_latency)
            self._longest = _LONGER * seconds

    def close(self, target: Target) -> Finding:
        """End; a long request goes before a long pause, which it may have waited for."""
        if self._agent is None:
            self.kept = self._failed
            return Finding()
        try:
            if not self._asked.waits:
                self._agent.write_flight(self._by_latency)
            ended = self._agent.stop_flight()
        except ObserveError as error:
            self.kept = unanswered(target.subject, error)
            return Finding()
        kept = [path for path in (self._by_latency, self._by_pause) if path.exists()]
        for path in kept[1:]:
            path.unlink(missing_ok=True)
        if not kept:
            return Finding(notes=("the flight recorder was not read: nothing took as long as `when` says",))
        self.kept, self.note = kept[0], "; ".join(self._why(ended))
        return Finding()

    def ended(self, program: EndedProgram) -> Finding:
        """Nothing: nobody can ask a program that ends by itself, and nothing was recorded."""
        why = "the flight recorder is for services: nothing was recorded of a program that gomem.run() measures whole"
        return Finding(trace=TraceFound(Unavailable(why)))

    def _why(self, ended: Flight) -> Iterator[str]:
        if not self._asked.waits:
            yield "of the end of the window, by the flight recorder"
        if self._asked.latency is not None and self._longest > self._asked.latency:
            yield f"read by the flight recorder after a request of {_seconds(self._longest / _LONGER)}"
        elif ended.kept:
            yield f"read by the flight recorder after GC cycle {ended.cycle}, a pause of {_seconds(ended.pause)}"


def _seconds(value: float) -> str:
    return format_value(value, SECONDS)
