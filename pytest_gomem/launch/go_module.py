"""The Go module that a binary was built from, and where its packages lie."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GoModule:
    """The module's path and the import path of package main, from a binary's build info; "" if unknown.

    If single files were built, main is "command-line-arguments", which no module has.
    """

    path: str = ""
    main: str = ""

    def below(self, package: str) -> str | None:
        """Where a package lies in the module: "/cmd/api", "" for the module's own folder, None outside of it.

        package: as in profiles, where "main" is the binary's package main.
        """
        path = self.main if package == "main" else package
        if self.path and f"{path}/".startswith(f"{self.path}/"):
            return path[len(self.path) :]
        return None
