"""What the windows of a test are judged by: its markers, gomem.yaml, gomem_accepted.yaml and the options of the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_gomem.base import clock
from pytest_gomem.config.gomem_yaml import BudgetTable, GomemConfig
from pytest_gomem.judge.known_leaks import KnownLeaks
from pytest_gomem.session.judging import Judging

if TYPE_CHECKING:
    from pytest_gomem.plugin.items import Plan
    from pytest_gomem.plugin.settings import Settings


def judging_of(
    nodeid: str, plan: Plan, config: GomemConfig | None, settings: Settings, *, may_run_again: bool
) -> Judging:
    """For one test. config: None without a gomem.yaml."""
    config = config or GomemConfig(Path(), {}, BudgetTable())
    return Judging(
        nodeid,
        plan.budgets,
        config.budgets,
        settings.report_only,
        settings.strict,
        takes_profiles=not may_run_again,
        accepted=config.accepted,
        enough=settings.enough,
        ignore_goroutines=plan.ignore_goroutines,
        known_leaks=KnownLeaks.of_test(config.known_leaks, nodeid, clock.today()),
    )
