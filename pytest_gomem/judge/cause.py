"""Owns one cause of a culprit: of what kind, and in what words."""

from __future__ import annotations

from typing import NamedTuple

KINDS = ("age", "callee", "escape", "inlining", "module", "git")


class Cause(NamedTuple):
    """Something that is known of why a line holds or makes what it does; `text` is a clause with its own subject.

    kind: "age" of what is held in GC cycles, "callee" that allocates on its behalf, "escape" and "inlining" as the
    compiler tells, "module" whose version changed, "git" commit that touched the line.
    """

    kind: str
    text: str
