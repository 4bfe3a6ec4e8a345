"""The flags and environment variables that a program reads, with their defaults, as its source declares them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pytest_gomem.scaffold.go_text import Call, GoText, literal
from pytest_gomem.scaffold.programs import Program

_VALUE = r"(?:String|Int|Int32|Int64|Uint|Uint16|Uint32|Uint64)"
_FLAG = rf"[\w.()]+\.{_VALUE}(?:Var)?P?"  # of package flag and pflag, and of flag sets
_KINGPIN = r"[\w.]+\.Flag"
_LITERAL = rf"(?:\w+\.)?{_VALUE}Flag"  # of urfave/cli
_ENV = r"[\w.]*(?:[eE]nv|ENV)\w*"
_TAGGED = re.compile(r"^[ \t]*(\w+)[ \t]+[\w.*\[\]]+[ \t]+`([^`\n]+)`", re.MULTILINE)
_TAG = re.compile(r'(\w[\w-]*):"((?:\\.|[^"\\])*)"')
_FIELD = re.compile(r"(\w+)\s*:\s*")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*[A-Z0-9]")
_NEAR = 300  # characters after a variable is read, in which its default is set
_ASSIGNED = re.compile(
    r'[^=!<>:]=\s*("(?:\\.|[^"\\\n])*"|[0-9]+)\s*$|\breturn\s+("(?:\\.|[^"\\\n])*")\s*$', re.MULTILINE
)


@dataclass(frozen=True)
class Option:
    """One flag or variable. how: "flag" or "env". default: its literal text, "" if it has none, or is not known."""

    how: str
    name: str
    default: str
    file: str
    line: int

    @property
    def words(self) -> tuple[str, ...]:
        """The words of its name, in lower case: ("http", "addr") for httpAddr and HTTP_ADDR."""
        spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", self.name)
        return tuple(word.lower() for word in re.split(r"[\s._:-]+", spaced) if word)

    @property
    def place(self) -> str:
        """Where it is declared, for people."""
        return f"{self.file}:{self.line}"

    def __str__(self) -> str:
        return f"flag -{self.name}" if self.how == "flag" else f"variable {self.name}"


def read_options(program: Program) -> tuple[Option, ...]:
    """Every flag and variable that takes text or a number, each once."""
    constants = constants_of(program.files)
    found: dict[tuple[str, str], Option] = {}
    for file in program.files:
        for option in _of_file(file, constants):
            known = found.get((option.how, option.name))
            if known is None or (option.default and not known.default):
                found[option.how, option.name] = option
    return tuple(found.values())


def constants_of(files: Iterable[GoText]) -> Mapping[str, str]:
    """The names that the files give a literal; the first file that gives one wins."""
    found: dict[str, str] = {}
    for file in files:
        for name, value in file.constants.items():
            found.setdefault(name, value)
    return found


def value_of(written: str, constants: Mapping[str, str]) -> str:
    """The text of a literal, or of a constant by its name (`pkg.Name` too), "" if it is another expression."""
    known = literal(written)
    return known if known is not None else constants.get(written.strip().rpartition(".")[2], "")


def _of_file(file: GoText, constants: Mapping[str, str]) -> Iterator[Option]:
    for call in file.calls(_FLAG):
        yield from _flag(call, file, constants)
    for call in file.calls(_KINGPIN):
        yield from _kingpin(call, file)
    for call in file.calls(r"[\w.]*kingpinflag\.AddFlags"):
        yield Option("flag", "web.listen-address", value_of(call.arguments[-1], constants), file.name, call.line)
    for inside, line in file.literals(_LITERAL):
        yield from _of_literal(inside, line, file, constants)
    for call in file.calls(_ENV):
        yield from _variable(call, file, constants)
    yield from _of_viper(file, constants)
    yield from _of_tags(file)


def _flag(call: Call, file: GoText, constants: Mapping[str, str]) -> Iterator[Option]:
    arguments = call.arguments[1:] if "Var" in call.method else call.arguments
    name = literal(arguments[0]) if arguments else None
    default = arguments[2:3] if call.method.endswith("P") else arguments[1:2]
    if name and default and re.fullmatch(r"[\w.-]+", name):
        yield Option("flag", name, value_of(default[0], constants), file.name, call.line)


def _kingpin(call: Call, file: GoText) -> Iterator[Option]:
    name = literal(call.arguments[0]) if call.arguments else None
    chain = file.text[call.end : call.end + _NEAR].partition("\n\n")[0].partition(".Flag(")[0]
    default = re.search(r'\.Default\(("(?:\\.|[^"\\\n])*")', chain)
    if name and len(call.arguments) > 1:
        yield Option("flag", name, literal(default[1]) or "" if default else "", file.name, call.line)


def _of_literal(inside: str, line: int, file: GoText, constants: Mapping[str, str]) -> Iterator[Option]:
    pieces = _FIELD.split(inside)
    fields = {key: value.strip().rstrip(",").strip() for key, value in zip(pieces[1::2], pieces[2::2], strict=False)}
    name = literal(fields.get("Name", ""))
    if name:
        yield Option("flag", name.partition(",")[0], value_of(fields.get("Value", ""), constants), file.name, line)


def _variable(call: Call, file: GoText, constants: Mapping[str, str]) -> Iterator[Option]:
    name = next((found for one in call.arguments[:2] if _VARIABLE.fullmatch(found := value_of(one, constants))), "")
    if not name:
        return
    default = next((found for one in call.arguments[1:] if (found := value_of(one, constants)) and found != name), "")
    if not default:
        later = _ASSIGNED.search(file.text[call.end + 1 : call.end + _NEAR])
        default = literal(later[1] or later[2]) or "" if later else ""
    yield Option("env", name, default, file.name, call.line)


def _of_viper(file: GoText, constants: Mapping[str, str]) -> Iterator[Option]:
    if ".AutomaticEnv(" not in file.text:
        return
    prefix = next(
        (literal(call.arguments[0]) or "" for call in file.calls(r"[\w.]*SetEnvPrefix") if call.arguments), ""
    )
    for call in file.calls(r"[\w.]*SetDefault"):
        key = literal(call.arguments[0]) if len(call.arguments) == 2 else None
        if key:
            name = "_".join(filter(None, (prefix, re.sub(r"[.-]", "_", key)))).upper()
            yield Option("env", name, value_of(call.arguments[1], constants), file.name, call.line)


def _of_tags(file: GoText) -> Iterator[Option]:
    """Fields of structs that envconfig, env, go-flags, kong or go-arg fill."""
    if not file.has('env:"', 'envconfig:"', 'long:"', 'default:"'):
        return
    kong = any("alecthomas/kong" in path for path in file.imports)
    prefix = next(
        (f"{literal(call.arguments[0])}_" for call in file.calls(r"envconfig\.(?:Must)?Process") if call.arguments), ""
    )
    prefix = prefix.upper() if prefix not in ("_", "None_") else ""
    for found in _TAGGED.finditer(file.text):
        tags = dict(_TAG.findall(found[2]))
        default = tags.get("envDefault") or tags.get("default") or tags.get("env-default") or ""
        name, line = tags.get("env", "").partition(",")[0], file.line_at(found.start(1))
        if _VARIABLE.fullmatch(name):
            yield Option("env", name, default, file.name, line)
        if "envconfig" in tags:
            yield Option("env", prefix + tags["envconfig"].partition(",")[0].upper(), default, file.name, line)
        if "long" in tags or (kong and {"default", "help"} & set(tags)):
            yield Option("flag", tags.get("long") or tags.get("name") or _kebab(found[1]), default, file.name, line)


def _kebab(name: str) -> str:
    return re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", name).lower()
