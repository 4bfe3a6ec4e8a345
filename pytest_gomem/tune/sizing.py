"""The search for a size: the smallest that keeps all bounds or, where only memory is bound, the largest.

Two anchors, the second one tight, give a model; what it predicts is looked at once, then measured in turns with its
neighbour below and with memory to spare, so that a machine that drifts hits them alike. Each result goes back into the
model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pytest_gomem.tune.bounds import wants_less_memory
from pytest_gomem.tune.lines import CONFIRM, KILLED, UNWELL, line, next_run
from pytest_gomem.tune.model import Model
from pytest_gomem.tune.records import Answer, Bound, Find, Plan, Setting
from pytest_gomem.tune.rows import rows_of
from pytest_gomem.tune.sizes import MIB, SMALLEST, at_least, at_most, between, downwards, shifted, steps_between
from pytest_gomem.tune.table import SHARE, Cell, Table, comfortable, setting_of

_NEIGHBOUR = 3  # runs of the size below the answer
_MOST = 9  # runs of one setting; what is too noisy then is said to be
_MARGIN = 0.15  # sigmas of a run that a figure stays away from its bound
_TIGHT = 0.3  # of the heap's room with memory to spare: the second anchor
_FURTHEST = 0.7  # the next size, as a share of the smallest one that is known to work
_WIDE = 1.3  # sizes that far apart which may all be the answer: too noisy
_ROUGH = 0.08  # one sigma of a figure at the answer, against its bound: more of it is too noisy
_SURE = 1.65  # sigmas: 19 of 20
_CLEAR = 1.15  # times the largest size that has killed: nearer to it 5 runs of 5 may be luck
_LARGER = 4  # times the size that should do: beyond, nothing more is tried


@dataclass(frozen=True)
class _Unclear:
    """The sizes that may be the answer, for the scatter of the figures. error: one sigma of the figure at the goal."""

    low: int
    high: int
    error: float = 0.0

    @property
    def times(self) -> float:
        """How much too noisy it is: the scatter, as a multiple of what may be."""
        return max(math.log(self.high / self.low) / math.log(_WIDE), self.error / _ROUGH)

    @property
    def is_wide(self) -> bool:
        return self.times > 1


class Sizing:
    """The search on the results so far."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.model = Model(table)
        self.costs = tuple(bound for bound in table.question.kept if not wants_less_memory(bound))
        self.memory = tuple(bound for bound in table.question.kept if wants_less_memory(bound))
        self.floor = table.highest_bad
        self.least = self._least()
        self.top = self._top()
        self._kept: dict[tuple[Bound, int], bool] = {}

    def next_step(self) -> Plan | Answer:
        """The next runs, or the answer."""
        table = self.table
        if not table.cells:
            tight = self._planned("two anchors", at_least(self._tight()))
            return Plan((comfortable(table.question), *tight.settings), tight.why)
        if self.floor >= self.top:
            return self.answer(None, f"no size up to {_mib(self.floor)} works: {table.at(self.floor).why()}")
        broken = self._broken_with_memory_to_spare()
        if broken is not None:
            return broken
        goal = self.goal()
        if goal is None:
            return self._none_keeps()
        look = self._look(goal)
        if look is not None:
            return self._planned(f"a look at {_mib(look)}", look)
        unclear = self._unclear(goal)
        turn = self._turn(goal, unclear.is_wide)
        if turn:
            return Plan(turn, f"{_mib(goal)} and its neighbour, in turns")
        if table.question.find is Find.LIMIT:
            for below in (KILLED, UNWELL):
                step = next_run(table, below)
                if step is not None:
                    return step
        return self._found(goal, unclear)

    def goal(self) -> int | None:
        """The size that the model takes for the answer; one a step above it that was confirmed is as good."""
        low, high = self._lowest_that_costs_little(), self._highest_in_memory()
        if low is None or high is None or low > high:
            return None
        if not self.costs:
            return high
        for size, cell in self.table.alive.items():
            near = low <= size <= high and steps_between(low, size) <= 1
            if near and cell.ok >= CONFIRM and self._keep(self.costs, size):
                return size
        return low

    def answer(self, goal: int | None, reason: str, needs_rounds: int = 0) -> Answer:
        """An answer with all that is known."""
        table = self.table
        limits = table.question.find is Find.LIMIT
        cell = Cell(table.comfortable.setting) if goal is None else table.at(goal)
        names = dict.fromkeys(("cpu_per_op", "gc_cycles", "peak_rss", *(bound.metric for bound in table.question.kept)))
        expected = {} if goal is None else {name: self.model.expected(name, goal) for name in names}
        return Answer(
            cell.setting if goal is not None else None,
            reason,
            rows_of(table),
            killed_below=line(table, KILLED) if limits else None,
            thrashing_below=line(table, UNWELL) if limits else None,
            comfortable_above=goal if self.costs and cell.ok >= CONFIRM else None,
            needs_rounds=needs_rounds,
            expected={name: found.value for name, found in expected.items() if found is not None},
            confirmed=cell.ok,
        )

    def so_far(self, ended: str) -> Answer:
        """The answer if no more runs are done. ended: why, in words."""
        goal = self.goal()
        bounds = (*self.costs, *self.memory)
        known = [size for size in self.table.alive if size >= self.least and self._keep(bounds, size)]
        if goal not in known:
            goal = None if not known else min(known) if self.costs else max(known)
        if goal is None:
            return self.answer(None, f"{ended}, before a size was found that keeps {self._bounds()}")
        missing = CONFIRM - self.table.at(goal).ok
        if missing > 0:
            times = f"{missing} more run{'s' * (missing > 1)} of it would make sure"
            return self.answer(goal, f"{ended}: {_mib(goal)} is the best size so far; {times}", missing)
        return self._found(goal, self._unclear(goal), f"{ended}: ")

    def _planned(self, why: str, *sizes: int) -> Plan:
        return Plan(tuple(setting_of(self.table.question, size) for size in sizes), why)

    def _tight(self) -> float:
        """A size that makes the service collect much more often than with memory to spare, and hardly kills it."""
        own = self.table.comfortable
        peak = own.middle("peak_rss") or self.model.ample or 64 * MIB
        live = own.middle("live_heap") or 0.0
        base = live if 0 < live < peak else peak / 2
        share = SHARE if self.table.question.find is Find.LIMIT else 1.0
        return (base + _TIGHT * (peak - base)) / share

    def _least(self) -> int:
        """The smallest size that may be the answer."""
        if not self.floor:
            return SMALLEST
        clear = at_most(_CLEAR * self.floor) if self.table.question.find is Find.LIMIT else 0
        return max(shifted(self.floor, 1), clear)

    def _top(self) -> int:
        wanted = self.model.ample * 1.1
        for bound in self.memory:
            own = self.table.comfortable.middle(bound.metric) or 0.0
            wanted = max(wanted, 1.1 * bound.limit * (own if bound.relative else 1.0))
        most = at_least(wanted)
        if self.floor < most:
            return max(most, self.least)
        return min(at_least(1.3 * self.floor), at_least(_LARGER * wanted))

    def _lowest_that_costs_little(self) -> int | None:
        found = None
        for size in downwards(self.top, self.least):
            if not self._keep(self.costs, size):
                break
            found = size
        return found

    def _highest_in_memory(self) -> int | None:
        found = None
        for size in reversed(downwards(self.top, self.least)):
            if not self._keep(self.memory, size):
                break
            found = size
        return found

    def _keep(self, bounds: tuple[Bound, ...], size: int) -> bool:
        for bound in bounds:
            if (bound, size) not in self._kept:
                self._kept[bound, size] = self._keeps(bound, size)
            if not self._kept[bound, size]:
                return False
        return True

    def _keeps(self, bound: Bound, size: int) -> bool:
        cell, excess = self.table.at(size), self.model.excess(bound, size)
        if cell.ok and not cell.values(bound.metric):
            return False
        if excess is None:
            return True
        shown = self.model.shown(bound, cell) if cell.ok >= _NEIGHBOUR else None
        if shown is not None and shown.value > 0:
            return False  # also where the model doubts it: whoever reads the table would
        return excess.value + (_MARGIN * self.model.sigma(bound.metric) if excess.error else 0.0) <= 0

    def _broken_with_memory_to_spare(self) -> Plan | Answer | None:
        own = self.table.comfortable
        for bound in self.costs:
            excess = self.model.excess(bound, None)
            if excess is not None and excess.value > 0:
                if own.ok < CONFIRM and excess.value < _SURE * excess.error:
                    return Plan((own.setting,), "with memory to spare, once more")
                return self.answer(None, f"{bound} is broken with memory to spare already: no limit keeps it")
        return None

    def _none_keeps(self) -> Plan | Answer:
        """Where the model sees no size: one look at where it should be."""
        low, high = self._lowest_that_costs_little(), self._highest_in_memory()
        if low is None:
            least = self.top
        elif high is None:
            least = (
                shifted(self.floor, 1) if self.floor else at_most(_FURTHEST * min(self.table.alive, default=self.top))
            )
        else:
            least = low
        if len(self.table.at(least).runs) < _NEIGHBOUR:
            return Plan(
                (comfortable(self.table.question), setting_of(self.table.question, least)), f"a look at {_mib(least)}"
            )
        return self.answer(None, f"no size up to {_mib(self.top)} keeps {self._bounds()}")

    def _look(self, goal: int) -> int | None:
        """A size that is measured once before the goal is; None if the goal has been looked at."""
        alive = self.table.alive
        if goal in alive:
            return None
        if not self.costs:
            return goal
        ceiling = min((size for size in alive if size > goal), default=self.top)
        if self.floor and goal <= self.least:
            # The model does not say where in between it lies, only that it is not near the size that did not work.
            return max(goal, between(self.floor, ceiling) or goal)
        furthest = at_most(_FURTHEST * min(alive, default=at_least(self.model.ample)))
        return max(goal, furthest)

    def _unclear(self, goal: int) -> _Unclear:
        if not self.costs:
            return _Unclear(goal, goal)
        low = high = goal
        for size in downwards(goal, self.least):
            if self._beyond(size, -_SURE) > 0:
                break
            low = size
        for size in reversed(downwards(self.top, goal)):
            high = size
            if self._beyond(size, _SURE) <= 0:
                break
        found = [self.model.excess(bound, goal) for bound in self.costs]
        return _Unclear(low, high, max((one.error for one in found if one is not None), default=0.0))

    def _beyond(self, size: int, sigmas: float) -> float:
        """The largest excess of the costs, with so many sigmas added."""
        found = [self.model.excess(bound, size) for bound in self.costs]
        return max((one.value + sigmas * one.error for one in found if one is not None), default=-math.inf)

    def _turn(self, goal: int, is_wide: bool) -> tuple[Setting, ...]:
        table = self.table
        beside = shifted(goal, -1 if self.costs else 1)
        is_open = self.least <= beside < goal and self._beyond(beside, -2 * _SURE) <= 0 if self.costs else True
        wanted = [(table.comfortable, CONFIRM), (table.at(goal), CONFIRM)]
        if is_open:
            wanted.insert(1, (table.at(beside), _NEIGHBOUR))
        turn = tuple(cell.setting for cell, runs in wanted if cell.ok < runs)
        if turn or not is_wide:
            return turn
        return tuple(cell.setting for cell, _ in wanted if len(cell.runs) < _MOST)

    def _found(self, goal: int, unclear: _Unclear, before: str = "") -> Answer:
        if not unclear.is_wide:
            return self.answer(goal, f"{before}{self._reason(goal)}")
        more = math.ceil(_MOST * (unclear.times**2 - 1))
        sure = next((size for size, cell in self.table.alive.items() if size >= unclear.high and cell.ok), None)
        sizes = f"{_mib(unclear.low)} to {_mib(unclear.high)}"
        reason = (
            f"{before}too noisy to tell: the smallest size that keeps {self._bounds()} is one from {sizes}; "
            f"about {more} more rounds would tell"
        )
        return self.answer(sure, reason, more)

    def _reason(self, goal: int) -> str:
        which, cell = "smallest" if self.costs else "largest", self.table.at(goal)
        ended = f"{cell.ok} of {len(cell.runs)} runs there ended well"
        return f"{_mib(goal)} is the {which} size that keeps {self._bounds()}: {ended}"

    def _bounds(self) -> str:
        return " and ".join(map(str, self.table.question.kept))


def _mib(size: int) -> str:
    return f"{size // MIB} MiB"
