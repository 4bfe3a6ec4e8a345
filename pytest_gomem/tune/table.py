"""The results of a search so far, by setting, and how far their figures scatter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, median

from pytest_gomem.tune.bounds import wants_less_memory
from pytest_gomem.tune.records import Ended, Find, Off, Question, RunResult, Setting
from pytest_gomem.tune.sizes import whole_mib

# Of a memory limit or, where none is searched, of the question's: what is left is for the kernel, threads and bursts.
SHARE = 0.9
_PRIOR, _PRIOR_FREEDOM = 0.04, 2  # one sigma of a run, as a share of the figure, and how many differences it stands for
_MEASURABLE = (1e-15, 1e18)  # in any unit; what lies beyond is no measurement
_FLAKES = 1  # failures of a setting that are laid to chance


@dataclass(frozen=True)
class Cell:
    """The runs of one setting, in their order."""

    setting: Setting
    runs: tuple[RunResult, ...] = ()

    def count(self, *ended: Ended) -> int:
        """How many of the runs ended that way."""
        return sum(run.ended in ended for run in self.runs)

    @property
    def ok(self) -> int:
        """How many of the runs ended well."""
        return self.count(Ended.OK)

    @cached_property
    def is_bad(self) -> bool:
        """Whether the service cannot live with it: killed, thrashing, or failed more often than by chance."""
        return self.count(Ended.KILLED, Ended.THRASHING) > 0 or self.count(Ended.FAILED) > _FLAKES

    def values(self, metric: str) -> tuple[float, ...]:
        """A figure of the runs that ended well and have it."""
        found = (run.figures.get(metric, math.nan) for run in self.runs if run.ended is Ended.OK)
        return tuple(value for value in found if value == 0 or _MEASURABLE[0] < abs(value) < _MEASURABLE[1])

    def middle(self, metric: str) -> float | None:
        """Its median, None where no run has it."""
        if metric not in self._middles:
            values = self.values(metric)
            self._middles[metric] = median(values) if values else None
        return self._middles[metric]

    @cached_property
    def _middles(self) -> dict[str, float | None]:
        return {}

    def middles(self) -> dict[str, float]:
        """The medians of all figures that the runs have."""
        names = dict.fromkeys(name for run in self.runs for name in run.figures)
        found = ((name, self.middle(name)) for name in names)
        return {name: middle for name, middle in found if middle is not None}

    def why(self) -> str:
        """What its last run that did not end well said."""
        return next((run.why or run.ended.value for run in reversed(self.runs) if run.ended is not Ended.OK), "")

    def why_missing(self, metric: str) -> str:
        """Why a figure was not measured."""
        return next((run.missing[metric] for run in self.runs if metric in run.missing), "no run has it")


class Table:
    """All results of a question. comfortable: the runs with memory to spare."""

    def __init__(self, question: Question, results: Sequence[RunResult]) -> None:
        self.question = question
        self.results = tuple(results)
        by_setting: dict[Setting, list[RunResult]] = {}
        for result in results:
            by_setting.setdefault(result.setting, []).append(result)
        self.all = {setting: Cell(setting, tuple(runs)) for setting, runs in by_setting.items()}
        self.comfortable = self.cell(comfortable(question))
        on_axis = ((size_of(question, setting), cell) for setting, cell in self.all.items())
        self.cells = {size: cell for size, cell in sorted(on_axis, key=_size_first) if size is not None}

    def cell(self, setting: Setting) -> Cell:
        """The runs of a setting; there may be none yet."""
        return self.all.get(setting, Cell(setting))

    def at(self, size: int) -> Cell:
        """The runs at a size of what is searched."""
        return self.cell(setting_of(self.question, size))

    @cached_property
    def highest_bad(self) -> int:
        """The largest size that the service cannot live with; 0 if none is known."""
        return max((size for size, cell in self.cells.items() if cell.is_bad), default=0)

    @cached_property
    def alive(self) -> Mapping[int, Cell]:
        """The sizes above it with runs that ended well, smallest first."""
        return {size: cell for size, cell in self.cells.items() if size > self.highest_bad and cell.ok}

    def sigma(self, metric: str) -> float:
        """One sigma of a run, as a share of the figure."""
        squares, freedom = _PRIOR_FREEDOM * _PRIOR**2, _PRIOR_FREEDOM
        for cell in self.all.values():
            values = cell.values(metric)
            mean = fmean(values) if values else 0.0
            if mean:
                squares += math.fsum((value / mean - 1) ** 2 for value in values)
                freedom += len(values) - 1
        return math.sqrt(squares / freedom)


def _size_first(pair: tuple[int | None, Cell]) -> int:
    return pair[0] or 0


def comfortable(question: Question) -> Setting:
    """The service with memory to spare: without limits. Where it switches GOGC off, Go's own default stands in."""
    return Setting(100 if question.gogc == "off" else None, "off", "off")


def setting_of(question: Question, size: int) -> Setting:
    """The setting at a size of what is searched: of memory limits with the GOMEMLIMIT that goes with it."""
    if question.find is Find.LIMIT:
        return Setting(None, whole_mib(SHARE * size), size)
    return Setting(_gogc(question), size, "off")


def size_of(question: Question, setting: Setting) -> int | None:
    """The size of a setting that is searched, None of another one."""
    size = setting.memory_limit if question.find is Find.LIMIT else setting.gomemlimit
    if question.find is Find.SETTING or not isinstance(size, int):
        return None
    return size if setting == setting_of(question, size) else None


def _gogc(question: Question) -> Off | None:
    """Where only memory is bound, all that is allowed is used."""
    return "off" if all(map(wants_less_memory, question.kept)) else None
