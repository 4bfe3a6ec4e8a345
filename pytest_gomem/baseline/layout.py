"""Writes and reads a module's baselines: JSON with one line for each metric and condition."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.baseline.snapshot import Snapshot, Tests

VERSION = 1
_DIGITS = 7  # significant digits of a fraction: a hundredth of the finest scatter that is judged
_CONFLICT = re.compile(r"^(<<<<<<<|=======|>>>>>>>)", re.MULTILINE)
_BRACES = re.compile(r'"(?:[^"\\]|\\.)*"|[{}]')  # and strings, which may hold some
_FIELDS = {"recorded", "conditions", "ops", "metrics"}
_PROFILES = ("profile", "peak_profile")
_OPTIONAL = {*_PROFILES, "modules", "goroutines", "definitions", "left_out"}
_PROFILE = ".pb.gz"


def written(tests: Tests) -> str:
    """The text of a module's file: tests and windows in alphabetical order."""
    lines = ["{", f' "gomem_baselines": {VERSION},', ' "tests": {', *_indented(_tests(tests), 2), " }", "}"]
    return "\n".join(lines) + "\n"


def _tests(tests: Tests) -> Iterator[str]:
    yield from _joined([f"{_text(test)}: {{", *_indented(_windows(tests[test])), "}"] for test in sorted(tests))


def _windows(windows: Mapping[str, Sequence[Snapshot]]) -> Iterator[str]:
    for block in _separated(
        [f"{_text(window)}: [", *_indented(_joined(map(_snapshot, _in_order(windows[window])))), "]"]
        for window in sorted(windows)
    ):
        yield from block


def _in_order(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    return sorted(snapshots, key=lambda snapshot: sorted(snapshot.conditions.items()))


def _snapshot(snapshot: Snapshot) -> list[str]:
    recorded = json.dumps({"commit": snapshot.commit, "date": snapshot.date})
    metrics, definitions = snapshot.metrics, dict(sorted(snapshot.definitions.items()))
    left_out = dict(sorted(snapshot.left_out.items()))
    return [
        "{",
        f' "recorded": {recorded},',
        f' "ops": {json.dumps(snapshot.ops)},',
        *(f' "{kind}": {_text(file)},' for kind in _PROFILES if (file := getattr(snapshot, kind))),
        ' "conditions": {',
        *_indented(_joined(_entries(snapshot.conditions)), 2),
        " },",
        *([f' "definitions": {json.dumps(definitions, ensure_ascii=False)},'] if definitions else ()),
        *([' "modules": {', *_indented(_joined(_entries(snapshot.modules)), 2), " },"] if snapshot.modules else ()),
        *(
            [' "goroutines": {', *_indented(_joined(_counts(snapshot.goroutines)), 2), " },"]
            if snapshot.goroutines
            else ()
        ),
        *([f' "left_out": {json.dumps(left_out, ensure_ascii=False)},'] if left_out else ()),
        ' "metrics": {',
        *_indented(_joined([f"{_text(k)}: [{', '.join(map(_number, metrics[k]))}]"] for k in metrics), 2),
        " }",
        "}",
    ]


def _entries(texts: Mapping[str, str]) -> Iterator[list[str]]:
    return ([f"{_text(name)}: {_text(value)}"] for name, value in sorted(texts.items()))


def _counts(numbers: Mapping[str, float]) -> Iterator[list[str]]:
    return ([f"{_text(name)}: {_number(value)}"] for name, value in sorted(numbers.items()))


def _joined(blocks: Iterable[Sequence[str]]) -> Iterator[str]:
    for block in _separated(blocks):
        yield from block


def _separated(blocks: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    """The blocks with a comma after each but the last."""
    listed = list(blocks)
    for at, block in enumerate(listed, 1):
        yield block if at == len(listed) else [*block[:-1], block[-1] + ","]


def _indented(lines: Iterable[str], by: int = 1) -> Iterator[str]:
    return (" " * by + line for line in lines)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _number(value: float) -> str:
    """Whole numbers exactly; fractions rounded."""
    if not float(value).is_integer():
        value = float(f"{value:.{_DIGITS}g}")
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(value)


def read(path: Path, text: str) -> Tests:
    """The tests of a module's file; raises ConfigError with file and line of a mistake."""
    conflict = _CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        hint = "resolve it, or take one side's file and record again: gomem baseline update"
        raise ConfigError("a merge conflict is not resolved", Place(str(path), line), hint)
    try:
        data = json.loads(text, object_pairs_hook=_Objects(path, text))
    except (RecursionError, ValueError) as error:
        line = getattr(error, "lineno", 1)
        raise ConfigError(f"this is no baseline file: {error}", Place(str(path), line), MEND) from None
    return _Reader(path, text).module(data)


MEND = "restore it from git, or remove it and record again: gomem baseline update"


class _Objects:
    """Collects the objects of a text, in the order of their ends; json alone would drop a duplicate key."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text
        self._made = 0

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self._made += 1
        found = dict(pairs)
        if len(found) < len(pairs):
            (again, _), *_ = Counter(name for name, _ in pairs).most_common(1)
            line = self._text.count("\n", 0, self._last(again)) + 1
            raise ConfigError(f"{_text(again)} stands there twice", Place(str(self._path), line), MEND)
        return found

    def _last(self, name: str) -> int:
        """The last position of a key in the object that has just ended."""
        begun: list[int] = []
        left = self._made
        for token in _BRACES.finditer(self._text):
            if token[0] == "{":
                begun.append(token.start())
            elif token[0] == "}":
                start, left = begun.pop(), left - 1
                if not left:
                    return max(self._text.rfind(f"{_text(name)}:", start, token.end()), start)
        return 0


class _Reader:
    """Reads plain data, and knows the position of each key in the text."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text

    def module(self, data: Any) -> Tests:
        keys: tuple[str, ...] = ()
        top = self._mapping(data, keys)
        if top.get("gomem_baselines") != VERSION:
            found = top.get("gomem_baselines")
            raise self._error(f'expected "gomem_baselines": {VERSION}, not {found!r}', ("gomem_baselines",))
        tests = self._mapping(top.get("tests"), ("tests",))
        return {
            test: {
                window: self._snapshots(snapshots, ("tests", test, window))
                for window, snapshots in self._mapping(windows, ("tests", test)).items()
            }
            for test, windows in tests.items()
        }

    def _snapshots(self, data: Any, keys: tuple[str, ...]) -> tuple[Snapshot, ...]:
        if not isinstance(data, list):
            raise self._error("expected a list of snapshots", keys)
        return tuple(self._snapshot(item, keys) for item in data)

    def _snapshot(self, data: Any, keys: tuple[str, ...]) -> Snapshot:
        fields = self._mapping(data, keys)
        if set(fields) - _OPTIONAL != _FIELDS:
            raise self._error(f"expected {', '.join(sorted(_FIELDS))}, not {', '.join(sorted(fields))}", keys)
        recorded = self._mapping(fields["recorded"], (*keys, "recorded"))
        conditions = self._mapping(fields["conditions"], (*keys, "conditions"))
        metrics = self._mapping(fields["metrics"], (*keys, "metrics"))
        if not (fields["ops"] is None or _is_number(fields["ops"])):
            raise self._error("expected a number of operations or null", (*keys, "ops"))
        profiles = {kind: fields.get(kind, "") for kind in _PROFILES}
        for kind, file in profiles.items():
            if not isinstance(file, str) or (file and not file.endswith(_PROFILE)):
                raise self._error(f"expected a file name that ends in {_PROFILE}", (*keys, kind))
        definitions = self._mapping(fields.get("definitions", {}), (*keys, "definitions"))
        for name, version in definitions.items():
            if not isinstance(version, int) or version < 1:
                raise self._error("expected a whole number of 1 or more", (*keys, "definitions", name))
        left_out = self._mapping(fields.get("left_out", {}), (*keys, "left_out"))
        modules = self._mapping(fields.get("modules", {}), (*keys, "modules"))
        for key, texts in (("conditions", conditions), ("left_out", left_out), ("modules", modules)):
            for name, value in texts.items():
                if not isinstance(value, str):
                    raise self._error("expected text", (*keys, key, name))
        goroutines = self._mapping(fields.get("goroutines", {}), (*keys, "goroutines"))
        if not all(map(_is_number, goroutines.values())):
            raise self._error("expected numbers of goroutines", (*keys, "goroutines"))
        return Snapshot(
            conditions=conditions,
            metrics={name: self._values(values, (*keys, "metrics", name)) for name, values in metrics.items()},
            ops=fields["ops"],
            commit=str(recorded.get("commit", "")),
            date=str(recorded.get("date", "")),
            **profiles,
            modules=modules,
            goroutines=goroutines,
            definitions=definitions,
            left_out=left_out,
        )

    def _values(self, data: Any, keys: tuple[str, ...]) -> tuple[float, ...]:
        if not isinstance(data, list) or not data or not all(map(_is_number, data)):
            raise self._error("expected a list of numbers, one for each round", keys)
        return tuple(data)

    def _mapping(self, data: Any, keys: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise self._error("expected a mapping", keys)
        return data

    def _error(self, message: str, keys: tuple[str, ...]) -> ConfigError:
        at = 0
        for key in keys:  # each key comes after its parent
            at = max(self._text.find(f"{_text(key)}:", at), at)
        return ConfigError(message, Place(str(self._path), self._text.count("\n", 0, at) + 1, ".".join(keys)), MEND)


def _is_number(value: object) -> bool:
    """Whether it is a finite number: json reads NaN and Infinity too."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
