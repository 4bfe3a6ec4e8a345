"""Finds the literals of limits in markers of Python files, and writes the text that they would have."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from pytest_gomem.config.budgets import HEADROOM, MIN_HEADROOM
from pytest_gomem.config.own_metrics import is_own, own_metric
from pytest_gomem.tighten.new_limits import NewLimit, Tighter
from pytest_gomem.tighten.spelling import replaced
from pytest_gomem.tighten.yaml_edits import Edited

_NOT_A_LITERAL = "its limit is not a literal of the marker: change it where it is made"
_SEVERAL = "several markers there have this limit: change it by hand"

_BOM = "\ufeff"  # Python leaves it out before it counts columns

Edit = tuple[int, int, bytes]  # from and to which byte of the source, and what stands there then


def edited(text: str, tighter: Iterable[tuple[Tighter, str]]) -> Edited:
    """The text of a test file with these limits. tighter: each with the id of one of its tests."""
    source, tree = text.encode(), ast.parse(text.removeprefix(_BOM))
    starts = _line_starts(source)
    edits: list[Edit] = []
    done: list[Tighter] = []
    undone: list[tuple[Tighter, str]] = []
    for one, nodeid in tighter:
        values = list(_values(_decorated(tree, one.budget.scope, nodeid), one))
        made = [_edit(source, starts, value, limit) for value in values[:1] for limit in one.limits]
        found = [edit for edit in made if edit is not None]
        if len(values) > 1:
            undone.append((one, _SEVERAL))
        elif not values or len(found) < len(one.limits):
            undone.append((one, _NOT_A_LITERAL))
        else:
            done.append(one)
            edits += found
    for start, end, new in sorted(edits, reverse=True):
        source = source[:start] + new + source[end:]
    return Edited(source.decode(), tuple(done), tuple(undone))


def _decorated(tree: ast.Module, scope: str, nodeid: str) -> list[ast.expr]:
    """The marks of the function, class or module that a test's budget stands on."""
    names = [part.partition("[")[0] for part in nodeid.split("::")[1:]]
    if scope == "marker on module":
        return _pytestmark(tree.body)
    found: list[ast.expr] = []
    for depth in range(len(names), 0, -1):
        node = _named(tree, names[:depth])
        is_class = isinstance(node, ast.ClassDef)
        if node is not None and is_class == (scope == "marker on class"):
            found += [*node.decorator_list, *(_pytestmark(node.body) if is_class else ())]
    return found


def _named(tree: ast.Module, names: Sequence[str]) -> ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | None:
    body: Sequence[ast.stmt] = tree.body
    found = None
    for name in names:
        kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found = next((one for one in body if isinstance(one, kinds) and one.name == name), None)
        body = found.body if found is not None else []
    return found


def _pytestmark(body: Iterable[ast.stmt]) -> list[ast.expr]:
    for one in body:
        if isinstance(one, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in one.targets):
            return list(one.value.elts) if isinstance(one.value, (ast.List, ast.Tuple)) else [one.value]
    return []


def _values(marks: Iterable[ast.expr], one: Tighter) -> Iterator[ast.expr]:
    """What the gomem markers among these give to the budget's metric."""
    for mark in marks:
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr == "gomem":
            found = _members(mark)
            if one.budget.phase:
                found = _dict(_dict(found.get("phases")).get(one.budget.phase))
            if one.budget.metric in found:
                yield found[one.budget.metric]


def _members(call: ast.Call) -> dict[str, ast.expr]:
    """The keyword arguments, and the members of literal dicts behind `**`, by the names of metrics."""
    found = {}
    for keyword in call.keywords:
        found.update({_metric(keyword.arg): keyword.value} if keyword.arg is not None else _dict(keyword.value))
    return found


def _dict(node: ast.expr | None) -> dict[str, ast.expr]:
    pairs = zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ()
    named = ((key.value, value) for key, value in pairs if isinstance(key, ast.Constant))
    return {_metric(name): value for name, value in named if isinstance(name, str)}


def _metric(name: str) -> str:
    if name == MIN_HEADROOM:
        return HEADROOM
    return str(own_metric(name)) if is_own(name) else name


def _edit(source: bytes, starts: Sequence[int], value: ast.expr, limit: NewLimit) -> Edit | None:
    """The change of one limit; None if it is no literal of one line."""
    node: ast.expr | None = _dict(value).get(limit.kind) if isinstance(value, ast.Dict) else value
    if not isinstance(node, ast.Constant) or node.end_lineno != node.lineno or node.end_col_offset is None:
        return None
    start = starts[node.lineno - 1] + node.col_offset
    end = starts[node.lineno - 1] + node.end_col_offset
    before = source[start:end].decode()
    inner = node.value if isinstance(node.value, str) else before
    after = replaced(inner, limit)
    if after is None or before.count(inner) != 1 or not before.endswith((inner, f"{inner}'", f'{inner}"')):
        return None
    return start, end, before.replace(inner, after).encode()


def _line_starts(source: bytes) -> list[int]:
    ends = list(accumulate(map(len, source.splitlines(keepends=True))))
    return [len(_BOM.encode()) if source.startswith(_BOM.encode()) else 0, *ends]


def by_file(tighter: Iterable[Tighter]) -> Mapping[str, list[Tighter]]:
    """The budgets by the file that they stand in."""
    found: dict[str, list[Tighter]] = {}
    for one in tighter:
        found.setdefault(one.budget.place.file, []).append(one)
    return found
