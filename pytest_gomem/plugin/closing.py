"""Closes the windows around the body of a round, whatever became of their services."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_gomem.base.errors import GomemError
from pytest_gomem.comparison.ran import has_oom
from pytest_gomem.comparison.rounds import AllRounds
from pytest_gomem.plugin.body_errors import in_one_line
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.service import Service
from pytest_gomem.session.window import OpenWindow

Windows = Sequence[tuple[Service, OpenWindow]]


def close(rounds: AllRounds, windows: Windows, *, failing: bool = False) -> None:
    """Close the windows of the current round, and lose none of our errors. failing: the body has failed."""
    round_, closed = rounds.current, list[tuple[OpenWindow, Measurement]]()
    gomem = round_.gomems[0]
    for service, window in windows:
        try:
            closed.append((window, gomem.close_window(service, window, failing=failing)))
            service.check_alive()
        except GomemError as error:
            if not round_.plan.is_judged:
                rounds.give_up(round_.plan, in_one_line(error))
            elif not has_oom(measurement for _, measurement in closed):  # of which a verdict tells
                rounds.troubles.append(str(error))
    if not (failing or rounds.troubles):
        for window, measurement in closed:
            gomem.follow_up(window, measurement)


def drop(windows: Windows) -> None:
    """Leave the windows open: nothing asks for their figures."""
    for service, _ in windows:
        service.window = None
