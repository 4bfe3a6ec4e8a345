"""The plugin's session: what one pytest run works with, from its options to the reports."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gomem.base.errors import ConfigError, GomemError
from pytest_gomem.base.printable import printable
from pytest_gomem.plugin import builtin
from pytest_gomem.plugin.baselines import RunBaselines
from pytest_gomem.plugin.editor_schema import keep_editor_schema
from pytest_gomem.plugin.hook_calls import gathered
from pytest_gomem.plugin.measuring import Measuring
from pytest_gomem.plugin.messages import announce
from pytest_gomem.plugin.outcomes import Outcomes
from pytest_gomem.plugin.planning import Planning
from pytest_gomem.plugin.reporting import Reporting
from pytest_gomem.plugin.run_folder import RunFolder
from pytest_gomem.plugin.selection import Selection
from pytest_gomem.plugin.settings import Settings, read_settings, text_options
from pytest_gomem.plugin.use import default_config, given_by_controller

if TYPE_CHECKING:
    from pytest_gomem.config.gomem_yaml import GomemConfig
    from pytest_gomem.launch.sides import Against
    from pytest_gomem.measure.registry import Registry
    from pytest_gomem.session.run import Run

_SILENT_GO = "gomem_silent_go"


class PluginSession:
    """Settings, gomem.yaml, the core's run, and the parts that plan, measure, compare and report its tests.

    Heavy parts are made on first use. gomem_config: None without a gomem.yaml. base: the other side of all
    comparisons, if any. against: the same as its commit, binary or Go.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.config = config
        self.settings = settings
        self.gomem_config: GomemConfig | None = None
        self.base: Against | None = None
        self.against = ""
        self._remarks: tuple[str, ...] = ()
        self.folder = RunFolder(config)
        self.selection = Selection(config)
        self.planning = Planning(self)
        self.measuring = Measuring(self)
        self.outcomes = Outcomes(self)
        self.reporting = Reporting(self)
        self.baselines = RunBaselines(self)

    @classmethod
    def configured(cls, config: pytest.Config) -> PluginSession:
        """Read options and gomem.yaml; raises UsageError with every mistake in them."""
        manager = config.pluginmanager
        manager.register(builtin, "gomem-builtin")
        with contextlib.ExitStack() as undone:
            try:
                session = cls(config, read_settings(config))
                undone.callback(session.close)
                for part in ("selection", "outcomes", "reporting", "baselines"):
                    manager.register(getattr(session, part), f"gomem-{part}")
                session._load()
                session.baselines.check_rounds()
            except GomemError as error:
                raise pytest.UsageError(str(error)) from None
            undone.pop_all()
        return session

    def _load(self) -> None:
        self._hear_of_silent_go()
        path = self.settings.config or default_config(self.config)
        if path is not None:
            from pytest_gomem.config.gomem_yaml import load_config

            self.gomem_config = load_config(Path(os.path.relpath(path)), self.registry.units())
            keep_editor_schema(self.config, path, self.registry)
        if self.settings.set:
            from pytest_gomem.session.laid_over import check_services

            check_services(self.settings.set, self.gomem_config.services if self.gomem_config else ())
        against, head = self.settings.against, self.settings.head
        if head and not self.settings.no_compare and (against is None or not against.ref):
            hint = "name the other side: --gomem-against=REF"
            raise ConfigError("--gomem-head is one side of a comparison of two commits", hint=hint)
        if self.settings.has_base_side:
            self.base, self._remarks = self._base_side()

    def _base_side(self) -> tuple[Against, tuple[str, ...]]:
        """The other side, and remarks on it to show before the tests."""
        from pytest_gomem.launch.go_versions import named_toolchain
        from pytest_gomem.launch.sides import Against, BaseSide

        if self.gomem_config is None:
            raise ConfigError(
                "there is no gomem.yaml, and so no service to compare", hint="name one: --gomem-config PATH"
            )
        base, go = self.settings.against or Against(), self.settings.against_go
        if base.binary and go:
            raise ConfigError(
                "--gomem-against-go builds the base side, and --gomem-against names a binary", hint="keep one"
            )
        if self.settings.head:
            base = replace(base, head=self.settings.head)
        if go:
            base = replace(base, toolchain=named_toolchain(go, self.folder.path))
        side, services = BaseSide(base, self.folder.path), self.gomem_config.services.values()
        remarks = side.check(services)
        self.against = side.identity(services)
        return base, remarks

    @cached_property
    def registry(self) -> Registry:
        """The metrics of all plugins."""
        from pytest_gomem.measure.metric import Metric
        from pytest_gomem.measure.registry import Registry

        given = list(gathered(self.config, "pytest_gomem_metrics", Metric))
        return Registry(metric for metrics in reversed(given) for metric in metrics)

    @cached_property
    def run(self) -> Run:
        """The core's run."""
        from pytest_gomem.diagnosis.explanation import ByProfiles
        from pytest_gomem.instruments.registry import builtin_instruments
        from pytest_gomem.observe.sources import Source
        from pytest_gomem.session.run import DEFAULT_SAMPLE_RATE, Run, RunSettings

        sources = list(gathered(self.config, "pytest_gomem_sources", Source))
        return Run(
            RunSettings(
                config=self.gomem_config,
                registry=self.registry,
                run_dir=self.folder.path,
                explanation=ByProfiles(text_options(self.settings, self.config.get_verbosity())),
                sample_rate=self.settings.sample_rate or DEFAULT_SAMPLE_RATE,
                measure=not self.settings.no_measure,
                against=self.base,
                laid_over=self.settings.set or {},
                sources=tuple(source for given in reversed(sources) for source in given),
                instruments=builtin_instruments(),
                announce=partial(announce, self.config),
            )
        )

    def header(self) -> str | None:
        """The Go that builds the services, and what they are compared with; None without a gomem.yaml."""
        if self.gomem_config is None:
            return None
        from pytest_gomem.launch.toolchain import find_toolchain

        try:
            go = str(find_toolchain())
        except GomemError as error:
            go = str(error)
        lines = [f"{go}, services: {', '.join(self.gomem_config.services) or 'none'}"]
        if self.base:
            of = f"{self.base.head} is " if self.base.head else ""
            lines += [f"{of}compared with {self.base}", *self._remarks]
        if self.settings.set:
            from pytest_gomem.session.laid_over import laid_over_words

            lines.append(f"services are launched under {laid_over_words(self.settings.set)} (--gomem-set)")
        if self.settings.no_compare:
            lines.append("nothing is compared (--gomem-no-compare)")
        return "\n".join(printable(f"gomem: {line}") for line in lines)

    def for_workers(self) -> dict[str, Any]:
        """What pytest-xdist's workers get: our folder, and which go commands do not answer."""
        from pytest_gomem.launch import toolchain

        with contextlib.suppress(GomemError):
            toolchain.find_toolchain()
        return {RunFolder.KEY: str(self.folder.path), _SILENT_GO: toolchain.silent}

    def _hear_of_silent_go(self) -> None:
        silent = given_by_controller(self.config).get(_SILENT_GO)
        if silent and not self.folder.is_remote:
            from pytest_gomem.launch import toolchain

            toolchain.silent.update(silent)

    def close(self) -> None:
        """End every process of the run and remove its folder."""
        if "run" in self.__dict__:
            self.run.close()
        self.reporting.close()
        self.folder.close()
