"""The lines on baselines at the end of a run: what was recorded, what has none, and what is left over."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_gomem.baseline.update import Update
from pytest_gomem.report.text import Line, Style

_STYLES: dict[str, Style] = {"new": "green", "changed": "yellow", "kept": "yellow", "unchanged": "", "refused": "red"}


def recorded_lines(updates: Sequence[Update], folder: Path, *, quiet: bool) -> Iterator[Line]:
    """The result for each test, and the count of each kind. quiet: only refused tests."""
    for update in updates:
        if update.kind == "refused" or (update.kind != "unchanged" and not quiet):
            yield f"{update.kind}: {update.nodeid}", _STYLES[update.kind]
            for detail in update.details:
                yield f"  {detail}", ""
    if updates and not quiet:
        counts = [(kind, sum(update.kind == kind for update in updates)) for kind in _STYLES]
        summed = ", ".join(f"{count} {kind}" for kind, count in counts if count)
        yield f"{summed}; in {os.path.relpath(folder)}", ""
        if any(update.kind == "refused" and update.can_be_forced for update in updates):
            yield "  --gomem-force records what was refused", ""
        if any(update.kind == "kept" for update in updates):
            yield "  what is too noisy to tell keeps its baseline; more rounds tell, --gomem-force records it", ""
        if os.environ.get("CI"):
            yield "  this is CI: only this checkout has the new files; commit them, or keep them as artifacts", ""


def left_over_lines(new: Sequence[str], unopened: Sequence[str], stale: Sequence[str]) -> Iterator[Line]:
    """Tests without a baseline, windows that tests no longer open, and tests that no longer exist."""
    if new:
        yield f"no baseline yet: {', '.join(new)}", "yellow"
        yield "  gomem baseline update records it", ""
    if unopened:
        yield f"baselines of windows that their tests do not open any more: {', '.join(unopened)}", "yellow"
        yield "  gomem baseline update removes them", ""
    if stale:
        tests = "1 test that is" if len(stale) == 1 else f"{len(stale)} tests that are"
        yield f"baselines of {tests} no more: gomem baseline prune lists and removes them", "yellow"
