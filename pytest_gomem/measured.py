"""Owns the measuring of one test item: its windows around the body of each round, its verdicts, its record."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gomem.body_errors import hide_our_frames, in_one_line, is_timeout
from pytest_gomem.config.file import BudgetTable, GomemConfig
from pytest_gomem.edge import GomemWarning
from pytest_gomem.errors import GomemError
from pytest_gomem.items import MATRIX_FIXTURE, SERVICE_FIXTURE, SESSION_FIXTURE
from pytest_gomem.judge.decide import failed
from pytest_gomem.judge.functions import no_match
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.report.failure import failure_text
from pytest_gomem.report.json_report import test_to_dict
from pytest_gomem.report.junit import properties
from pytest_gomem.report.model import TestRecord, WindowRecord
from pytest_gomem.session.comparing import Comparing, References, is_decided
from pytest_gomem.session.gomem import Gomem
from pytest_gomem.session.measurement import Judging, Measurement
from pytest_gomem.session.rounds import merged
from pytest_gomem.session.schedule import FEWEST, Schedule, Side
from pytest_gomem.session.service import Service
from pytest_gomem.session.sides import ONE_PROCESS, compared, without_base
from pytest_gomem.session.window import OpenWindow

if TYPE_CHECKING:
    from pytest_gomem.config.marker import Combination
    from pytest_gomem.items import Plan
    from pytest_gomem.session.run import Run

_WINDOW = "test"
_NOT_A_FAILURE = (pytest.skip.Exception, pytest.xfail.Exception)
_LEAVING = (KeyboardInterrupt, SystemExit, GeneratorExit, pytest.exit.Exception)


@dataclass(frozen=True)
class Round:
    """One round of a test: the side it runs, and the factories whose windows belong to it, the body's own first."""

    side: Side
    gomems: list[Gomem]

    def measurements(self) -> list[Measurement]:
        """The measurements whose windows are closed."""
        return [m for gomem in self.gomems for m in gomem.measurements if m.closed]


class MeasuredItem:
    """One test that uses our fixtures, in all its rounds; they find it in the item's stash."""

    def __init__(
        self,
        item: pytest.Item,
        plan: Plan,
        run: Run,
        *,
        schedule: Schedule | None = None,
        references: References | None = None,
        report_only: bool = False,
        strict: bool = False,
        artifacts: Path | None = None,
    ) -> None:
        self._item = item
        self._run = run
        self._artifacts = artifacts
        self._schedule = schedule or Schedule()
        self.plan = plan
        config = run.settings.config or GomemConfig(Path(), {}, BudgetTable())
        self._judging = Judging(
            item.nodeid, plan.budgets, config.budgets, report_only, strict, accepted=config.accepted
        )
        self._looks = sum(look >= FEWEST for look in self._schedule.looks) or 1
        self._comparing: Comparing | None = None
        if references is not None:
            self._comparing = Comparing(references, self._judging, run.settings.registry, self._looks)
        self._base_lost = ""
        self._turn = 0
        self._rounds: list[Round] = []
        self._troubles: list[str] = []
        self._merged: tuple[WindowRecord, ...] | None = None
        self.is_between_rounds = False
        self.begin_round()

    def begin_round(self) -> bool:
        """Begin the next round; False when there is none, when one went wrong, or when what is known decides."""
        while self._base_lost and self._schedule.sides[self._turn : self._turn + 1] == ("base",):
            self._turn += 1
        if self._troubles or self._turn == len(self._schedule):
            return False
        if self._turn in self._schedule.looks and self._is_decided():
            return False
        side = self._schedule.sides[self._turn]
        self._turn += 1
        self._rounds.append(Round(side, []))
        self._round.gomems.append(self._factory(None, None))
        return True

    def _is_decided(self) -> bool:
        """Whether more rounds could tell no more: nothing that is compared is open."""
        try:
            windows = self._judged()
        except GomemError:  # what is kept cannot be read: judge() says so
            return True
        metrics = {metric.name: metric for metric in self._run.settings.registry}
        is_compared = any(window.base or window.no_base for window in windows)
        if not is_compared:
            return len(self._rounds) >= FEWEST  # with nothing to compare, the scatter is all that there is to know
        two_sides = self._run.settings.against is not None
        most = len(self._schedule) // (2 if two_sides else 1)
        return is_decided(windows, metrics, most, base_grows=two_sides)

    def _factory(self, base: Overrides | None, service: str | None) -> Gomem:
        is_compared = self._run.settings.against is not None
        side, keeps_heap = self._round.side, is_compared and self._schedule.may_be_last(self._turn - 1)
        return Gomem(self._run, self._judging_of(side), base, service, side, keeps_heap=keeps_heap)

    def _judging_of(self, side: Side) -> Judging:
        return replace(self._judging, is_base=True) if side == "base" else self._judging

    @contextlib.contextmanager
    def base_may_fail(self) -> Iterator[None]:
        """What goes wrong inside on the base side alone costs the comparison, not the test."""
        try:
            yield
        except _LEAVING:
            raise
        except BaseException as error:
            if self._round.side != "base" or is_timeout(error):
                raise
            self._lose_base(in_one_line(error))

    def _lose_base(self, why: str) -> None:
        self._base_lost = self._base_lost or why

    @contextlib.contextmanager
    def between_rounds(self) -> Iterator[None]:
        """While fixtures are torn down and set up for another round: reports that are made now are not the test's."""
        self.is_between_rounds = True
        try:
            yield
        finally:
            self.is_between_rounds = False

    @property
    def in_further_round(self) -> bool:
        """Whether the round that runs is not the first."""
        return len(self._rounds) > 1

    @property
    def _round(self) -> Round:
        return self._rounds[-1]

    @property
    def _last_new(self) -> Round:
        return next(one for one in reversed(self._rounds) if one.side == "new")

    @property
    def _own(self) -> Gomem:
        return self._round.gomems[0]

    def gomem(self, base: Overrides) -> Gomem:
        """A new factory whose windows belong to this round."""
        gomem = self._factory(base, self.plan.service)
        self._round.gomems.append(gomem)
        return gomem

    @property
    def combination(self) -> Combination | None:
        """The GC settings that the matrix chose for this test."""
        combination: Combination | None = (getattr(self._item, "funcargs", None) or {}).get(MATRIX_FIXTURE)
        return combination

    def body(self) -> Generator[None, Any, Any]:
        """One round: open the windows, run the body, close; a failing body keeps its own error."""
        windows = self._open()
        try:
            result = yield
        except (*_LEAVING, *_NOT_A_FAILURE):
            self._drop(windows)
            raise
        except BaseException as error:
            hide_our_frames(error)
            if self._round.side == "base":
                self._drop(windows)
            else:
                self._close_beside(windows)
            raise
        self._close(windows)
        return result

    def judge(self) -> None:
        """Judge all rounds together; raises pytest's own failure with the text of everything that is wrong."""
        self._merge()
        self._warn_of_globs()
        texts = [*self._troubles, *self._verdict_texts(), *self._uncompared()]
        if texts:
            self._save_artifacts()
            self._merge()
            pytest.fail("\n\n".join(texts), pytrace=False)

    def _merge(self) -> None:
        if self._troubles:
            return
        try:
            self._merged = self._judged()
        except GomemError as error:
            self._troubles.append(str(error))

    def _judged(self) -> tuple[WindowRecord, ...]:
        """The windows of all rounds as one, judged with what they are compared with."""
        rounds = self._measured("new")
        windows = tuple(m.record for m in rounds[0])
        if self.in_further_round:
            windows = merged([[m.record for m in one] for one in rounds], self._judging)
        if self._run.settings.against is None:
            return self._comparing.compared(windows) if self._comparing else windows
        if not self.in_further_round:
            shared = SESSION_FIXTURE in getattr(self._item, "fixturenames", ())
            return without_base(windows, ONE_PROCESS) if shared else windows
        sides: dict[Side, list[list[Measurement]]] = {"new": rounds, "base": self._measured("base")}
        run = self._run
        return compared(windows, sides, self._base_lost, self._judging, run.settings.registry, self._looks, run.reasons)

    def _measured(self, side: Side) -> list[list[Measurement]]:
        """The measurements of each round of a side."""
        return [one.measurements() for one in self._rounds if one.side == side]

    def _services(self) -> list[Service]:
        """The services whose window is the body of the test."""
        funcargs = getattr(self._item, "funcargs", {})
        found = [funcargs.get(name) for name in (SERVICE_FIXTURE, SESSION_FIXTURE)]
        return [service for service in found if isinstance(service, Service)]

    def _open(self) -> list[tuple[Service, OpenWindow]]:
        if not self._run.settings.measure:
            return []
        try:
            return [(s, self._own.open(s, _WINDOW, self.plan.ops)) for s in self._services()]
        except GomemError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None

    @staticmethod
    def _drop(windows: list[tuple[Service, OpenWindow]]) -> None:
        for service, _ in windows:
            service.window = None

    def _close(self, windows: list[tuple[Service, OpenWindow]], *, failing: bool = False) -> None:
        """Close the windows; no error of ours is lost on the way."""
        for service, window in windows:
            try:
                self._own.close_window(service, window, failing=failing)
                service.check_alive()
            except GomemError as error:
                if self._round.side == "base":
                    self._lose_base(in_one_line(error))
                else:
                    self._troubles.append(str(error))

    def windows(self) -> tuple[WindowRecord, ...]:
        """The windows for the report: of all rounds as one; of the last alone where it was the only one, or failed."""
        return self._merged or tuple(m.record for m in self._last_new.measurements())

    def _warn_of_globs(self) -> None:
        """Budgets on functions that match none: under --gomem-strict their verdicts say so."""
        values = [] if self._judging.strict else [value for window in self.windows() for value in window.functions]
        for value in values:
            if not value.matched:
                self._item.warn(GomemWarning(no_match(value)))

    def _verdict_texts(self) -> list[str]:
        if self._judging.report_only:
            return []
        return [failure_text(one, self._item.nodeid)[1] for one in self.windows() if failed(one.verdicts)]

    def _uncompared(self) -> list[str]:
        """Under --gomem-strict a comparison that was asked for and could not be made fails the test."""
        reasons = dict.fromkeys(window.no_base for window in self.windows() if self._judging.strict and window.no_base)
        return [f"{self._item.nodeid}: it was not compared: {reason}" for reason in reasons]

    def _close_beside(self, windows: list[tuple[Service, OpenWindow]]) -> None:
        self._close(windows, failing=True)
        which = f"round {len(self._rounds)} of {len(self._schedule)} failed; the figures are this round's alone"
        for text in [*([which] if len(self._schedule) > 1 else []), *self._troubles, *self._verdict_texts()]:
            self._item.add_report_section("call", "gomem", text)
        self._save_artifacts()

    def _save_artifacts(self) -> None:
        """What is kept of each measured service of a failed test, for --gomem-artifacts."""
        if self._artifacts is None:
            return
        for gomem in self._last_new.gomems:
            for measurement in gomem.measurements:
                measurement.save_artifacts(self._artifacts, self._item.nodeid)

    def record(self, report: pytest.TestReport) -> dict[str, Any]:
        """The test as plain data, for the report and for xdist's controller; also leaves JUnit its properties."""
        combination = self.combination
        record = TestRecord(
            nodeid=self._item.nodeid,
            outcome=_outcome(report),
            windows=self.windows(),
            matrix=dict(combination.written) if combination else {},
        )
        found = properties(record)
        replaced = {name for name, _ in found}  # by an earlier attempt of a test that is run again
        kept = [pair for pair in self._item.user_properties if pair[0] not in replaced]
        self._item.user_properties[:] = [*kept, *found]
        return test_to_dict(record)


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xpassed" if report.passed else "xfailed"
    return "error" if report.when == "setup" and report.failed else report.outcome
