"""The causes of a culprit: the compiler's notes on its line.

The notes are those of `-gcflags=-m=2` (cmd/compile/internal/escape and inline): a line "X escapes to heap in F:", the
steps that X takes to the heap below it, indented, and "can inline F ..." or "cannot inline F: why".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_gomem.attribution.origin import Site
from pytest_gomem.pprof.group import package_of

KINDS = ("age", "callee", "escape", "inlining", "git")


class Cause(NamedTuple):
    """A cause of what a line allocates; `text` is a clause with its own subject.

    kind: "age" of the objects in GC cycles, "callee" that allocates for the line, "escape" and "inlining" from the
    compiler, "git" commit that changed the line.
    """

    kind: str
    text: str


_NOTE = re.compile(r"(\S.*?\.\w+):(\d+):\d+: (.*)")
_ESCAPES = re.compile(r"(.+) escapes to heap(?: in (.+):)?")
_MOVED = re.compile(r"moved to heap: (.+)")
_STEP = re.compile(r"\s+from (.*) \(([^()]+)\) at .*")
_CAN_INLINE = re.compile(r"can inline (.+?)(?: with cost .*)?")
_CANNOT_INLINE = re.compile(r"cannot inline (.+?): (.*)")
# Steps on the way; the steps around them say what happens.
_ON_THE_WAY = (
    *("spill", "slice", "address-of", "dot", "dot of pointer", "interface-converted", "reference", "indirection"),
    *("fixed-array-index-of", "range", "range-deref", "switch case", "slice-to-array"),
)
_OF_THE_VALUE = ("return", "call parameter")  # steps that may be taken as an interface
_WHY = {
    "return": "it is returned",
    "send": "it is sent over a channel",
    "key of map put": "it is a key of a map",
    "copied slice": "it is copied into a slice",
    "interface-converted": "it is converted to an interface",
    "captured by a closure": "a closure captures it",
    "non-constant size": "its size is not constant",
    "too large for stack": "it is too large for the stack",
    "spill": "it outlives the call",
}
_ASSIGNS = re.compile(r" (?:[-+*/%&|^]|&\^|<<|>>)?=(?!=) ")
_NAME = re.compile(r"[\w.*]+")
# Constants as interfaces lie in the binary, and what is passed to panic is made only there.
_CONSTANT = re.compile(r"""-?[\d.]+|true|false|nil|"(?:[^"\\]|\\.)*"|'.*'""")
_NUMBER = re.compile(r"\b\d+\b")
_MOST_ESCAPES = 2
_LONGEST = 60
_ARGUMENTS = "... argument"
_NO_CODE = {_ARGUMENTS: "the slice of variadic arguments", "func literal": "the function literal"}


class Step(NamedTuple):
    """One step of a value to the heap: an expression, and what it does to the value, in the compiler's words."""

    expression: str
    does: str


@dataclass(frozen=True)
class Escape:
    """A value on the heap: what it is, in which function, and the steps to the heap (empty if not printed)."""

    file: str
    line: int
    value: str
    function: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Notes:
    """The notes on one package. not_inlined: function -> why, in the compiler's words."""

    escapes: tuple[Escape, ...] = ()
    inlined: frozenset[str] = frozenset()
    not_inlined: Mapping[str, str] = field(default_factory=dict)

    def at(self, file: str, line: int) -> list[Escape]:
        """The values that escape from a line, each once; not those that are only boxed, if others are allocated."""
        here = [e for e in self.escapes if e.line == line and posixpath.basename(e.file) == posixpath.basename(file)]
        once = {escape.value: escape for escape in reversed(here)}
        found = [escape for escape in here if once[escape.value] is escape and _may_allocate(escape)]
        return [escape for escape in found if _allocates(escape.value)] or found


def parse_notes(text: str) -> Notes:
    """The notes in the output of `go list -export -gcflags=-m=2` or `go build -gcflags=-m`; other lines are skipped."""
    found: dict[tuple[str, int, str], tuple[str, list[Step]]] = {}
    inlined, not_inlined = set[str](), dict[str, str]()
    steps: list[Step] = []  # of the value that was named last
    for note in filter(None, map(_NOTE.fullmatch, text.splitlines())):
        words = note[3]
        if step := _STEP.fullmatch(words):
            steps.append(Step(step[1], step[2]))
        elif not words.startswith(" "):
            steps = []
        if cannot := _CANNOT_INLINE.fullmatch(words):
            not_inlined[cannot[1]] = cannot[2]
        elif can := _CAN_INLINE.fullmatch(words):
            inlined.add(can[1])
        elif escape := _ESCAPES.fullmatch(words) or _MOVED.fullmatch(words):
            function = (escape[2] or "") if escape.re is _ESCAPES else ""
            key = note[1], int(note[2]), "append" if escape[1].startswith("append(") else escape[1]
            if function and not found.get(key, ("", []))[1]:
                found[key] = function, steps
            found.setdefault(key, (function, steps))
    escapes = (Escape(*key, function, tuple(way)) for key, (function, way) in found.items())
    return Notes(tuple(escapes), frozenset(inlined), not_inlined)


def explain(site: Site, head: Notes, base: Notes | None = None) -> Iterator[Cause]:
    """What the notes say about a line; with `base`, the notes of an earlier build, only what is new.

    Line numbers change between builds: an escape is the same if function and value are, or if only its size differs.
    """
    function = short_function(site.function)
    escapes = head.at(site.file, site.line)[:_MOST_ESCAPES]
    for escape in escapes:
        now = "now " if base and not _was_there(escape, head, base) else ""
        does = "makes its larger arrays on the heap" if escape.value == "append" else "escapes to the heap"
        yield Cause("escape", f"{_shown(escape.value)} {now}{does}{_since(escape)}")
    why = head.not_inlined.get(function)
    if why and base and function in base.inlined:
        yield Cause("inlining", f"{function} is no longer inlined: {why}")
    elif why and any(_final(escape).does == "return" for escape in escapes):
        yield Cause("inlining", f"{function} cannot be inlined into its caller: {why}")


def _may_allocate(escape: Escape) -> bool:
    final = _final(escape)
    panics = final.does == "call parameter" and _callee(final.expression) == "panic"
    return not panics and not _CONSTANT.fullmatch(escape.value)


def _was_there(escape: Escape, head: Notes, base: Notes) -> bool:
    before, now = ([(e.function, e.value) for e in notes.escapes] for notes in (base, head))
    gone = {(function, _sizeless(value)) for function, value in before if (function, value) not in now}
    return (escape.function, escape.value) in before or (escape.function, _sizeless(escape.value)) in gone


def _sizeless(value: str) -> str:
    return _NUMBER.sub("0", value)


def short_function(function: str) -> str:
    """A function's name within its own package, as in the notes: (*leakyLog).add for main.(*leakyLog).add."""
    package = package_of(function)
    return function[len(package) + 1 :] if function.startswith(f"{package}.") else function.rpartition("/")[2]


def _allocates(value: str) -> bool:
    starts = ("make(", "new(", "append", "&", "[]", "([]", "string(", "map[", "func literal", _ARGUMENTS)
    return value.startswith(starts) or "{" in value or " + " in value


def _since(escape: Escape) -> str:
    why = _why(_final(escape))
    passes_on = _ARGUMENTS in {step.expression for step in escape.steps} - {escape.value}
    boxed = any(step.does == "interface-converted" for step in escape.steps)
    box = " as an interface" if boxed or (passes_on and not _allocates(escape.value)) else ""
    return f", since {why}{box if _final(escape).does in _OF_THE_VALUE else ''}" if why else ""


def _why(step: Step) -> str:
    """What a step does to the value, as a clause about "it"; "" for what is not known."""
    if step.does == "call parameter":
        called = _callee(step.expression)
        return _appended(step.expression) if called == "append" else f"it is passed to {called}"
    if step.does in ("appended slice...", "appendee slice"):
        return _appended(step.expression)
    if step.does.startswith("assign"):
        return f"{_shown(_ASSIGNS.split(step.expression)[0])} keeps it"
    if step.does.endswith("element") or "literal" in step.does:
        is_argument = step.expression == _ARGUMENTS
        return "it is a variadic argument" if is_argument else f"it is part of {_shown(step.expression)}"
    return _WHY.get(step.does, "")


def _appended(call: str) -> str:
    """Where append puts the value: the slice is its first argument."""
    target = call.removeprefix("append(").partition(",")[0]
    return f"it is appended to {_shown(target)}" if _NAME.fullmatch(target) else "it is appended to a slice"


def _final(escape: Escape) -> Step:
    """The step that brings the value to the heap, or out of its function."""
    decisive = [step for step in escape.steps if not _is_on_the_way(step)]
    return (decisive or list(escape.steps) or [Step("", "")])[-1]


def _is_on_the_way(step: Step) -> bool:
    """Whether a step only leads on, to a variable of the function or of the compiler (~r0)."""
    local = step.does.startswith("assign") and (" := " in step.expression or step.expression.startswith("~"))
    return local or step.does in _ON_THE_WAY


def _callee(call: str) -> str:
    """The function of a call: fmt.Appendf of fmt.Appendf(make([]byte, 0, 1024), ...)."""
    depth = 0
    for at in range(len(call) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(call[at], 0)
        if call[at] == "(" and depth == 0:
            return call[:at]
    return _shown(call)


def _shown(expression: str) -> str:
    """Go code in a sentence, the middle of a long one left out."""
    if expression in _NO_CODE:
        return _NO_CODE[expression]
    if len(expression) > _LONGEST:
        expression = f"{expression[: _LONGEST // 2]}...{expression[-_LONGEST // 4 :]}"
    return f"`{expression}`"
