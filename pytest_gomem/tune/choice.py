"""The search for the cheapest GOGC and GOMEMLIMIT under a memory limit.

GOGC off collects least, and only as the limit nears. It is not always cheapest: a heap that fills the limit is memory
that is touched for the first time, where a small one is warm. So it is measured against the service's own GOGC, in
turns, and the settings between them only where the difference is not clear.
"""

from __future__ import annotations

import math

from pytest_gomem.tune.lines import CONFIRM
from pytest_gomem.tune.model import CYCLES, LIMITED, Model
from pytest_gomem.tune.records import Answer, Ended, Off, Plan, Setting
from pytest_gomem.tune.rows import rows_of
from pytest_gomem.tune.sizes import MIB, whole_mib
from pytest_gomem.tune.table import SHARE, Cell, Table, comfortable

_SHARES = (SHARE, 0.85, 0.8, 0.7, 0.6, 0.5)  # of the limit: GOMEMLIMIT, until nothing is killed
_LARGE = 0.95  # tried where the GC costs much: less is left for all that is not Go's
_BETWEEN = (200, 400)  # GOGC
_ROUNDS = 3
_ALIKE = 0.02  # costs that are no further apart: the setting that takes less memory
_MUCH = 0.1  # of the CPU
_ROUGH = 0.1  # one sigma of the answer's cost, as a share of it: more of it is too noisy
_SURE = 1.65  # sigmas: 19 of 20
_COST = "cpu_per_op"


class Choice:
    """The search on the results so far."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.model = Model(table)
        limit = table.question.limit
        assert limit is not None
        self.limit = limit

    def next_step(self) -> Plan | Answer:
        """The next runs, or the answer."""
        own, table = self._own(), self.table
        share = self._share()
        if share is None:
            tried = next(cell for cell in reversed(table.all.values()) if cell.is_bad)
            return self._answer(None, f"no setting works under {self.limit // MIB} MiB: {tried.why()}")
        candidates = [self._cell(share, "off"), self._cell(share, own)]
        if not any(cell.runs for cell in candidates):
            return Plan((comfortable(table.question), *(cell.setting for cell in candidates)), "GOGC off and its own")
        candidates += self._further(share, *candidates)
        turn = self._turn([cell for cell in candidates if not cell.is_bad])
        if turn:
            return Plan(turn, "the settings that are left, in turns")
        best = self._best(candidates)
        if best is None:
            bounds = " and ".join(map(str, table.question.kept))
            return self._answer(None, f"no setting under {self.limit // MIB} MiB keeps {bounds}")
        if best.ok < CONFIRM:
            return Plan((best.setting,), f"{best.ok + 1} of {CONFIRM} runs of the answer")
        cost = self.model.direct(_COST, best)
        rough = cost.error / cost.value / _ROUGH if cost is not None and cost.value else 0.0
        if rough > 1 and sum(cell.ok >= CONFIRM for cell in candidates) > 1:
            more = math.ceil(CONFIRM * (rough**2 - 1))
            reason = f"too noisy to tell which setting costs least: about {more} more rounds would tell"
            return self._answer(best, reason, more)
        return self._answer(best, self._reason(best))

    def so_far(self, ended: str) -> Answer:
        """The answer if no more runs are done. ended: why, in words."""
        best = self._best([cell for cell in self.table.all.values() if cell is not self.table.comfortable])
        if best is None:
            return self._answer(None, f"{ended}, before a setting was found")
        missing = max(CONFIRM - best.ok, 0)
        more = f"; {missing} more run{'s' * (missing > 1)} of it would make sure" if missing else ""
        return self._answer(best, f"{ended}: {self._reason(best)}{more}", missing)

    def _own(self) -> int | Off | None:
        """The service's own GOGC as a setting; where it switches it off, Go's default is the other candidate."""
        return comfortable(self.table.question).gogc

    def _cell(self, share: float, gogc: int | Off | None) -> Cell:
        return self.table.cell(Setting(gogc, whole_mib(share * self.limit), self.limit))

    def _share(self) -> float | None:
        """The share of the limit that GOMEMLIMIT may be: the largest that is not known to end badly."""
        for share in _SHARES:
            cells = (self._cell(share, "off"), self._cell(share, self._own()))
            if not all(cell.is_bad for cell in cells) and not self._kills_either(cells):
                return share
            if not any(cell.count(Ended.KILLED) for cell in cells):
                return None  # it thrashes or fails: less memory would be no help
        return None

    def _kills_either(self, cells: tuple[Cell, ...]) -> bool:
        """Whether one was killed where GOMEMLIMIT makes both collect: then it was chance that spared the other."""
        spared = [cell.middle(CYCLES) or 0.0 for cell in cells if not cell.count(Ended.KILLED)]
        alone = self.table.comfortable.middle(CYCLES) or 0.0
        return 0 < len(spared) < len(cells) and max(spared) > alone * LIMITED

    def _further(self, share: float, off: Cell, own: Cell) -> list[Cell]:
        """More settings that may be cheaper."""
        cost, alone = own.middle(_COST), off.middle(_COST)
        if cost is None or alone is None or off.is_bad:
            return []
        found = []
        collects_more = (own.middle(CYCLES) or 0.0) > 1.1 * (off.middle(CYCLES) or 0.0)
        gogc = self._own()
        if collects_more and not own.is_bad and cost <= alone * (1 + _ALIKE):
            found += [
                self._cell(share, other) for other in _BETWEEN if other > (gogc if isinstance(gogc, int) else 100)
            ]
        if share == SHARE and self._of_gc(off) > _MUCH:
            found.append(self._cell(_LARGE, "off"))
        return found

    def _of_gc(self, cell: Cell) -> float:
        """The share of the CPU that would be saved if there were no GC: by the line through the cells."""
        points = [
            (cycles, cost)
            for one in self.table.all.values()
            if (cycles := one.middle(CYCLES)) is not None and (cost := one.middle(_COST)) is not None
        ]
        (few, low), (many, high) = min(points), max(points)
        cycles, cost = cell.middle(CYCLES), cell.middle(_COST)
        if many <= few or not cost or cycles is None:
            return 0.0
        return (high - low) / (many - few) * cycles / cost

    def _turn(self, candidates: list[Cell]) -> tuple[Setting, ...]:
        """What is run once more each, until the candidates can be told apart or have been confirmed."""
        costs = {cell.setting: self.model.direct(_COST, cell) for cell in candidates}
        bounded = any(bound.relative for bound in self.table.question.kept)
        turn = [self.table.comfortable] if bounded and self.table.comfortable.ok < _ROUNDS else []
        known = [cost for cost in costs.values() if cost is not None]
        least = min((cost.value + _SURE * cost.error for cost in known), default=math.inf)
        for cell in candidates:
            cost = costs[cell.setting]
            is_out = cost is not None and cost.value - _SURE * cost.error > least
            wanted = 1 if is_out else _ROUNDS if len(known) < 2 else CONFIRM
            if cell.ok < wanted:
                turn.append(cell)
        return tuple(cell.setting for cell in turn)

    def _best(self, candidates: list[Cell]) -> Cell | None:
        """The cheapest that keeps the bounds; of those that cost as much the one that takes the least memory."""
        good = [cell for cell in candidates if not cell.is_bad and cell.ok and self._keeps(cell)]
        costs = {cell.setting: cell.middle(_COST) or math.inf for cell in good}
        least = min(costs.values(), default=math.inf)
        alike = [cell for cell in good if costs[cell.setting] <= least * (1 + _ALIKE)]
        return min(alike, key=lambda cell: cell.middle("peak_rss") or math.inf, default=None)

    def _keeps(self, cell: Cell) -> bool:
        found = [self.model.shown(bound, cell) for bound in self.table.question.kept]
        return all(excess is not None and excess.value <= 0 for excess in found)

    def _answer(self, best: Cell | None, reason: str, needs_rounds: int = 0) -> Answer:
        table = self.table
        killed = [
            size
            for setting, cell in table.all.items()
            if cell.count(Ended.KILLED) and isinstance(size := setting.gomemlimit, int)
        ]
        return Answer(
            best.setting if best is not None else None,
            reason,
            rows_of(table),
            needs_rounds=needs_rounds,
            expected=best.middles() if best is not None else {},
            confirmed=best.ok if best is not None else 0,
            notes=(f"killed with a GOMEMLIMIT of {min(killed) // MIB} MiB",) if killed else (),
        )

    def _reason(self, best: Cell) -> str:
        own = self._cell(_SHARES[0], self._own())
        cost, other = best.middle(_COST), own.middle(_COST)
        if best.setting == own.setting or not cost or not other:
            return f"GOGC as it is costs no more than GOGC off under {self.limit // MIB} MiB, and takes no more memory"
        return f"it takes {1 - cost / other:.0%} less CPU per op than GOGC as it is under {self.limit // MIB} MiB"
