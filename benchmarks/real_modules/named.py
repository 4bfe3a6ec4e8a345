"""Shows that a bad version of a module is caught and named, at all defaults, and that the good one raises no alarm.

Six services that use a module plainly, each with one test and no budget. With a baseline of the good version, and in a
comparison with its commit (`--gomem-against`), the bad version must fail; first in the report must be the module's own
function, and beside it the change of its version. The good version against itself must pass. Versions and public
reports are in cases.py. Modules come from the module proxy.

    python benchmarks/real_modules/named.py [--cases jwt,otel] [--ways baseline,against] [--runs 3] [--innocent 10]
    python benchmarks/real_modules/named.py --small     one case, one run each, in 3 rounds, for CI

rank: where the function stands among the culprits, or the groups of goroutines if these leak; of several runs the
last. first screen: whether function and module both stand in the first lines of the failure.
--show: print the failures.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cases import CASES, Case, Versions
from common import Outcome, table, verdict, workshop

WAYS = ("baseline", "against")
SCREEN = 24  # lines
SMALL = ("--gomem-rounds=3", "--gomem-confirm=3")


@dataclass(frozen=True)
class Found:
    """What a run of the bad version found. ranks: from 1, None if the function is nowhere."""

    is_caught: bool
    rank: int | None
    has_module: bool
    is_on_first_screen: bool
    seconds: float

    @property
    def is_named(self) -> bool:
        """Whether the library's function is first, and its module beside it."""
        return self.rank == 1 and self.has_module


def found(case: Case, outcome: Outcome, seconds: float) -> Found:
    """Judge a run of the bad version by its report and its text."""
    windows = [window for test in outcome.report.get("tests", ()) for window in test["windows"]]
    if outcome.status > 1 or len(windows) != 1:
        raise SystemExit(f"the benchmark's own tests failed:\n{outcome.text}")
    window = windows[0]
    screen = first_screen(outcome.text)
    return Found(
        any(v["kind"] == "regression" and v["status"] == "fail" for v in window["verdicts"]),
        rank(case, window),
        (case.module, case.good, case.bad) in changes(window),
        case.is_guilty(screen) and case.module in screen,
        seconds,
    )


def rank(case: Case, window: Mapping[str, Any]) -> int | None:
    """Where the library's function stands, from 1."""
    if case.leaks:
        names = [{group["function"], group["created_by"]} for group in window.get("goroutine_groups", ())]
    else:
        names = [{one["function"], (one.get("through") or {}).get("function")} for one in window["culprits"]]
    return next((at for at, of_one in enumerate(names, 1) if any(map(case.is_guilty, of_one))), None)


def changes(window: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """The changes of modules that the report has, for the window or for its first culprit."""
    told = [*window.get("modules", ()), *(one.get("module_change") for one in window["culprits"][:1])]
    return {(one["module"], one["before"], one["after"]) for one in told if one}


def first_screen(text: str) -> str:
    """The first lines of the failure."""
    lines = text.splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith("____")), len(lines))
    return "\n".join(lines[start : start + SCREEN])


@dataclass(frozen=True)
class Row:
    """A case in one way: each run of the bad version, and how many runs of the good one were quiet."""

    case: Case
    way: str
    runs: Sequence[Found]
    quiet: int
    innocent: int

    @property
    def cells(self) -> tuple[object, ...]:
        """For the table."""
        runs, last = self.runs, self.runs[-1]
        return (
            self.case.name,
            self.way,
            *(
                f"{sum(kept)} of {len(runs)}"
                for kept in (
                    [one.is_caught for one in runs],
                    [one.is_named for one in runs],
                    [one.has_module for one in runs],
                    [one.is_on_first_screen for one in runs],
                )
            ),
            last.rank or "-",
            f"{max(one.seconds for one in runs):.0f} s",
            f"{self.quiet} of {self.innocent}",
        )

    @property
    def missed(self) -> list[str]:
        """What is not as it must be."""
        where = f"{self.case.name}, {self.way}"
        kept = {
            "not caught": all(one.is_caught for one in self.runs),
            "the library's function and module are not first": all(one.is_named for one in self.runs),
            "not on the first screen": all(one.is_on_first_screen for one in self.runs),
            "an alarm about the good version": self.quiet == self.innocent,
        }
        return [f"{where}: {what}" for what, is_kept in kept.items() if not is_kept]


def measured(case: Case, folder: Path, way: str, runs: int, innocent: int, more: Sequence[str], show: bool) -> Row:
    """Run the bad version and the good one in one way."""
    versions = Versions.of(case, folder)
    project = versions.project
    args = {"baseline": {"bad": (), "good": ()}, "against": {"bad": ("HEAD^",), "good": ("HEAD",)}}[way]
    compared = {side: (*more, *(f"--gomem-against={ref}" for ref in refs)) for side, refs in args.items()}
    versions.turn("good")
    if way == "baseline":
        project.passed("--gomem-update", *more)
    quiet = sum(project.run(*compared["good"]).status == 0 for _ in range(innocent))
    versions.turn("bad")
    bad = []
    for _ in range(runs):
        began = time.monotonic()
        outcome = project.run(*compared["bad"])
        bad.append(found(case, outcome, time.monotonic() - began))
        if show:
            print(outcome.text)
    return Row(case, way, bad, quiet, innocent)


def main() -> int:
    """Run, count, print; 1 where one was missed, was not named first, or a good version raised an alarm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(case.name for case in CASES))
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--innocent", type=int, default=10)
    parser.add_argument("--show", action="store_true", help="print the failures")
    parser.add_argument("--small", action="store_true", help="one small instance, for CI")
    given = parser.parse_args()
    if given.small:
        given.cases, given.ways, given.runs, given.innocent = "jwt", "baseline", 1, 1
    cases = [case for case in CASES if case.name in given.cases.split(",")]
    rows = []
    with workshop() as folder:
        goes_on = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
        os.environ.setdefault("GOCACHE", str(goes_on / "go-build"))
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        for case in cases:
            for way in given.ways.split(","):
                more = SMALL if given.small else ()
                place = folder / f"{case.name}_{way}"
                rows.append(measured(case, place, way, given.runs, given.innocent, more, given.show))
                print(*rows[-1].cells, sep="  ", flush=True)
    head = ("module", "way", "caught", "named first", "version", "first screen", "rank", "seconds", "quiet")
    table("bad versions of modules, at all defaults", head, [row.cells for row in rows])
    return verdict([missed for row in rows for missed in row.missed])


if __name__ == "__main__":
    sys.exit(main())
