"""What a test item uses: its fixtures, its markers, and every mistake in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_gomem.base.errors import ConfigError, ConfigErrors, Place
from pytest_gomem.config.fields import Mistakes
from pytest_gomem.plugin.use import FIXTURES, MARKERS, MATRIX_FIXTURE, SERVICE_FIXTURE, SESSION_FIXTURE, fixture_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_gomem.config.accepted import Acceptance
    from pytest_gomem.config.budgets import Budget
    from pytest_gomem.config.marker import Combination, MarkerConfig, Rounds
    from pytest_gomem.session.run import Run

PLAN: pytest.StashKey[Plan] = pytest.StashKey()


class Plan(NamedTuple):
    """What a test declares: its service (None if it launches by hand), operations, rounds, marker budgets.

    budgets: those of each marker, the closest to the function first. diagnose: whether it may run again, observed.
    ignore_goroutines: globs of gomem.yaml and of all its markers.
    """

    service: str | None
    ops: int | None
    budgets: tuple[tuple[Budget, ...], ...]
    rounds: Rounds | None
    diagnose: bool = True
    ignore_goroutines: tuple[str, ...] = ()


def test_id(item: pytest.Item) -> str:
    """The test's id, without the "@" and groups that xdist's --dist=loadgroup appends on its workers."""
    groups = [str((*mark.args, *mark.kwargs.values(), "default")[0]) for mark in item.iter_markers("xdist_group")]
    return item.nodeid.removesuffix(f"@{'_'.join(sorted(set(groups)))}") if groups else item.nodeid


def line_of(item: pytest.Item) -> int | None:
    """The line of the test or its first decorator, from 1; None unless it is in the file of the test's id."""
    file, line, _ = item.location
    return line + 1 if line is not None and file == item.nodeid.partition("::")[0] else None


def with_and_without_groups(nodeids: Iterable[str]) -> set[str]:
    """The ids, each also without possible groups: xdist's controller cannot know, as an id may contain "@"."""
    ids = set(nodeids)
    return ids | {nodeid.rpartition("@")[0] for nodeid in ids}


def place_of(node: Any, marker: str) -> Place:
    """The place of a node: its file relative to the rootdir, its line, its name, and the marker if it has one."""
    path, line, _ = (
        node.reportinfo() if isinstance(node, pytest.Item) or hasattr(node, "reportinfo") else ("", None, "")
    )
    name = getattr(node, "originalname", None) or node.name
    file = node.nodeid.split("::", 1)[0] or str(path)
    return Place(file, (line or 0) + 1, f"{name} @pytest.mark.{marker}" if node.get_closest_marker(marker) else name)


def plan_item(item: pytest.Item, run: Run) -> Plan:
    """Read the markers of a test; raises ConfigErrors with every mistake."""
    mistakes = Mistakes()
    markers = list(_markers(item, run, mistakes))
    fixtures = FIXTURES.intersection(fixture_names(item))
    rounds = next((marker.rounds for marker in markers if marker.rounds is not None), None)
    mistakes.errors += _misuses(item, fixtures, rounds)
    service = next((marker.service for marker in markers if marker.service), None)
    budgets = tuple(marker.budgets for marker in markers)
    if not mistakes.errors:
        mistakes.errors += _service_errors(item, run, service, fixtures)
        mistakes.errors += _rivals(item, run, service, budgets)
    if not mistakes.errors and run.settings.laid_over:
        mistakes.errors += _matrix_laid_over(item, run, service)
    mistakes.raise_all()
    ops = next((marker.ops for marker in markers if marker.ops is not None), None)
    diagnose = next((marker.diagnose for marker in markers if marker.diagnose is not None), True)
    config = run.settings.config
    ignored = (*(config.ignore_goroutines if config else ()), *(g for m in markers for g in m.ignore_goroutines))
    return Plan(service, ops, budgets, rounds, diagnose, ignored)


def _markers(item: pytest.Item, run: Run, mistakes: Mistakes) -> Iterator[MarkerConfig]:
    from pytest_gomem.config.marker import parse_marker

    units = run.settings.registry.units()
    for node, mark in item.iter_markers_with_node("gomem"):
        level = {pytest.Module: "module", pytest.Class: "class"}
        scope = next((word for kind, word in level.items() if isinstance(node, kind)), "function")
        with mistakes.kept():
            yield parse_marker(
                mark.kwargs, args=mark.args, units=units, scope=f"marker on {scope}", place=place_of(node, "gomem")
            )


def _misuses(item: pytest.Item, fixtures: frozenset[str], rounds: Rounds | None) -> Iterator[ConfigError]:
    for name in MARKERS:
        if item.get_closest_marker(name) and not fixtures:
            used = ", ".join(sorted(FIXTURES))
            yield ConfigError(
                "the test uses no gomem fixture: nothing would be measured", place_of(item, name), f"use one of {used}"
            )
    if item.get_closest_marker("gomem_gc") and SESSION_FIXTURE in fixtures:
        yield ConfigError(
            f"{SESSION_FIXTURE} is one process for many tests: its GC settings cannot vary by test",
            place_of(item, "gomem_gc"),
            f"use {SERVICE_FIXTURE}",
        )
    if rounds not in (None, 1) and SESSION_FIXTURE in fixtures:
        yield ConfigError(
            f"{SESSION_FIXTURE} is one process for many tests: it cannot be a fresh one in each round",
            place_of(item, "gomem").at(f"{item.name} @pytest.mark.gomem.rounds"),
            f"use {SERVICE_FIXTURE}",
        )


def _matrix_laid_over(item: pytest.Item, run: Run, service: str | None) -> Iterator[ConfigError]:
    """Keys of a matrix that are laid over all launches: the ids of its tests would not be true."""
    mark = item.get_closest_marker("gomem_gc")
    if mark is None or MATRIX_FIXTURE not in fixture_names(item):
        return
    for key in sorted(mark.kwargs.keys() & run.laid_over(run.service_config(service).name).said):
        place = place_of(item, "gomem_gc")
        yield ConfigError(f"--gomem-set gives {key} too", place.at(f"{place.key}.{key}"), "leave it out of one of them")


def _service_errors(
    item: pytest.Item, run: Run, service: str | None, fixtures: frozenset[str]
) -> Iterator[ConfigError]:
    config = run.settings.config
    is_wanted = SERVICE_FIXTURE in fixtures or (SESSION_FIXTURE in fixtures and config is None)
    if service is not None or is_wanted:
        try:
            run.service_config(service)
        except ConfigError as error:
            # Without a gomem.yaml no marker is wrong: one error for all tests.
            yield error if config is None else ConfigError(error.message, place_of(item, "gomem"), error.hint)
    if SESSION_FIXTURE in fixtures and config is not None and len(config.services) != 1:
        named = ", ".join(config.services) or "none"
        yield ConfigError(
            f"{SESSION_FIXTURE} is the only service of gomem.yaml, which has: {named}",
            place_of(item, "gomem"),
            'launch one by gomem_session.launch("NAME") in a session fixture, and measure it with gomem.measure',
        )


def _rivals(
    item: pytest.Item, run: Run, service: str | None, budgets: tuple[tuple[Budget, ...], ...]
) -> tuple[ConfigError, ...]:
    """Budgets of gomem.yaml, and entries of gomem_accepted.yaml, of equal rank for this test."""
    from pytest_gomem.judge.precedence import resolve

    config, nodeid = run.settings.config, test_id(item)
    if config is None:
        return ()
    accepted = _rivals_among(config.accepted, nodeid) if config.accepted else ()
    try:
        resolve(nodeid, service or "", budgets, config.budgets)
    except ConfigErrors as rivals:
        return (*rivals.errors, *accepted)
    return accepted


def _rivals_among(accepted: tuple[Acceptance, ...], nodeid: str) -> tuple[ConfigError, ...]:
    from pytest_gomem.judge.acceptances import rivals

    return rivals(accepted, nodeid)


def combinations(metafunc: pytest.Metafunc, run: Run) -> tuple[Combination, ...]:
    """The combinations of a test's gomem_gc marker, () if it has none; raises ConfigErrors."""
    mark = metafunc.definition.get_closest_marker("gomem_gc")
    if mark is None or MATRIX_FIXTURE not in metafunc.fixturenames:
        return ()
    from pytest_gomem.config.gc_settings import merged
    from pytest_gomem.config.marker import parse_gc_marker

    marked = metafunc.definition.get_closest_marker("gomem")
    name = marked.kwargs.get("service") if marked else None
    try:
        service = run.service_config(name if isinstance(name, str) else None)
    except ConfigError:
        return ()  # plan_item reports it
    place, is_built = place_of(metafunc.definition, "gomem_gc"), service.build is not None
    over = run.laid_over(service.name)
    base = service.gc if mark.kwargs.keys() & over.said else merged(service.gc, over.gc)
    return parse_gc_marker(mark.kwargs, place, base=base, args=mark.args, is_built=is_built)
