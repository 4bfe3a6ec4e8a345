"""What one pytest run works with: its options, gomem.yaml, the metrics, a folder, and the run of the core."""

from __future__ import annotations

import contextlib
import os
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_gomem.base.errors import GomemError
from pytest_gomem.plugin import settings as against
from pytest_gomem.plugin import settings as option_values
from pytest_gomem.plugin.use import default_config, is_worker

if TYPE_CHECKING:
    import pytest

    from pytest_gomem.config.file import GomemConfig
    from pytest_gomem.measure.registry import Registry
    from pytest_gomem.plugin.options import Said
    from pytest_gomem.session.run import Run


class State:
    """What is heavy of it is made when it is first needed."""

    def __init__(self, config: pytest.Config, options: Said) -> None:
        self.config = config
        self.options = options
        self.gomem_config: GomemConfig | None = None
        self.against: against.Asked | None = None
        self._folders = contextlib.ExitStack()
        if (silent := self._given("gomem_silent_go")) and not self.is_remote:
            from pytest_gomem.launch import toolchain

            toolchain.silent.update(silent)

    def load(self) -> None:
        """Judge the options, and gomem.yaml where there is one; raises ConfigError(s), and ToolchainError."""
        named, started_in = self.options["config"], self.config.invocation_params.dir
        path = started_in / str(named) if named else default_config(self.config)
        option_values.check(self.options)
        if path is not None:
            from pytest_gomem.config.file import load_config

            self.gomem_config = load_config(Path(os.path.relpath(path)), self.registry.units())
        if against.is_asked(self.options):
            self.against = against.Asked.judged(self.options, self.gomem_config, started_in, self.run_dir)

    @cached_property
    def registry(self) -> Registry:
        """The metrics of all plugins."""
        from pytest_gomem.measure.metric import Metric
        from pytest_gomem.measure.registry import Registry
        from pytest_gomem.plugin.hook_calls import gathered

        given = list(gathered(self.config, "pytest_gomem_metrics", Metric))
        return Registry(metric for metrics in reversed(given) for metric in metrics)

    @cached_property
    def run(self) -> Run:
        """The core's run."""
        from pytest_gomem.instruments.registry import builtin_instruments
        from pytest_gomem.observe.sources import Source
        from pytest_gomem.plugin.hook_calls import gathered
        from pytest_gomem.plugin.messages import announce
        from pytest_gomem.session.run import DEFAULT_SAMPLE_RATE, Run, RunSettings

        sources = list(gathered(self.config, "pytest_gomem_sources", Source))
        return Run(
            RunSettings(
                config=self.gomem_config,
                registry=self.registry,
                run_dir=self.run_dir,
                sample_rate=option_values.sample_rate(self.options) or DEFAULT_SAMPLE_RATE,
                measure=not self.options["no-measure"],
                against=self.against.base if self.against else None,
                sources=tuple(source for given in reversed(sources) for source in given),
                instruments=builtin_instruments(),
                announce=partial(announce, self.config),
            )
        )

    @cached_property
    def run_dir(self) -> Path:
        """A private folder for binaries and launches, one for all workers of a run on this machine."""
        from pytest_gomem.base.files import held, run_folder

        is_ours = is_worker(self.config) and not self.is_remote
        return self._folders.enter_context(held(self._shared) if is_ours else run_folder("pytest-gomem-"))

    @cached_property
    def is_remote(self) -> bool:
        """Whether this is a worker on another machine than the controller's, with which it shares no file."""
        from pytest_gomem.base.files import is_here

        return is_worker(self.config) and not is_here(self._shared)

    @property
    def _shared(self) -> Path:
        return Path(self._given("gomem_run_dir") or "")

    def for_workers(self) -> dict[str, Any]:
        """What the workers of this controller are given: its folder, and which go commands do not answer."""
        from pytest_gomem.launch import toolchain

        with contextlib.suppress(GomemError):
            toolchain.find_toolchain()
        return {"gomem_run_dir": str(self.run_dir), "gomem_silent_go": toolchain.silent}

    def _given(self, name: str) -> Any:
        """What the controller has given to this worker; None elsewhere."""
        return getattr(self.config, "workerinput", {}).get(name)

    def close(self) -> None:
        """End every process of the run and remove its folder."""
        if "run" in self.__dict__:
            self.run.close()
        self._folders.close()
