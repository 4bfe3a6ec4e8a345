"""gomem.yaml as a whole: its services, and its budgets by what they apply to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_gomem.base.names import did_you_mean
from pytest_gomem.base.units import Unit
from pytest_gomem.config.accepted import Acceptance, accepted_file, read_accepted
from pytest_gomem.config.budgets import Budget, parse_budgets
from pytest_gomem.config.fields import Fields, Located, Mistakes, check_version, members
from pytest_gomem.config.file_schema import BUDGETS_KEYS, FILE_KEYS, VERSION
from pytest_gomem.config.goroutine_globs import goroutine_globs
from pytest_gomem.config.known_leaks import KnownLeak
from pytest_gomem.config.services import ServiceConfig, parse_service
from pytest_gomem.config.yaml12 import read_yaml


@dataclass(frozen=True)
class BudgetTable:
    """The budgets of the file, weakest first: for all windows, by service name, by glob over test ids."""

    defaults: tuple[Budget, ...] = ()
    services: Mapping[str, tuple[Budget, ...]] = field(default_factory=dict)
    tests: Mapping[str, tuple[Budget, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class GomemConfig:
    """A gomem.yaml without mistakes, and the entries of the gomem_accepted.yaml next to it.

    ignore_goroutines: globs of goroutines that are no leak in any service.
    """

    path: Path
    services: Mapping[str, ServiceConfig]
    budgets: BudgetTable
    accepted: tuple[Acceptance, ...] = ()
    known_leaks: tuple[KnownLeak, ...] = ()
    ignore_goroutines: tuple[str, ...] = ()


def load_config(path: Path, units: Mapping[str, Unit]) -> GomemConfig:
    """Read and check the file, and the gomem_accepted.yaml next to it; units: every metric's unit, by name.

    Raises ConfigErrors with all mistakes of both.
    """
    mistakes = Mistakes()
    config = GomemConfig(path, {}, BudgetTable())
    with mistakes.kept():
        config = _config(path, read_yaml(path, mistakes), units)
    with mistakes.kept():
        accepted = read_accepted(accepted_file(path), units)
        config = replace(config, accepted=accepted.limits, known_leaks=accepted.leaks)
    mistakes.raise_all()
    return config


def _config(path: Path, root: Located, units: Mapping[str, Unit]) -> GomemConfig:
    mistakes = Mistakes()
    fields = Fields(root, FILE_KEYS, mistakes)
    check_version(root, fields, VERSION, mistakes)
    base_dir = path.absolute().parent
    services = fields.read("services", lambda node: _services(node, base_dir), {})
    budgets = fields.read("budgets", lambda node: _budgets(node, _names(fields), units), BudgetTable())
    ignored = fields.read("ignore_goroutines", goroutine_globs, ())
    mistakes.raise_all()
    return GomemConfig(path, services, budgets, ignore_goroutines=ignored)


def _names(fields: Fields) -> tuple[str, ...]:
    """The declared services, also those with mistakes, so that one mistake is not reported twice."""
    node = fields.said.get("services")
    return tuple(node.value) if node and isinstance(node.value, Mapping) else ()


def _services(node: Located, base_dir: Path) -> dict[str, ServiceConfig]:
    mistakes, found = Mistakes(), {}
    for name, member in members(node).items():
        with mistakes.kept():
            found[name] = parse_service(member, name, base_dir)
    mistakes.raise_all()
    return found


def _budgets(node: Located, services: tuple[str, ...], units: Mapping[str, Unit]) -> BudgetTable:
    mistakes = Mistakes()
    fields = Fields(node, BUDGETS_KEYS, mistakes)

    def by_name(scope: str, names: tuple[str, ...] | None) -> Callable[[Located], dict[str, tuple[Budget, ...]]]:
        return lambda section: _named_budgets(section, names, units, scope)

    table = BudgetTable(
        defaults=fields.read("defaults", lambda section: parse_budgets(section, units, "defaults"), ()),
        services=fields.read("services", by_name("services", services), {}),
        tests=fields.read("tests", by_name("tests glob", None), {}),
    )
    mistakes.raise_all()
    return table


def _named_budgets(
    node: Located, names: tuple[str, ...] | None, units: Mapping[str, Unit], scope: str
) -> dict[str, tuple[Budget, ...]]:
    """Budgets by service name or test glob; names: those that exist, None if any is allowed."""
    mistakes, found = Mistakes(), {}
    for name, member in members(node).items():
        with mistakes.kept():
            if names is not None and name not in names:
                hint = did_you_mean(name, names) if names else "the file declares no services"
                raise member.error(f"budgets for '{name}', which is not a service", hint)
            if not name:
                raise member.error("an empty glob matches no test")
            found[name] = parse_budgets(member, units, scope)
    mistakes.raise_all()
    return found
