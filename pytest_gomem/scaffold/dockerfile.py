"""What a Dockerfile tells of a program: which package it builds, its arguments and variables, and its ports."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

_CONTINUED = re.compile(r"\\\s*\n\s*(?:#[^\n]*\n\s*)*")
_LINE = re.compile(r"^\s*(EXPOSE|ENV|CMD|ENTRYPOINT|RUN)\s+(.+)$", re.MULTILINE | re.IGNORECASE)
_BUILD = re.compile(r"\bgo\s+(?:build|install)\b([^\n&|;]*)")
_PORT = re.compile(r"\b([0-9]{2,5})(?:/tcp)?\b(?!/udp)")


@dataclass(frozen=True)
class Dockerfile:
    """What one says. arguments: those that the program gets, without its own name."""

    packages: tuple[str, ...] = ()
    program: str = ""
    arguments: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()


def read_dockerfile(text: str) -> Dockerfile:
    """Read its instructions; what cannot be read is left out."""
    packages, env, ports = list[str](), dict[str, str](), list[int]()
    words: dict[str, tuple[str, ...]] = {}
    for instruction, rest in _LINE.findall(_CONTINUED.sub(" ", text)):
        kind = instruction.upper()
        if kind == "RUN":
            packages += [word for found in _BUILD.findall(rest) for word in _packages(found)]
        elif kind == "EXPOSE":
            ports += map(int, _PORT.findall(rest))
        elif kind == "ENV":
            env.update(_variables(rest))
        else:
            words[kind] = _words(rest)
    command = words.get("ENTRYPOINT", ()) + words.get("CMD", ())
    return Dockerfile(tuple(packages), command[0] if command else "", command[1:], env, tuple(ports))


def _packages(arguments: str) -> Iterator[str]:
    """The packages that a `go build` names."""
    words = _split(arguments)
    skip = False
    for word in words:
        if skip or word.startswith("-"):
            skip = word in ("-o", "-ldflags", "-tags", "-gcflags", "-mod", "-p")
        elif word.startswith(".") or "/" in word:
            yield word.removesuffix("/main.go").removesuffix(".go")


def _words(rest: str) -> tuple[str, ...]:
    if rest.lstrip().startswith("["):
        try:
            found = json.loads(rest)
        except ValueError:
            return ()
        return tuple(map(str, found)) if isinstance(found, list) else ()
    words = _split(rest)
    return tuple(words[1:] if words[:1] == ["exec"] else words)


def _variables(rest: str) -> Iterator[tuple[str, str]]:
    words = _split(rest)
    if words and "=" not in words[0] and len(words) > 1:
        yield words[0], " ".join(words[1:])
        return
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            yield name, value


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []
