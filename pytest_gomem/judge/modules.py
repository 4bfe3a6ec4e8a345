"""Owns which module changed its version between two binaries, by their build information."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_gomem.judge.cause import Cause
from pytest_gomem.launch.build import BinaryInfo
from pytest_gomem.pprof.group import package_of


def module_changes(functions: Iterable[str], new: BinaryInfo, base: BinaryInfo) -> list[Cause]:
    """For each function whose module has another version in `new` than in `base`, or is not in one of them.

    functions: as profiles name them. The standard library is a module too: its version is that of Go.
    """
    modules = (dict(new.modules), dict(base.modules))
    paths = dict.fromkeys(_module_of(package_of(function), modules) for function in functions)
    return [cause for path in paths if (cause := _change(path, modules, new, base))]


def _module_of(package: str, modules: Iterable[Mapping[str, str]]) -> str:
    """The module with the longest path that the package lies in; "" for the standard library."""
    paths = {path for known in modules for path in known if f"{package}/".startswith(f"{path}/")}
    return max(paths, key=len, default="" if "." not in package.partition("/")[0] and package != "main" else package)


def _change(
    path: str, modules: tuple[Mapping[str, str], Mapping[str, str]], new: BinaryInfo, base: BinaryInfo
) -> Cause | None:
    if not path:
        now, before, name = new.go_version, base.go_version, "Go"
    else:
        now, before, name = modules[0].get(path, ""), modules[1].get(path, ""), path
    if now == before:
        return None
    text = f"{name} changed from {before} to {now}" if now and before else f"{name} {now} is new"
    return Cause("module", text)
