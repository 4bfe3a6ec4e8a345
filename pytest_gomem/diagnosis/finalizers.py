"""Finalizers and cleanups that keep their own objects: when to look for them, and what is then said of a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.launch.launched import Built
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.retention.calls import lines_of_calls
from pytest_gomem.retention.finalizers import SelfHeld, names_them
from pytest_gomem.retention.model import Holder, HolderKind, Retention
from pytest_gomem.retention.places import Places

_ROUND = "no holder in the dump: a further round looked for finalizers and cleanups that keep their own object, and"


def is_unheld(found: Retention | Unavailable | None) -> bool:
    """Whether a dump shows no holder of most, and the Go of its program can name finalizers and cleanups.

    What the runtime itself holds does not count.
    """
    if not isinstance(found, Retention) or not names_them(found.go_version):
        return False
    first = next((holder for holder in found.holders if holder.kind is not HolderKind.RUNTIME), None)
    return first is not None and first.kind is HolderKind.NONE


def with_self_held(window: WindowRecord, found: Sequence[SelfHeld], built: Built | None) -> WindowRecord:
    """The window whose holders that no dump shows are named, or a note on what was found. built: what has run."""
    if not any(holder.kind is HolderKind.NONE for holder in window.holders):
        return window
    if built is not None:
        lines = lines_of_calls(built.binary, [one.call for one in found])
        found = [one.at(*line) if line else one for one, line in zip(found, lines, strict=True)]
    places = Places(
        GoModule() if built is None else built.info.module, ((one.added.function, one.added.file) for one in found)
    )
    holders = tuple(_named(holder, found, places) for holder in window.holders)
    if holders != window.holders:
        return replace(window, holders=holders)
    others = f"{_ROUND} names another one: {_words(found[0], places)}" if found else f"{_ROUND} names none"
    return replace(window, notes=(*window.notes, others))


def _named(holder: Holder, found: Sequence[SelfHeld], places: Places) -> Holder:
    """With the finalizer or cleanup whose object or function is on its path; as it is without."""
    types = {step.type for step in holder.path}
    one = next((one for one in found if one.type in types or f"func {one.function}" in types), None)
    if holder.kind is not HolderKind.NONE or one is None:
        return holder
    file = places.short(one.added.function, one.added.file)
    return replace(holder, kind=HolderKind.FINALIZER, root=_words(one, places), file=file, line=one.added.line)


def _words(one: SelfHeld, places: Places) -> str:
    place = f"{places.short(one.added.function, one.added.file)}:{one.added.line}"
    held = f"{one.kind} {one.function} of {one.type}, which reaches that object itself"
    return f"{held}, added at {one.added.function} ({place})"
