"""What is written at the end of a run: each output that an option asks for, and what `gomem accept` needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_gomem.config.fields import Mistakes

if TYPE_CHECKING:
    from pytest_gomem.plugin.session import PluginSession
    from pytest_gomem.results.run_record import RunRecord


def write_reports(run: RunRecord, session: PluginSession) -> None:
    """Call each reporter; if one cannot write, the others still do. Raises ConfigErrors with all that went wrong."""
    mistakes = Mistakes()
    for write in _REPORTERS:
        with mistakes.kept():
            write(run, session)
    mistakes.raise_all()


def _remember_broken(run: RunRecord, session: PluginSession) -> None:
    """Keep broken limits in pytest's cache, unless -p no:cacheprovider is set or `gomem selftest` runs."""
    from pytest_gomem.instruments.injected_load import in_selftest
    from pytest_gomem.report.accepted import CACHE_KEY, broken_tests

    if in_selftest():
        return
    cache = getattr(session.config, "cache", None)
    broken = broken_tests(run)
    if cache is not None and broken:
        cache.set(CACHE_KEY, broken)


def _json(run: RunRecord, session: PluginSession) -> None:
    if session.settings.json:
        from pytest_gomem.report.json_report import write_json

        write_json(run, session.settings.json)


def _html(run: RunRecord, session: PluginSession) -> None:
    if session.settings.html:
        from pytest_gomem.page.write import write_page

        write_page(run, session.settings.html, "--gomem-html")


def _history(run: RunRecord, session: PluginSession) -> None:
    if session.settings.history:
        from pytest_gomem.base import clock
        from pytest_gomem.git.repository import revision_of
        from pytest_gomem.history.entry import entries_of
        from pytest_gomem.history.file import append

        append(session.settings.history, entries_of(run, revision_of(session.config.rootpath), clock.now()))


_REPORTERS: tuple[Callable[[RunRecord, PluginSession], None], ...] = (_remember_broken, _json, _html, _history)
