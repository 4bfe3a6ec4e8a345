"""Owns what @pytest.mark.gomem and @pytest.mark.gomem_gc say, without knowing pytest: keyword arguments come in."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.units import Unit
from pytest_gomem.config.budgets import Budget, parse_budget
from pytest_gomem.config.build_axes import BUILD_KEYS, BuildAxes, parse_axis
from pytest_gomem.config.fields import Fields, Mistakes, filled, members, whole
from pytest_gomem.config.gc import GC_KEYS, GcSettings, described, merged, parse_gc, refusal
from pytest_gomem.config.located import Located, located
from pytest_gomem.config.rounds import Rounds, parse_rounds


@dataclass(frozen=True)
class MarkerConfig:
    """One gomem marker. service: None = the only one of gomem.yaml. ops: operations of the window, None = not said.

    rounds: how often the test is run and measured; None = not said.
    """

    service: str | None
    ops: int | None
    budgets: tuple[Budget, ...]
    rounds: Rounds | None = None


@dataclass(frozen=True)
class Combination:
    """One combination of a gomem_gc marker, to be put on top of the service's own settings.

    id: for the test's id, such as "gogc=25-gomemlimit=off". written: setting -> value as its author spelled it.
    left_out: why it must not be run, "" if it may. build: how the service is built for it.
    """

    id: str
    settings: GcSettings
    written: Mapping[str, str]
    left_out: str
    build: BuildAxes = field(default_factory=BuildAxes)


def parse_marker(
    kwargs: Mapping[str, object],
    *,
    units: Mapping[str, Unit],
    scope: str,
    place: Place,
    args: Sequence[object] = (),
) -> MarkerConfig:
    """Read a gomem marker: service, ops, rounds, and a budget for each metric named.

    place: the test's file, line and name; each mistake's key is put behind it. Raises ConfigErrors with all mistakes.
    """
    mistakes = Mistakes()
    _refuse_positional(args, place, mistakes)
    service, ops, rounds, budgets = None, None, None, list[Budget]()
    for key, node in members(located(kwargs, place)).items():
        with mistakes.kept():
            if key == "service":
                service = filled(node)
            elif key == "ops":
                ops = whole(1)(node)
            elif key == "rounds":
                rounds = parse_rounds(node)
            else:
                budgets += parse_budget(key, node, units=units, scope=scope, place=node.place)
    mistakes.raise_all()
    return MarkerConfig(service, ops, tuple(budgets), rounds)


def parse_gc_marker(
    kwargs: Mapping[str, object],
    place: Place,
    *,
    base: GcSettings | None = None,
    args: Sequence[object] = (),
    is_built: bool = True,
) -> tuple[Combination, ...]:
    """Multiply the lists of a gomem_gc marker, in order of declaration, the last one turning fastest.

    base: the service's own settings, which decide with the marker's whether a combination must be left out.
    is_built: whether the service is built here, so that goexperiment, pgo and tags can be chosen.
    Raises ConfigErrors for wrong keys and values, and where every combination would be left out.
    """
    mistakes = Mistakes()
    _refuse_positional(args, place, mistakes)
    axes = []
    for key, node in Fields(located(kwargs, place), (*GC_KEYS, *BUILD_KEYS), mistakes).said.items():
        with mistakes.kept():
            if key in BUILD_KEYS and not is_built:
                raise node.error("the service is prebuilt: nothing is built that this could change", "give it a build")
            axes.append(_axis(key, node))
    if set(kwargs) <= {"unbounded"} and not args:
        mistakes.add(ConfigError("sets nothing", place, "such as gogc=[25, 100, 400]"))
    mistakes.raise_all()
    combinations = tuple(_combination(chosen, base or GcSettings()) for chosen in itertools.product(*axes))
    if all(combination.left_out for combination in combinations):
        reason = combinations[0].left_out
        mistakes.add(ConfigError(reason, place, "give a gomemlimit, or unbounded=True if that is what you want"))
        mistakes.raise_all()
    return combinations


@dataclass(frozen=True)
class _Choice:
    key: str
    written: str
    settings: GcSettings = field(default_factory=GcSettings)
    build: BuildAxes = field(default_factory=BuildAxes)


def _axis(key: str, node: Located) -> tuple[_Choice, ...]:
    # `unbounded` is a permission, not a setting of the runtime: it has one value for the whole marker.
    nodes = node.value if isinstance(node.value, tuple) and key != "unbounded" else (node,)
    if not nodes:
        raise node.error("an empty list makes no test", "leave the key out, or list at least one value")
    mistakes, choices = Mistakes(), dict[str, _Choice]()
    for item in nodes:
        with mistakes.kept():
            choice = _choice(key, item)
            if choice.written in choices:
                raise item.error(f"{choice.written} is listed twice")
            choices[choice.written] = choice
    mistakes.raise_all()
    return tuple(choices.values())


def _choice(key: str, node: Located) -> _Choice:
    if key in BUILD_KEYS:
        return _Choice(key, node.written.strip(), build=parse_axis(key, node))
    settings = parse_gc({key: node}, node.place)
    written = node.written.strip() if key != "godebug" else described(settings).get("godebug", "none")
    return _Choice(key, written, settings)


def _combination(chosen: tuple[_Choice, ...], base: GcSettings) -> Combination:
    settings = reduce(merged, (choice.settings for choice in chosen))
    written = {choice.key: choice.written for choice in chosen if choice.key != "unbounded"}
    name = "-".join(f"{key}={value}" for key, value in written.items())
    build = reduce(BuildAxes.over, (choice.build for choice in chosen))
    return Combination(name, settings, written, refusal(merged(base, settings)), build)


def _refuse_positional(args: Sequence[object], place: Place, mistakes: Mistakes) -> None:
    if args:
        mistakes.add(ConfigError("the marker takes no positional arguments", place, 'write peak_rss="1.8GB" and so on'))
