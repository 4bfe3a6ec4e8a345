"""Which Go module a binary was built from, and where in it packages lie, package main among them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GoModule:
    """The module's path, and the import path of the binary's package main, from its build info; "" where not known.

    Of a binary built from files that were named one by one, main is "command-line-arguments", which no module has.
    """

    path: str = ""
    main: str = ""

    def below(self, package: str) -> str | None:
        """Where a package lies in the module: "/cmd/api", "" for the module's own folder, None for outside of it.

        package: as profiles name it: "main" is the binary's package main.
        """
        path = self.main if package == "main" else package
        if self.path and f"{path}/".startswith(f"{self.path}/"):
            return path[len(self.path) :]
        return None
