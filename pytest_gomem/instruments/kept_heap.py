"""The profiles after a window's close, for a process that ends before they are needed."""

from __future__ import annotations

from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.observe.agent.unasked import Kept
from pytest_gomem.session.capture import GOROUTINE, HEAP
from pytest_gomem.session.instrument import Closes, Finding, Instrument, Target, WindowPlan


class KeptHeap(Instrument):
    """Takes the heap profile and the goroutines, unless a budget on functions has already done so."""

    name = "kept_heap"
    closes = Closes.JUDGED

    def launch(self) -> Overrides:
        """Of a program that ends by itself, the heap profile of its end."""
        return Overrides(kept=frozenset({Kept.HEAP}))

    def close(self, target: Target) -> Finding:
        """Take them now."""
        return Finding({HEAP: target.profiles.heap, GOROUTINE: target.profiles.goroutine})


def kept_heap(plan: WindowPlan) -> tuple[Instrument, ...]:
    """For the windows of a round whose processes end before their profiles are needed."""
    return (KeptHeap(),)
