"""What is written at the end of a run: each output that an option asks for, and what `gomem accept` needs."""

from __future__ import annotations

import os
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


def _pull_request(run: RunRecord, session: PluginSession) -> None:
    """The comment, the files for GitLab, and what GitHub shows by itself; `gomem selftest` breaks limits on purpose."""
    from pytest_gomem.instruments.injected_load import in_selftest

    settings = session.settings
    is_shown = settings.ci == "auto" and os.environ.get("GITHUB_ACTIONS") == "true" and not in_selftest()
    if not (is_shown or settings.markdown or settings.gitlab):
        return
    from pytest_gomem.ci.findings import tell
    from pytest_gomem.ci.gitlab import write_gitlab
    from pytest_gomem.ci.outputs import show_on_github, write_comment
    from pytest_gomem.launch.in_repository import top_of_repository
    from pytest_gomem.plugin.messages import command_runner
    from pytest_gomem.plugin.settings import text_options

    mistakes = Mistakes()
    told = tell(run, top_of_repository(session.config.rootpath), text_options(settings, 0).artifacts)
    if is_shown:
        command_runner(session.config, list(show_on_github(told, os.environ)))
    with mistakes.kept():
        if settings.markdown:
            write_comment(told, settings.markdown, settings.markdown_key, os.environ, "--gomem-markdown")
    with mistakes.kept():
        if settings.gitlab:
            write_gitlab(told, settings.gitlab, "--gomem-gitlab")
    mistakes.raise_all()


_REPORTERS: tuple[Callable[[RunRecord, PluginSession], None], ...] = (
    _remember_broken,
    _json,
    _html,
    _history,
    _pull_request,
)
