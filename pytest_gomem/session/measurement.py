"""A finished measurement: its figures as a test reads them, and its record for the report."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_gomem.attribution.goroutines import goroutine_groups
from pytest_gomem.base.errors import BudgetBroken, ConfigError, GomemError, MeasureError, Place, SupervisorError
from pytest_gomem.base.files import write_whole
from pytest_gomem.base.unavailable import Unavailable, known
from pytest_gomem.config.arguments import checked
from pytest_gomem.config.budgets import Budget, parse_budget
from pytest_gomem.config.fields import Mistakes
from pytest_gomem.config.tokens import unexpanded
from pytest_gomem.judge.decide import failed, without_result
from pytest_gomem.judge.figures import Asked, asked_by
from pytest_gomem.judge.known_leaks import over_notes
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.registry import Registry
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.retention.model import Retention
from pytest_gomem.session.capture import Profiles
from pytest_gomem.session.explanation import Explanation
from pytest_gomem.session.functions import cost_note, known_functions, measured_functions
from pytest_gomem.session.instrument import Finding
from pytest_gomem.session.judging import CHECK_SCOPE, Judging
from pytest_gomem.session.objects import RUNS_ONCE, SHARED, known_types, measured_objects
from pytest_gomem.session.recording import with_shown_texts
from pytest_gomem.session.service import Service, outlives_round
from pytest_gomem.tracing.found import TraceFound
from pytest_gomem.tracing.named import told

_OF_THE_OTHER_SIDE = ("heap_profile", "peak_profile", "trace")
_LONGEST_STEM = 150  # a file name may have 255 bytes


def artifact_stem(nodeid: str, service: str, window: str, number: int) -> str:
    """How the file names of a window begin: readable and unique, even for long or similar names."""
    whole = "\0".join((nodeid, service, window, str(number)))
    digest = hashlib.sha256(whole.encode(errors="surrogateescape")).hexdigest()[:8]
    return re.sub(r"[^\w.-]+", "_", f"{nodeid}-{window}", flags=re.ASCII)[-_LONGEST_STEM:] + f"-{digest}"


class Measurement:
    """The figures of one window: `m["peak_rss"]` in base units; filled when the window closes.

    observed_budgets: those on functions and types, which wait for an observed round. retention: what a heap dump after
    it says, or why there is none; None if none was asked for. trace: what came of an execution trace, None without one.
    unseen: why no profile of its process can be taken, "" if one can.
    """

    def __init__(
        self, name: str, service: Service, registry: Registry, judging: Judging, explanation: Explanation
    ) -> None:
        self.name = name
        self.service = service
        self._registry = registry
        self._judging = judging
        self._explanation = explanation
        self._results: Mapping[str, Reading | Unavailable] | None = None
        self._record: WindowRecord | None = None
        self._why_open = f"window '{name}' is still open: its figures are there after the with block"
        self.profiles: Profiles | None = None
        self._log: str | None = None
        self.allocated = self.grown = 0
        self.unseen = ""
        self.observed_budgets: tuple[Budget, ...] = ()
        self.retention: Retention | Unavailable | None = None
        self.trace: TraceFound | None = None
        self._of_dump: list[Asked] = []

    def fill(
        self,
        results: Mapping[str, Reading | Unavailable],
        record: WindowRecord,
        profiles: Profiles | None = None,
        allocated: int = 0,
        grown: int = 0,
    ) -> None:
        """Store the results of the closed window, and judge them by the declared budgets.

        profiles: of the window. allocated: bytes that the process has allocated since its start, 0 if unknown.
        grown: bytes that live at the close beyond those at the opening, 0 if unknown.
        """
        self._results = results
        self._record = record
        self.profiles = profiles
        self.allocated, self.grown = allocated, grown
        self._add_verdicts(self._judging.budgets(self.service.name))
        self._record = replace(self.record, verdicts=(*self._judging.unasked(record), *self.record.verdicts))
        if profiles is not None and self.record.functions:
            self._record = replace(self.record, notes=(*record.notes, *cost_note(self.service, profiles)))

    @property
    def takes_profiles(self) -> bool:
        """Whether the window is profiled itself, since no observed round can answer for it, or it is in one."""
        return self._judging.takes_profiles or outlives_round(self.service)

    def count_objects(self, retention: Retention | Unavailable) -> None:
        """Keep what a heap dump says, or why there is none, with the values of the budgets on objects."""
        self.retention = retention
        types = known_types(measured_objects(self._of_dump, retention, self.service.process.built))
        self._record = replace(self.record, types=types)

    def add(self, findings: Iterable[tuple[str, Finding]]) -> None:
        """Add findings of instruments to the record, each with the instrument's name."""
        for name, found in findings:
            record = self.record
            figures = {**record.instruments.get(name, {}), **found.figures}
            self._record = replace(
                record,
                notes=(*record.notes, *found.notes),
                conditions={**record.conditions, **found.conditions},
                instruments={**record.instruments, name: figures} if figures else record.instruments,
            )
            if found.trace is not None:
                self.trace = found.trace
                self._record = replace(self.record, **_traced(found.trace, self.service.module))
            if found.retention is not None:
                self.count_objects(found.retention)
            if (left := known(found.left)) is not None:
                groups = goroutine_groups([left.before], [left.after], self.service.module, left)
                leaks = self._judging.known_leaks.among_goroutines(left)
                notes = (*self.record.notes, *over_notes(leaks))
                self._record = replace(self.record, goroutine_groups=groups, known_leaks=leaks, notes=notes)

    def skip(self, why: str) -> None:
        """Say why there will be no figures."""
        self._why_open = why

    @property
    def results(self) -> Mapping[str, Reading | Unavailable]:
        """Every metric's reading, or why there is none; raises MeasureError while the window is open."""
        if self._results is None:
            raise MeasureError(self._why_open)
        return self._results

    @property
    def record(self) -> WindowRecord:
        """The window for the report, with all verdicts so far."""
        if self._record is None:
            raise MeasureError(self._why_open)
        return self._record

    @property
    def closed(self) -> bool:
        """Whether the figures are available."""
        return self._record is not None

    def __getitem__(self, name: str) -> float:
        """The metric's value in base units; raises MeasureError with the reason if it is unavailable."""
        result = self._result(name)
        if isinstance(result, Unavailable):
            raise MeasureError(f"{name} is unavailable in window '{self.name}': {self._shown(result.reason)}")
        return result.value

    def _result(self, name: str) -> Reading | Unavailable:
        metric = self._registry.lookup(name).name
        return self.results.get(metric) or without_result(metric)

    def _shown(self, text: str) -> str:
        return unexpanded(text, self.service.hidden)

    @checked
    def get(self, name: str, default: float | None = None) -> float | None:
        """The metric's value, or `default` if it is unavailable."""
        reading = known(self._result(name))
        return default if reading is None else reading.value

    @checked
    def check(self, **budgets: object) -> None:
        """Judge by further budgets, written as in the marker; raises BudgetBroken with the whole failure text."""
        verdicts = self._add_verdicts(self._parsed(budgets))
        if not failed(verdicts):
            return
        if self.takes_profiles:
            self.accuse()
        if not self._judging.report_only:
            record = with_shown_texts(replace(self.record, verdicts=verdicts), self._shown)
            [(headline, text)] = self._explanation.texts([record], self._judging.nodeid)
            raise BudgetBroken(text, headline)

    def accuse(self) -> None:
        """Keep the profiles of a failed window, and name the culprits of its broken limits with their reasons."""
        profiles = self.profiles
        if profiles is None:
            return
        notes = [*profiles.on_failure(), *profiles.late_notes]
        record = replace(self.record, notes=tuple(dict.fromkeys((*self.record.notes, *notes))))
        self._record = self._explanation.at_close(record, self)

    def keep_log(self) -> None:
        """Keep the service's log for `save_artifacts`, since its process is about to be forgotten."""
        with contextlib.suppress(SupervisorError):  # gone with its log
            self._log = self.service.shown_log()

    def save_artifacts(
        self,
        folder: Path,
        nodeid: str,
        number: int,
        profiled: Measurement | None = None,
        compared: Measurement | None = None,
        pictures: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Write the service's log, the profiles and pictures below `folder`; raises GomemError when that fails.

        number: of the window in its test. profiled: the window in the round that has its profiles, if it is another
        one. compared: the same of the other side. pictures: SVGs by name.
        """
        if self._record is None:
            return
        stem = artifact_stem(nodeid, self.service.name, self.name, number)
        contents: dict[str, tuple[str, bytes]] = {}
        if self.service.process.has_log:
            log = self.service.shown_log() if self._log is None else self._log
            contents["log"] = (f"{stem}.log", log.encode())
        theirs = compared.profiles.artifacts() if compared and compared.profiles else {}
        profiles = {f"compared_{kind}": theirs[kind] for kind in _OF_THE_OTHER_SIDE if kind in theirs}
        ours = (profiled or self).profiles
        profiles.update(ours.artifacts() if ours else {})
        for kind, captured in profiles.items():
            if isinstance(captured.raw, bytes):
                contents[kind] = (f"{stem}-{kind}{captured.suffix}", captured.raw)
        for name, svg in pictures.items():
            contents[f"{name}_course"] = (f"{stem}-{name}.svg", svg.encode())
        try:
            for name, data in contents.values():
                write_whole(folder / name, data)
        except OSError as error:
            raise GomemError(f"--gomem-artifacts: cannot write {error.filename}: {error.strerror}") from None
        paths = {kind: name for kind, (name, _) in contents.items()}
        self._record = replace(self._record, artifacts={**self._record.artifacts, **paths})

    def _parsed(self, written: Mapping[str, object]) -> list[Budget]:
        mistakes, budgets = Mistakes(), list[Budget]()
        for metric, value in written.items():
            with mistakes.kept():
                budgets += self._checked(metric, value, Place(key=f"check().{metric}"))
        mistakes.raise_all()
        return budgets

    def _checked(self, metric: str, value: object, place: Place) -> tuple[Budget, ...]:
        found = parse_budget(metric, value, units=self._registry.units(), scope=CHECK_SCOPE, place=place)
        if any(budget.regression is not None for budget in found):
            hint = "declare `regression` on the test or in gomem.yaml"
            raise ConfigError("a comparison waits for all rounds of the test", place, hint)
        if any(budget.memory is not None for budget in found):
            hint = "declare time_to_limit with its limit on the test or in gomem.yaml"
            raise ConfigError("the window was measured against another limit", place, hint)
        return found

    def _add_verdicts(self, budgets: Sequence[Budget]) -> tuple[Verdict, ...]:
        if not self.takes_profiles:
            self.observed_budgets += tuple(budget for budget in budgets if budget.glob)
            budgets = [budget for budget in budgets if not budget.glob]
        self._of_dump += [asked_by(budget) for budget in budgets if budget.type]
        functions = measured_functions(budgets, self.profiles, self.service.module)
        objects = measured_objects(self._of_dump, self._dumped, self.service.process.built)
        verdicts = self._judging.verdicts(budgets, self.results, {**functions, **objects}, self.record.phases)
        self._record = replace(
            self.record,
            verdicts=(*self.record.verdicts, *verdicts),
            functions=tuple(dict.fromkeys((*self.record.functions, *known_functions(functions)))),
            types=known_types(objects),
        )
        return verdicts

    @property
    def _dumped(self) -> Retention | Unavailable | None:
        """What budgets on objects are judged by when the window closes."""
        if self._judging.only_measures:  # of an observed round, whose dump comes after all else
            return self.retention
        return SHARED if outlives_round(self.service) else RUNS_ONCE


def _traced(found: TraceFound, module: GoModule) -> dict[str, Any]:
    """What a record says of a trace."""
    if isinstance(found.report, Unavailable):
        return {"trace": None, "trace_note": found.report.reason}
    return {"trace": told(found.report, module), "trace_note": found.note}
