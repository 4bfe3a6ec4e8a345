"""Reads Go source as text: imports, constants, and the arguments of calls; comments are blanked, lines kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

_PIECES = re.compile(r"""(?P<comment>//[^\n]*|/\*.*?\*/)|"(?:\\.|[^"\\\n])*"|`[^`]*`|'(?:\\.|[^'\\\n])+'""", re.DOTALL)
_PACKAGE = re.compile(r"^\s*package\s+(\w+)", re.MULTILINE)
_IMPORTS = re.compile(r"^import\s*(?:\((?P<many>[^)]*)\)|(?P<one>[^\n]*))", re.MULTILINE)
_STRING = r'"(?:\\.|[^"\\\n])*"'
_CONSTANT = re.compile(
    r"^[ \t]*(?:(?:const|var)[ \t]+)?(?P<name>\w+)(?:[ \t]+[\w.]+)?"
    rf"[ \t]*:?=[ \t]*(?P<value>{_STRING}|[0-9]+)[ \t]*;?$",
    re.MULTILINE,
)
_BUILD = re.compile(r"^//go:build\s+(.+)$", re.MULTILINE)
_TERM = re.compile(r"[\w.]+")
_TAGS = {"linux", "unix", "cgo", "gc", "amd64", "arm64"}
_OTHER_SYSTEMS = re.compile(
    r"_(windows|darwin|freebsd|netbsd|openbsd|plan9|js|wasm|android|ios|solaris|aix)(_\w+)?\.go$"
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_LONGEST = 8000  # characters of arguments: what is longer is no declaration of a flag


@dataclass(frozen=True)
class Call:
    """A call: its name as written ("flag.String"), its arguments as written, and where it is."""

    name: str
    arguments: tuple[str, ...]
    line: int
    end: int

    @property
    def method(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class GoText:
    """A file of Go. name: as people know it, such as "cmd/api/main.go"."""

    name: str
    text: str
    raw: str = field(repr=False, default="")

    @classmethod
    def of(cls, name: str, raw: str) -> GoText:
        """A file by its content."""
        return cls(name, _PIECES.sub(_blanked, raw), raw)

    @cached_property
    def package(self) -> str:
        """The name of its package, "" if there is none."""
        found = _PACKAGE.search(self.text)
        return found[1] if found else ""

    @cached_property
    def imports(self) -> frozenset[str]:
        """The paths that it imports."""
        blocks = (found["many"] or found["one"] for found in _IMPORTS.finditer(self.text))
        return frozenset(path for block in blocks for path in re.findall(r'"([^"\n]+)"', block))

    @cached_property
    def constants(self) -> dict[str, str]:
        """Names that are given a literal, with its text."""
        return {found["name"]: literal(found["value"]) or "" for found in _CONSTANT.finditer(self.text)}

    @property
    def is_built(self) -> bool:
        """Whether the file is part of a build on this system, as far as its name and constraint tell."""
        if self.name.endswith("_test.go") or _OTHER_SYSTEMS.search(self.name):
            return False
        head = self.raw[: found.start()] if (found := re.search(r"^package\s", self.raw, re.MULTILINE)) else ""
        rule = _BUILD.search(head)
        return rule is None or _holds(rule[1])

    def has(self, *words: str) -> bool:
        """Whether one of these texts is in it."""
        return any(word in self.text for word in words)

    def line_at(self, place: int) -> int:
        """The line of a character, from 1."""
        return self.text.count("\n", 0, place) + 1

    def calls(self, name: str) -> tuple[Call, ...]:
        """The calls of what the pattern `name` matches."""
        return _calls(self, name)

    def literals(self, name: str) -> Iterator[tuple[str, int]]:
        """The inside of each composite literal of what the pattern matches, and its line."""
        for found in re.finditer(rf"(?<!\w)(?:{name})\s*\{{", self.text):
            split = _arguments(self.text, found.end(), "}")
            if split is not None:
                yield self.text[found.end() : split[1]], self.line_at(found.start())


@lru_cache(maxsize=65536)  # several programs share a file
def _calls(file: GoText, name: str) -> tuple[Call, ...]:
    found = list[Call]()
    for match in re.finditer(rf"(?<![\w.])(?:{name})\(", file.text):
        split = _arguments(file.text, match.end())
        if split is not None:
            found.append(Call(match[0][:-1], split[0], file.line_at(match.start()), split[1]))
    return tuple(found)


def literal(written: str) -> str | None:
    """The text of a literal of Go, None for any other expression."""
    written = written.strip()
    if re.fullmatch(r"[0-9]+", written) or (written.startswith("`") and written.endswith("`") and len(written) > 1):
        return written.strip("`")
    if not re.fullmatch(_STRING, written):
        return None
    try:
        return str(json.loads(written))
    except ValueError:  # an escape that only Go knows
        return written[1:-1]


def _blanked(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0]) if found["comment"] else found[0]


def _arguments(text: str, start: int, closing: str = ")") -> tuple[tuple[str, ...], int] | None:
    """The arguments from here to the closing bracket, and where that is; None where there is none near."""
    found, expected, last, place = list[str](), [closing], start, start
    limit = min(len(text), start + _LONGEST)
    while place < limit:
        if piece := _PIECES.match(text, place):
            place = piece.end()
            continue
        letter = text[place]
        if letter in _CLOSING:
            expected.append(_CLOSING[letter])
        elif letter == expected[-1]:
            expected.pop()
            if not expected:
                found.append(text[last:place].strip())
                return tuple(filter(None, found)), place
        elif letter == "," and len(expected) == 1:
            found.append(text[last:place].strip())
            last = place + 1
        place += 1
    return None


def _holds(rule: str) -> bool:
    """Whether a build constraint holds here; one that cannot be read holds."""
    words = _TERM.sub(lambda term: str(term[0] in _TAGS or term[0].startswith("go1.")), rule)
    words = words.replace("&&", " and ").replace("||", " or ").replace("!", " not ")
    if re.fullmatch(r"(?:True|False|and|or|not|[()\s])+", words) is None:
        return True
    try:
        return bool(eval(words, {"__builtins__": {}}))  # only True, False, and, or, not and brackets are left
    except SyntaxError:
        return True
