"""The Go modules that a binary was built from, and which of them a package belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class GoModule:
    """The module's path and the import path of package main, from a binary's build info; "" if unknown.

    If single files were built, main is "command-line-arguments", which no module has. others: the paths of the other
    modules in the binary; () if unknown.
    """

    path: str = ""
    main: str = ""
    others: tuple[str, ...] = ()

    def below(self, package: str) -> str | None:
        """Where a package lies in the module: "/cmd/api", "" for the module's own folder, None outside of it.

        package: as in profiles, where "main" is the binary's package main.
        """
        path = self.main if package == "main" else package
        if self.path and f"{path}/".startswith(f"{self.path}/"):
            return path[len(self.path) :]
        return None

    def is_own(self, package: str) -> bool:
        """Whether a package is of the module, or package main."""
        return package == "main" or self.below(package) is not None

    def third_party(self, package: str) -> str:
        """The path of the other module that a package is of; "" for the module's own and for the standard library."""
        return "" if self.is_own(package) else module_of(package, self.others)

    def is_standard(self, package: str) -> bool:
        """Whether a package is of the standard library."""
        return not self.is_own(package) and not self.third_party(package)


def module_of(package: str, paths: Iterable[str]) -> str:
    """The module of a package, which is that of the longest path; "" for the standard library.

    A package of an unknown module, whose path begins with a domain, is a module for itself.
    """
    known = (path for path in paths if f"{package}/".startswith(f"{path}/"))
    has_domain = package[:1].isalnum() and "." in package.partition("/")[0]  # "[libc.so.6]" is no package
    return max(known, key=len, default=package if has_domain else "")
