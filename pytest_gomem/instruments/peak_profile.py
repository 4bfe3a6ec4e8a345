"""The heap profile of a window's highest GC cycle: watched from the opening, read at the close."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, known
from pytest_gomem.observe.agent.client import AgentClient, read_peak
from pytest_gomem.observe.agent.records import Peak
from pytest_gomem.session.capture import Captured
from pytest_gomem.session.instrument import Closes, Finding, Instrument, Target, WindowPlan

PEAK = "peak_profile"  # in reports, and of the instrument
CYCLES_TO_PEAK = "cycles_to_peak"  # GC cycles from the opening to the one of the profile
_NOT_SAID = Unavailable("gomem.yaml does not say peak_profile: true, which keeps it")


class PeakProfile(Instrument):
    """Keeps the profile; forgets what the agent kept for an earlier window on the process."""

    name = PEAK

    def __init__(self, *, is_asked: bool) -> None:
        self._is_asked = is_asked
        self._failed: Unavailable | None = None
        self.agent: AgentClient | None = None
        self.before: Peak | None = None

    def open(self, target: Target) -> None:
        """Forget earlier windows, and look at each GC cycle from now on."""
        self.before, self._failed = None, None
        self.agent = target.subject.agent() if self._is_asked else None
        if target.subject.agent() is None:
            self._failed = Unavailable(f"peak_profile: true needs the agent: {target.subject.no_agent}")
        elif self.agent is None:
            self._failed = _NOT_SAID
        else:
            self._begin(self.agent)

    def _begin(self, agent: AgentClient) -> None:
        with contextlib.suppress(ObserveError):  # refused if an earlier window has started it
            agent.start_peak(agent.folder / "peak")
        try:
            agent.hold_peak()
            agent.reset_peak()
            agent.gc()
            agent.look_peak()  # the first cycle is always a peak: its profile is not a cost of the window
            self.before = agent.peak()
        except ObserveError as error:  # what is in the file may be an earlier window's
            self._failed = Unavailable(f"the profile of the peak was not begun: {error}")

    def close(self, target: Target) -> Finding:
        """Read the file before the next window's opening removes it, even if the service has died."""
        conditions = {"peak_profile": "yes"} if self.agent is not None else {}
        if self._failed is not None or self.agent is None:
            return Finding({PEAK: Captured(self._failed or _NOT_SAID)}, conditions=conditions)
        try:
            found = read_peak(self.agent.folder / "peak")
        except ObserveError as error:
            return Finding({PEAK: Captured(Unavailable(str(error)))}, conditions=conditions)
        opening = known(target.opening)
        cycles = 0 if opening is None else found.peak.cycle - opening.memstats.num_gc
        # The agent may handle the cycle before the first reading late: it is not the window's.
        figures = {CYCLES_TO_PEAK: float(cycles)} if cycles > 0 else {}
        return Finding({PEAK: Captured(found.profile)}, figures, conditions=conditions)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Ignore cycles inside the block, and look at the last one after it.

        A collection that a reading forces must not trigger a profile: the reading would include the cost of writing
        it, some 850 kB of live heap.
        """
        if self.agent is None:
            yield
            return
        with contextlib.suppress(ObserveError):  # the reading inside the block says why it does not answer
            self.agent.hold_peak()
        try:
            yield
        finally:
            with contextlib.suppress(ObserveError):
                self.agent.look_peak()


class _PeakCost(Instrument):
    """Counts the cost of watching: each new peak forces a GC cycle and may write a profile, in the service."""

    name = PEAK
    closes = Closes.COUNTED

    def __init__(self, profile: PeakProfile) -> None:
        self._profile = profile

    def close(self, target: Target) -> Finding:
        """Nothing if the agent cannot say."""
        agent, before = self._profile.agent, self._profile.before
        if agent is None or before is None:
            return Finding()
        try:
            now = agent.peak()
        except ObserveError:
            return Finding()
        forced, written = now.forced - before.forced, now.kept - before.kept
        note = (
            f"peak_profile: true forced GC cycles ({forced}) and wrote profiles ({written}) in this window: its gc_* "
            "figures count the cycles, and total_alloc, allocs, alloc_bytes_per_op and the like what the writing "
            "allocated"
        )
        figures = {"forced_cycles": float(forced), "profiles_written": float(written)}
        return Finding(figures=figures, notes=(note,) if forced or written else ())


def peak_profile(plan: WindowPlan) -> tuple[Instrument, ...]:
    """The peak profile if gomem.yaml says `peak_profile: true`, else why there is none."""
    profile = PeakProfile(is_asked=plan.config is not None and plan.config.peak_profile)
    return profile, _PeakCost(profile)
