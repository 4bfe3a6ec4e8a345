"""The heap profile of a window's highest GC cycle: watched from the opening, read at the close."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, known
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.observe.agent.client import AgentClient, read_peak
from pytest_gomem.observe.agent.unasked import Kept
from pytest_gomem.session.capture import NOT_TAKEN, Captured
from pytest_gomem.session.instrument import Finding, Instrument, Target
from pytest_gomem.session.life import EndedProgram

PEAK = "peak_profile"  # in reports, and of the instrument
CYCLES_TO_PEAK = "cycles_to_peak"  # GC cycles from the opening to the one of the profile


class PeakProfile(Instrument):
    """Keeps the profile; forgets what the agent kept for an earlier window on the process."""

    name = PEAK

    def __init__(self) -> None:
        self._failed: Unavailable | None = None
        self._agent: AgentClient | None = None

    def launch(self) -> Overrides:
        """A program that ends by itself is watched from its start."""
        return Overrides(kept=frozenset({Kept.PEAK}))

    def open(self, target: Target) -> None:
        """Forget earlier windows, and look at each GC cycle from now on."""
        self._failed, self._agent = None, target.subject.agent()
        if self._agent is None:
            self._failed = Unavailable(f"the profile of the peak needs the agent: {target.subject.no_agent}")
        else:
            self._begin(self._agent)

    def _begin(self, agent: AgentClient) -> None:
        with contextlib.suppress(ObserveError):  # refused if an earlier window has started it
            agent.start_peak(agent.folder / "peak")
        try:
            agent.hold_peak()
            agent.reset_peak()
            agent.gc()
            agent.look_peak()  # the first cycle is always a peak: its profile is not a cost of the window
        except ObserveError as error:  # what is in the file may be an earlier window's
            self._failed = Unavailable(f"the profile of the peak was not begun: {error}")

    def close(self, target: Target) -> Finding:
        """Read the file before the next window's opening removes it, even if the service has died."""
        if self._failed is not None or self._agent is None:
            return Finding({PEAK: Captured(self._failed or NOT_TAKEN)})
        try:
            found = read_peak(self._agent.folder / "peak")
        except ObserveError as error:
            return Finding({PEAK: Captured(Unavailable(str(error)))})
        opening = known(target.opening)
        cycles = 0 if opening is None else found.peak.cycle - opening.memstats.num_gc
        # The agent may handle the cycle before the first reading late: it is not the window's.
        figures = {CYCLES_TO_PEAK: float(cycles)} if cycles > 0 else {}
        return Finding({PEAK: Captured(found.profile)}, figures)

    def ended(self, program: EndedProgram) -> Finding:
        """The profile, which outlives the program."""
        try:
            found = program.peak_profile()
        except ObserveError as error:
            return Finding({PEAK: Captured(Unavailable(str(error)))})
        return Finding({PEAK: Captured(found.profile)}, {CYCLES_TO_PEAK: float(found.peak.cycle)})

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Ignore cycles inside the block, and look at the last one after it.

        A collection that a reading forces must not trigger a profile: the reading would include the cost of writing
        it, some 850 kB of live heap.
        """
        if self._agent is None:
            yield
            return
        with contextlib.suppress(ObserveError):  # the reading inside the block says why it does not answer
            self._agent.hold_peak()
        try:
            yield
        finally:
            with contextlib.suppress(ObserveError):
                self._agent.look_peak()
