"""The factories that tests use: for a session they launch and attach, for one test they also measure."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from pytest_gomem.base.errors import GomemError, KilledAtLimit, LaunchError, MeasureError, Place, ServiceDied
from pytest_gomem.base.unavailable import Unavailable, attempt, reason_of
from pytest_gomem.base.units import SECONDS
from pytest_gomem.config.arguments import above_0, at_least_1, checked
from pytest_gomem.config.budgets import Budget
from pytest_gomem.config.gc_settings import GcSettings
from pytest_gomem.config.services import ServiceConfig
from pytest_gomem.judge.decide import failed
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.measure.bill import live_heap_growth
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.summary import summarize
from pytest_gomem.measure.window import Window
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.attached import base_url_of
from pytest_gomem.session.instrument import Closes, Instrument, WindowPlan, at_launch
from pytest_gomem.session.judging import Judging
from pytest_gomem.session.life import EndedProgram
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.phases import COLLECTED
from pytest_gomem.session.plan import Role, RoundPlan
from pytest_gomem.session.recording import window_record
from pytest_gomem.session.run import Run, overrides
from pytest_gomem.session.service import Service, outlives_round
from pytest_gomem.session.window import OpenWindow

RUN_TIMEOUT = 600.0


class Launchpad:
    """Launches and attaches; `close` ends what you launched and did not stop.

    base: default options of every launch (from gomem_service_options and the gomem_gc marker).
    service: the one to launch if you name none; None = the only one of gomem.yaml.
    """

    plan = RoundPlan()
    _of_one_test = False

    def __init__(self, run: Run, base: Overrides | None = None, service: str | None = None) -> None:
        self._run = run
        self._default = service
        self._base = base or Overrides()
        self._services: list[Service] = []

    @checked
    def launch(
        self,
        service: str | None = None,
        *,
        args: Sequence[object] | None = None,
        env: Mapping[str, object] | None = None,
        gc: Mapping[str, object] | GcSettings | None = None,
        gogc: int | str | None = None,
        gomemlimit: int | str | None = None,
        gomaxprocs: int | None = None,
        godebug: str | Mapping[str, object] | None = None,
        manual_gc: int | str | None = None,
        unbounded: bool = False,
        memory_limit: int | str | Mapping[str, object] | None = None,
    ) -> Service:
        """Start a service of gomem.yaml, by default the only one; also a context manager that stops it.

        args: replace those of gomem.yaml. env: added to its own. gogc to unbounded: GC settings as in gomem.yaml;
        they override the service's, and a mapping of the same names in `gc`. memory_limit: as in gomem.yaml; "off" for
        none.
        Raises BuildError, LaunchError, ServiceDied, ConfigError(s).
        """
        config = self._run.service_config(service or self._default)
        named = {"gogc": gogc, "gomemlimit": gomemlimit, "gomaxprocs": gomaxprocs, "godebug": godebug}
        said = self._overrides(
            args, env, gc, {**named, "manual_gc": manual_gc, "unbounded": unbounded, "memory_limit": memory_limit}
        )
        plan = WindowPlan(config.name, config, self._budgets(config.name), is_profiled=self._profiles_windows())
        instruments = self._instruments(plan)
        return self._keep(self._run.launch(config.name, said.over(at_launch(instruments)), self.plan.side))

    def _instruments(self, window: WindowPlan) -> tuple[Instrument, ...]:
        return (*self._run.settings.instruments(window), *self.plan.instruments(window))

    def _budgets(self, service: str) -> tuple[Budget, ...]:
        """The budgets of all tests, since its services serve many."""
        return self._run.shared_budgets(service)

    def _profiles_windows(self) -> bool:
        """Whether budgets on functions profile the measured windows: a process that tests share can't be observed."""
        return True

    @checked
    def attach(
        self,
        pid: int | None = None,
        pprof: str | None = None,
        reset_peak: bool = False,
        *,
        port: int | None = None,
        url: str | None = None,
    ) -> Service:
        """Watch a process that you started; it is never signalled, and its VmHWM is reset only on request.

        pprof: by default searched on the TCP ports that the process listens on. port, url: where `get`, `post` and
        `load` go: a port of this machine or `http://HOST:PORT`; by default the only port that it listens on.
        Raises LaunchError if there is no such process, or if `pprof` is another one's; ConfigError.
        """
        return self._keep(self._run.attach(pid, pprof, reset_peak=reset_peak, url=base_url_of(port, url)))

    def _overrides(
        self,
        args: Sequence[object] | None,
        env: Mapping[str, object] | None,
        gc: Mapping[str, object] | GcSettings | None,
        named: Mapping[str, object],
    ) -> Overrides:
        options = {"args": args, "env": env, "gc": gc, **named}
        said = overrides({name: value for name, value in options.items() if value is not None}, Place())
        return self.plan.overrides.over(said.over(self._base))

    def _keep(self, service: Service) -> Service:
        service.is_shared = not self._of_one_test
        self._services.append(service)
        return service

    @property
    def services(self) -> tuple[Service, ...]:
        """The services that were launched or attached here and not stopped."""
        return tuple(self._services)

    def close(self) -> None:
        """Stop what was launched here, and stop watching what was attached."""
        while self._services:
            service = self._services.pop()
            service.stop()
            service.process.discard()


class Gomem(Launchpad):
    """A launchpad that also measures windows and judges them by the budgets of its test.

    plan: the round that its services and windows belong to.
    """

    _of_one_test = True

    def __init__(
        self,
        run: Run,
        judging: Judging,
        base: Overrides | None = None,
        service: str | None = None,
        plan: RoundPlan | None = None,
    ) -> None:
        super().__init__(run, base, service)
        self.judging = judging
        self.plan = plan or RoundPlan()
        self.measurements: list[Measurement] = []
        self._measured: list[Service] = []

    def _budgets(self, service: str) -> tuple[Budget, ...]:
        """The budgets of the test."""
        return self.judging.budgets(service)

    def _profiles_windows(self) -> bool:
        """Whether budgets on functions profile the windows of this round, although it is measured."""
        return self.plan.role is Role.MEASURED and self.judging.takes_profiles

    @checked
    def run(
        self,
        service: str | None = None,
        *,
        name: str | None = None,
        ops: int | None = None,
        timeout: float | str = RUN_TIMEOUT,
        allow_exit: Collection[int] = (0,),
        args: Sequence[object] | None = None,
        env: Mapping[str, object] | None = None,
        gc: Mapping[str, object] | GcSettings | None = None,
        gogc: int | str | None = None,
        gomemlimit: int | str | None = None,
        gomaxprocs: int | None = None,
        godebug: str | Mapping[str, object] | None = None,
        manual_gc: int | str | None = None,
        unbounded: bool = False,
        memory_limit: int | str | Mapping[str, object] | None = None,
    ) -> Measurement:
        """Run a program to its own end and measure it whole; its peak is the ru_maxrss of the supervisor's wait4.

        name: of the window, by default the service's. ops: how many operations the run does. timeout: seconds, or
        "10min". allow_exit: exit statuses that are no failure. The others as in `launch`.
        Raises ServiceDied for another exit status or a signal, LaunchError after `timeout`, and what `launch` raises.
        """
        at_least_1("ops", ops)
        config = self._run.service_config(service or self._default)
        named = {"gogc": gogc, "gomemlimit": gomemlimit, "gomaxprocs": gomaxprocs, "godebug": godebug}
        said = self._overrides(
            args, env, gc, {**named, "manual_gc": manual_gc, "unbounded": unbounded, "memory_limit": memory_limit}
        )
        seconds = above_0("timeout", timeout, SECONDS)
        return self.run_config(config, name=name, ops=ops, timeout=seconds, allow_exit=allow_exit, said=said)

    def run_config(
        self,
        config: ServiceConfig,
        *,
        name: str | None = None,
        ops: int | None = None,
        timeout: float = RUN_TIMEOUT,
        allow_exit: Collection[int] = (0,),
        said: Overrides | None = None,
    ) -> Measurement:
        """`run` for a program that is not in gomem.yaml."""
        window = name or config.name
        budgets, is_profiled = self.judging.budgets(config.name), self._profiles_windows()
        plan = WindowPlan(config.name, config, budgets, self.judging.nodeid, window, is_profiled)
        instruments = self._instruments(plan)
        started = (said or Overrides()).over(at_launch(instruments))
        process = self._run.start(config, started, self.plan.side)
        for instrument in instruments:
            instrument.started(process)
        program = self._keep(self._run.service(process))
        exit = process.ending(timeout)
        if exit is None:
            program.stop()
            raise LaunchError(program.name, f"did not end within {timeout:g} s", program.shown_log(tail=20))
        ended = EndedProgram(process, instruments, started.kept)
        whole = ended.window(window, ops)
        measurement = self._measurement(program, window)
        results, record = self._evaluated(program, whole)
        measurement.fill(results, record, ended.profiles, whole.allocated)
        measurement.add(ended.instruments.findings())
        if measurement.takes_profiles and failed(measurement.record.verdicts):
            measurement.accuse()
        if exit.code not in allow_exit:
            died = ServiceDied if record.oom is None else KilledAtLimit
            raise died(program.name, process.ending_words(), program.shown_log(tail=20))
        return measurement

    @checked
    def measure(
        self, service: Service, name: str = "window", ops: int | None = None, *, pss: bool = False
    ) -> AbstractContextManager[Measurement]:
        """Measure a service inside the block; the budgets of the test judge it when the block ends.

        name: of the window. ops: how many operations the block does, if nothing counts them. pss: read the
        proportional set size too (1 ms on 300 MB); a declared budget on peak_pss turns it on by itself.
        Raises MeasureError if another window is open on the service, ServiceDied, ConfigError.
        """
        at_least_1("ops", ops)
        return self._measuring(service, name, ops, pss)

    @contextlib.contextmanager
    def _measuring(self, service: Service, name: str, ops: int | None, pss: bool) -> Iterator[Measurement]:
        measurement = self._measurement(service, name)
        if not self._run.settings.measure:
            measurement.skip(f"window '{name}' has no figures: --gomem-no-measure was given")
            yield measurement
            return
        window = self.open(service, name, ops, pss=pss)
        try:
            yield measurement
        except Exception:
            with contextlib.suppress(GomemError):  # report the body's own error
                self.close_window(service, window, measurement, failing=True)
            raise
        finally:
            service.window = None
        self.close_window(service, window, measurement)
        service.check_alive()
        self.follow_up(window, measurement)

    def open(self, service: Service, name: str, ops: int | None, *, pss: bool = False) -> OpenWindow:
        """Open a window; raises MeasureError if one is already open."""
        if service.window is not None:
            raise MeasureError(f"window '{service.window.name}' is open on {service.name}: windows do not nest")
        budgets = self.judging.budgets(service.name)
        plan = WindowPlan(
            service.name,
            service.process.config,
            budgets,
            self.judging.nodeid,
            name,
            is_profiled=self._profiles_windows() or (outlives_round(service) and self.plan.role is Role.MEASURED),
            outlives_round=outlives_round(service),
            is_observed=self.plan.role is Role.OBSERVED,
            exempt=self.judging.exempt(service.process.config),
        )
        service.window = OpenWindow(
            service.process,
            name,
            ops,
            fresh=service.is_unmeasured(),
            pss=pss or any(budget.metric == "peak_pss" for budget in budgets),
            instruments=self._instruments(plan),
            collecting=frozenset(b.phase for b in budgets if b.metric in COLLECTED),
            limit=next((int(b.memory.value) for b in budgets if b.memory is not None), None),
        )
        service.windows_opened += 1
        self._measured.append(service)
        return service.window

    def close_window(
        self, service: Service, window: OpenWindow, measurement: Measurement | None = None, *, failing: bool = False
    ) -> Measurement:
        """Close a window and judge it. failing: its test has already failed, so its profiles are kept."""
        service.window = None
        measurement = measurement or self._measurement(service, window.name)
        closed = window.close()
        results, record = self._evaluated(service, closed)
        measurement.fill(results, record, window.profiles, closed.allocated, live_heap_growth(closed))
        measurement.unseen = reason_of(attempt(service.process.readers.inside))
        window.measurement = measurement
        window.instruments.close(Closes.JUDGED, window)
        measurement.add(window.instruments.findings())
        is_gone = measurement.record.oom is not None  # with all that profiles could show
        if not is_gone and (failing or (measurement.takes_profiles and failed(measurement.record.verdicts))):
            measurement.accuse()
        window.profiles.leave()
        return measurement

    @property
    def has_open_window(self) -> bool:
        """Whether one is open on any service."""
        return any(service.window is not None for service in self._measured)

    def follow_up(self, window: OpenWindow, measurement: Measurement) -> None:
        """Close the instruments that watch the service after a window; its body passed and the service lives."""
        window.instruments.close(Closes.AFTERWARDS, window)
        measurement.add(window.instruments.findings())

    def _measurement(self, service: Service, name: str) -> Measurement:
        measurement = Measurement(
            name, service, self._run.settings.registry, self.judging, self._run.settings.explanation
        )
        self.measurements.append(measurement)
        return measurement

    def _evaluated(self, service: Service, window: Window) -> tuple[Mapping[str, Reading | Unavailable], WindowRecord]:
        registry = self._run.settings.registry
        summary = summarize(window, registry)
        return summary.metrics, window_record(service, window, summary, registry)
