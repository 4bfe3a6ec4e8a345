"""Owns what one run was asked to do, as plain values: the core needs no pytest to be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_gomem.config.file import GomemConfig
from pytest_gomem.launch.sides import Against
from pytest_gomem.measure.registry import Registry
from pytest_gomem.observe.sources import SOURCES, Source

DEFAULT_SAMPLE_RATE = 50.0


@dataclass(frozen=True)
class RunSettings:
    """The settings of a run.

    config: the loaded gomem.yaml, or None where there is none. run_dir: a private folder shared by all processes of
    the run. sample_rate: timeline points a second. measure: False launches services without measuring them.
    sources: who tells quantities of processes.
    against: what the base side of each test is, None where nothing is compared.
    announce: told a line for the user, at once, while something takes long.
    """

    config: GomemConfig | None
    registry: Registry
    run_dir: Path
    sample_rate: float = DEFAULT_SAMPLE_RATE
    measure: bool = True
    sources: tuple[Source, ...] = SOURCES
    against: Against | None = None
    announce: Callable[[str], None] = lambda line: None
