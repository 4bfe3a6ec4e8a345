"""Changes numbers in the text of gomem.yaml, at the places of its nodes: all else stays to the byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from yaml.error import YAMLError
from yaml.nodes import MappingNode, Node, ScalarNode

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.config.fields import key_of
from pytest_gomem.config.yaml12 import composed
from pytest_gomem.tighten.new_limits import NewLimit, Tighter
from pytest_gomem.tighten.spelling import replaced

_SHARED = "the value is shared by an anchor: change it by hand"
_OTHERWISE = "it is written in a way that cannot be changed in place: change it by hand"


@dataclass(frozen=True)
class Edited:
    """A text with its changes. undone: the budgets that could not be changed, each with the reason."""

    text: str
    done: tuple[Tighter, ...]
    undone: tuple[tuple[Tighter, str], ...]


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    text: str


def edited(text: str, tighter: Iterable[Tighter], file: str) -> Edited:
    """The text of a gomem.yaml with these limits. file: its name in the budgets' places."""
    nodes = _Nodes(text, file)
    edits: list[_Edit] = []
    done: list[Tighter] = []
    undone: list[tuple[Tighter, str]] = []
    for one in tighter:
        found = [nodes.edit(one.budget.place.key, limit) for limit in one.limits]
        why = next((edit for edit in found if isinstance(edit, str)), "")
        if why:
            undone.append((one, why))
        else:
            done.append(one)
            edits += [edit for edit in found if isinstance(edit, _Edit)]
    changed = _with(text, edits)
    if not _is_else_the_same(changed, text, edits):
        raise ConfigError("the changes could not be checked", Place(file), "please report this: nothing was changed")
    return Edited(changed, tuple(done), tuple(undone))


def _with(text: str, edits: Iterable[_Edit]) -> str:
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _is_else_the_same(changed: str, text: str, edits: Sequence[_Edit]) -> bool:
    """Whether the changed text is the same document but for these scalars."""
    try:
        before, after = composed(text), composed(changed)
    except YAMLError:
        return False
    old, new = list(_scalars(before)), list(_scalars(after))
    places = {edit.start for edit in edits}
    return len(old) == len(new) and all(
        one.start_mark.index in places or (one.tag, one.value) == (other.tag, other.value)
        for one, other in zip(old, new, strict=True)
    )


def _scalars(node: Node | None) -> Iterator[ScalarNode]:
    """Every scalar, keys too, in the order of the text; those behind an alias once for each use."""
    if isinstance(node, ScalarNode):
        yield node
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            yield from _scalars(key)
            yield from _scalars(value)
    elif node is not None:
        for item in node.value:
            yield from _scalars(item)


class _Nodes:
    """The values of a document by their keys, as the places of budgets have them."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._by_key: dict[str, Node] = {}
        self._uses: Counter[int] = Counter()
        root = composed(text)
        if root is not None:
            self._add(root, Place(file))

    def _add(self, node: Node, place: Place) -> None:
        self._by_key[place.key] = node
        self._uses[id(node)] += 1
        if isinstance(node, MappingNode):
            for key, value in node.value:
                self._add(value, place.at(key_of(place, key.value)))
        elif not isinstance(node, ScalarNode):
            for at, item in enumerate(node.value):
                self._add(item, place.at(key_of(place, at)))

    def edit(self, key: str, limit: NewLimit) -> _Edit | str:
        """The change of one limit of the budget with that key, or why it cannot be made."""
        node = self._by_key[key]
        if isinstance(node, MappingNode):
            node = self._by_key[key_of(Place(key=key), limit.kind)]
        if self._uses[id(node)] > 1:
            return _SHARED
        start, end = node.start_mark.index, node.end_mark.index
        before = self._text[start:end]
        if not isinstance(node, ScalarNode) or before not in (node.value, f"'{node.value}'", f'"{node.value}"'):
            return _OTHERWISE  # with an anchor, a tag or escapes, or over several lines
        after = replaced(node.value, limit)
        return _OTHERWISE if after is None else _Edit(start, end, before.replace(node.value, after))
