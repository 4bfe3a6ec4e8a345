"""Which modules have another version in one build than in another, and which of them a stack passes through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytest_gomem.attribution.origin import Chain
from pytest_gomem.launch.build import GO
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.pprof.group import package_of


@dataclass(frozen=True)
class ModuleChange:
    """A module and its versions; "" if that build has no such module. Go's own version is that of the module "go"."""

    module: str
    before: str
    after: str

    @property
    def text(self) -> str:
        """Such as "github.com/redis/go-redis/v9 changed from v9.11.0 to v9.12.0"."""
        name = "Go" if self.module == GO else self.module
        if not self.before:
            return f"{name} {self.after} is new"
        if not self.after:
            return f"{name} {self.before} is gone"
        return f"{name} changed from {self.before} to {self.after}"


def module_changes(after: Mapping[str, str], before: Mapping[str, str]) -> tuple[ModuleChange, ...]:
    """All modules that differ, by path; () if the modules of one build are unknown.

    after, before: version by path, as of `BinaryInfo.versions`.
    """
    if not after or not before:
        return ()
    paths = sorted(after.keys() | before.keys())
    changes = (ModuleChange(path, before.get(path, ""), after.get(path, "")) for path in paths)
    return tuple(change for change in changes if change.before != change.after)


def change_on_stack(chain: Chain, changes: Iterable[ModuleChange], module: GoModule) -> ModuleChange | None:
    """The changed module nearest to the allocation, of those from the leaf to the line that is charged.

    Go is the last one that is looked for, and only if the standard library allocates. module: the user's own.
    """
    known = {change.module: change for change in changes}
    leaf = package_of(chain.leaf.function)
    is_of_go = not module.is_own(leaf) and not module.third_party(leaf)
    passed = [*chain.modules, *([GO] if is_of_go else [])]
    return next((known[path] for path in passed if path in known), None)
