"""Reads the keyword arguments of @pytest.mark.gomem and @pytest.mark.gomem_gc; needs no pytest."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Literal

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.units import Unit
from pytest_gomem.config.budgets import Budget, parse_budget, refuse_twice
from pytest_gomem.config.fields import Fields, Located, Mistakes, filled, flag, located, members, text, whole
from pytest_gomem.config.gc_settings import GC_KEYS, GcSettings, described, merged, parse_gc, refusal
from pytest_gomem.config.goroutine_globs import goroutine_globs
from pytest_gomem.config.memory_limit import MEMORY_LIMIT, LimitChoice, parse_memory_limit
from pytest_gomem.config.services import BuildSpec

MOST_ROUNDS = 1000
Rounds = int | Literal["auto"]


def parse_rounds(node: Located) -> Rounds:
    """A whole number from 1 to 1000, or "auto"; raises ConfigError."""
    if node.value == "auto":
        return "auto"
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_ROUNDS:
        raise node.error(f'expected a whole number from 1 to {MOST_ROUNDS} or "auto", not {node.shown}')
    return value


BUILD_KEYS = ("goexperiment", "pgo", "tags")
_OFF = "off"
_WORDS = {
    "goexperiment": (re.compile(r"[a-z0-9]+(,[a-z0-9]+)*"), "names of GOEXPERIMENT, such as greenteagc or noswissmap"),
    "tags": (re.compile(r"[\w.]+(,[\w.]+)*"), "build tags, such as jsoniter or jsoniter,prod"),
}


@dataclass(frozen=True)
class BuildAxes:
    """A choice of how to build; "" = as in gomem.yaml. pgo: "off", "auto", or a path relative to gomem.yaml."""

    goexperiment: str = ""
    pgo: str = ""
    tags: str = ""

    def over(self, other: BuildAxes) -> BuildAxes:
        """This choice on top of another one."""
        return BuildAxes(self.goexperiment or other.goexperiment, self.pgo or other.pgo, self.tags or other.tags)

    def laid_over(self, spec: BuildSpec, base_dir: Path) -> BuildSpec:
        """The build with this choice on top: tags join those of the build, the others replace them."""
        is_file = self.pgo not in ("", "auto", _OFF)
        profile = str((base_dir / self.pgo).absolute()) if is_file else self.pgo
        return replace(
            spec,
            flags=(*spec.flags, f"-pgo={profile}") if self.pgo else spec.flags,
            tags=(*spec.tags, *self.tags.split(",")) if self.tags else spec.tags,
            env={**(spec.env or {}), "GOEXPERIMENT": self.goexperiment} if self.goexperiment else spec.env,
        )


def parse_axis(key: str, node: Located) -> BuildAxes:
    """One value of an axis; "off" adds nothing, for pgo it is Go's -pgo=off. Raises ConfigError."""
    written = text(node).strip()
    if key == "pgo":
        if not written:
            raise node.error("must not be empty", 'a profile such as "cpu.pprof", "auto" or "off"')
        return BuildAxes(pgo=written)
    pattern, names = _WORDS[key]
    if pattern.fullmatch(written) is None:
        raise node.error(f"{node.shown} is not a list of {names.partition(',')[0]}", f'{names}, or "off" for none')
    said = "" if written == _OFF else written
    return BuildAxes(goexperiment=said) if key == "goexperiment" else BuildAxes(tags=said)


@dataclass(frozen=True)
class MarkerConfig:
    """One gomem marker. service: None = the only one of gomem.yaml. ops: operations of the window, None = not set.

    rounds: how often the test is run and measured; None = not set. diagnose: whether it may run again, observed, to
    explain a failure; None = not set. ignore_goroutines: globs of goroutines that are no leak.
    """

    service: str | None
    ops: int | None
    budgets: tuple[Budget, ...]
    rounds: Rounds | None = None
    diagnose: bool | None = None
    ignore_goroutines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Combination:
    """One combination of a gomem_gc marker, to be put on top of the service's own settings.

    id: for the test's id, such as "gogc=25-gomemlimit=off". written: setting -> value as its author spelled it.
    left_out: why it cannot run, "" if it can. build: how to build the service for it. memory_limit: None = not chosen.
    """

    id: str
    settings: GcSettings
    written: Mapping[str, str]
    left_out: str
    build: BuildAxes = field(default_factory=BuildAxes)
    memory_limit: LimitChoice | None = None


def parse_marker(
    kwargs: Mapping[str, object],
    *,
    units: Mapping[str, Unit],
    scope: str,
    place: Place,
    args: Sequence[object] = (),
) -> MarkerConfig:
    """Read a gomem marker: service, ops, rounds, diagnose, ignore_goroutines, and a budget for each metric named.

    place: the test's file, line and name; each mistake adds its key. Raises ConfigErrors with all mistakes.
    """
    mistakes = Mistakes()
    _refuse_positional(args, place, mistakes)
    service, ops, rounds, diagnose, budgets = None, None, None, None, list[Budget]()
    ignored: tuple[str, ...] = ()
    refuse_twice(members(located(kwargs, place)), mistakes)
    for key, node in members(located(kwargs, place)).items():
        with mistakes.kept():
            if key == "service":
                service = filled(node)
            elif key == "ops":
                ops = whole(1)(node)
            elif key == "rounds":
                rounds = parse_rounds(node)
            elif key == "diagnose":
                diagnose = flag(node)
            elif key == "ignore_goroutines":
                ignored = goroutine_globs(node)
            else:
                budgets += parse_budget(key, node, units=units, scope=scope, place=node.place)
    mistakes.raise_all()
    return MarkerConfig(service, ops, tuple(budgets), rounds, diagnose, ignored)


def parse_gc_marker(
    kwargs: Mapping[str, object],
    place: Place,
    *,
    base: GcSettings | None = None,
    args: Sequence[object] = (),
    is_built: bool = True,
) -> tuple[Combination, ...]:
    """All combinations of the lists of a gomem_gc marker; the last list varies fastest.

    base: the service's own settings; with them it is decided whether a combination must be left out.
    is_built: whether the service is built here, so that goexperiment, pgo and tags can be chosen.
    Raises ConfigErrors for wrong keys and values, and if every combination would be left out.
    """
    mistakes = Mistakes()
    _refuse_positional(args, place, mistakes)
    axes = []
    for key, node in Fields(located(kwargs, place), (*GC_KEYS, MEMORY_LIMIT, *BUILD_KEYS), mistakes).said.items():
        with mistakes.kept():
            if key in BUILD_KEYS and not is_built:
                raise node.error("the service is prebuilt: nothing is built that this could change", "give it a build")
            axes.append(_axis(key, node))
    if set(kwargs) <= {"unbounded"} and not args:
        mistakes.add(ConfigError("sets nothing", place, "give it lists, such as gogc=[25, 100, 400]"))
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
    memory_limit: LimitChoice | None = None


def _axis(key: str, node: Located) -> tuple[_Choice, ...]:
    # `unbounded` is a permission, not a setting: it has one value for the whole marker.
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
    if key == MEMORY_LIMIT:
        limit = parse_memory_limit(node)
        return _Choice(key, node.written.strip() or str(limit), memory_limit=limit)
    settings = parse_gc({key: node}, node.place)
    written = node.written.strip() if key != "godebug" else described(settings).get("godebug", "none")
    return _Choice(key, written, settings)


def _combination(chosen: tuple[_Choice, ...], base: GcSettings) -> Combination:
    settings = reduce(merged, (choice.settings for choice in chosen))
    written = {choice.key: choice.written for choice in chosen if choice.key != "unbounded"}
    name = "-".join(f"{key}={value}" for key, value in written.items())
    build = reduce(BuildAxes.over, (choice.build for choice in chosen))
    limit = next((choice.memory_limit for choice in chosen if choice.memory_limit), None)
    return Combination(name, settings, written, refusal(merged(base, settings)), build, limit)


def _refuse_positional(args: Sequence[object], place: Place, mistakes: Mistakes) -> None:
    if args:
        mistakes.add(ConfigError("the marker takes no positional arguments", place, 'write peak_rss="1.8GB" and so on'))
