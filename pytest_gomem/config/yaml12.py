"""Reads YAML by the rules of YAML 1.2's core schema, each value with its file, line and key.

PyYAML follows YAML 1.1, where `off` is False, `1:30` is 90 and a later duplicate key wins silently. We use only its
scanner, parser and composer, and decide here what a scalar means. PyYAML's own loaders stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from yaml.composer import Composer, ComposerError
from yaml.error import MarkedYAMLError, YAMLError
from yaml.nodes import MappingNode, Node, ScalarNode
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.scanner import Scanner, ScannerError
from yaml.tokens import Token

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.config.fields import Located, Mistakes, key_of

MOST_BYTES = 1 << 20
MOST_LEVELS = 50
MOST_VALUES = 10_000

_TAG = "tag:yaml.org,2002:"
_STR, _MAP, _SEQ = f"{_TAG}str", f"{_TAG}map", f"{_TAG}seq"

# YAML 1.2.2, section 10.3.2. Infinities and not-a-number stay text: nothing in gomem.yaml takes them. Integers
# with more digits than Python converts fall through to float.
_CORE: dict[str, tuple[re.Pattern[str], Callable[[str], object]]] = {
    f"{_TAG}null": (re.compile("null|Null|NULL|~|"), lambda _: None),
    f"{_TAG}bool": (re.compile("true|True|TRUE|false|False|FALSE"), lambda word: word.lower() == "true"),
    f"{_TAG}int": (
        re.compile("[-+]?[0-9]{1,4000}|0o[0-7]+|0x[0-9a-fA-F]+"),
        lambda digits: int(digits, {"0o": 8, "0x": 16}.get(digits[:2], 10)),
    ),
    f"{_TAG}float": (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    _STR: (re.compile("(?s:.*)"), str),
}

_QUOTE_HINT = "text that begins with one of > { [ * & ! % @ ` | or holds ': ' needs quotes"
_TOO_MANY = f"holds more than {MOST_VALUES} values"
_TOO_DEEP = f"is nested too deeply: more than {MOST_LEVELS} levels"
_TAB_HINT = "indent with spaces: YAML allows no tabs there"


class _Loader(Reader, Scanner, Parser, Composer):
    """Composes a document into nodes; scalars get their tag from the core schema."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        self._nodes = 0

    def fetch_flow_collection_start(self, TokenClass: type[Token]) -> None:  # noqa: N803 - PyYAML's name
        """A bracket or brace opens. The scanner's time grows with the square of how many are open."""
        self._check_level(self.flow_level)
        super().fetch_flow_collection_start(TokenClass)

    def add_indent(self, column: int) -> bool:
        """A deeper line begins."""
        self._check_level(len(self.indents))
        return bool(super().add_indent(column))

    def _check_level(self, level: int) -> None:
        if level >= MOST_LEVELS:
            raise ScannerError(None, None, _TOO_DEEP, self.get_mark())

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """A value or key begins. 10 000 take a second, and a file of this size can hold half a million."""
        self._nodes += 1
        if self._nodes > 2 * MOST_VALUES:
            raise ComposerError(None, None, _TOO_MANY, self.get_mark())
        node: Node | None = super().compose_node(parent, index)
        return node

    def descend_resolver(self, parent: object, index: object) -> None:
        """Composer's hook for path resolvers, which we have none of."""

    def ascend_resolver(self) -> None:
        """Composer's hook for path resolvers, which we have none of."""

    def resolve(self, kind: type[Node], value: str | None, implicit: tuple[bool, bool] | bool) -> str:
        """The tag of a node without a written one; only plain scalars can be anything but text."""
        if kind is not ScalarNode:
            return _MAP if kind is MappingNode else _SEQ
        plain = isinstance(implicit, tuple) and implicit[0]
        return next(tag for tag, (pattern, _) in _CORE.items() if pattern.fullmatch(value or "")) if plain else _STR


def read_yaml(path: Path, mistakes: Mistakes) -> Located:
    """Read one document. Duplicate keys, merge keys and keys that are not text go to `mistakes`.

    Raises ConfigError, with the line if there is one, for a file that is unreadable, empty or not such YAML.
    """
    text = _text(path)
    try:
        root = _Loader(text).get_single_node()
        if root is None:
            raise ConfigError("the file is empty", Place(str(path)), "begin it with  version: 1")
        return _Builder(str(path), mistakes).build(root, Place(str(path), 1))
    except YAMLError as error:
        raise _syntax_error(error, path, text) from None
    except RecursionError:  # a chain of aliases, as deep when it is expanded
        raise ConfigError("the file is nested too deeply", Place(str(path))) from None


def composed(text: str) -> Node | None:
    """The nodes of one document, each with its marks in the text; raises YAMLError. Tags are those of `read_yaml`."""
    node: Node | None = _Loader(text).get_single_node()
    return node


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ConfigError(f"is larger than {MOST_BYTES >> 20} MiB", Place(str(path)), "is it the right file?")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", Place(str(path))) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError("the file is not UTF-8", Place(str(path), line), "save it as UTF-8") from None


def _syntax_error(error: YAMLError, path: Path, text: str) -> ConfigError:
    if isinstance(error, ReaderError):
        line = text[: error.position].count("\n") + 1
        return ConfigError(f"the character {chr(error.character)!r} is not allowed in YAML", Place(str(path), line))
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return ConfigError(f"is not YAML: {error}", Place(str(path)))
    if error.problem in (_TOO_DEEP, _TOO_MANY):
        return ConfigError(error.problem, Place(str(path), error.problem_mark.line + 1))
    # What is never closed is noticed at the end of the file; name the line where it was opened.
    unclosed = any(words in (error.problem or "") for words in ("end of stream", "<stream end>"))
    mark = error.context_mark if unclosed and error.context_mark else error.problem_mark
    words = ": ".join(filter(None, (error.context, error.problem)))
    hint = _TAB_HINT if "\\t" in words else _QUOTE_HINT
    return ConfigError(f"is not YAML: {words}", Place(str(path), mark.line + 1), hint)


class _Builder:
    """Turns nodes into Located values; aliases are expanded, so their number is limited."""

    def __init__(self, file: str, mistakes: Mistakes) -> None:
        self._file = file
        self._mistakes = mistakes
        self._values = 0
        self._open: set[int] = set()

    def build(self, node: Node, place: Place) -> Located:
        self._values += 1
        if self._values > MOST_VALUES:
            raise ConfigError(f"holds more than {MOST_VALUES} values, with its aliases expanded", place)
        allowed = _CORE if isinstance(node, ScalarNode) else {_MAP if isinstance(node, MappingNode) else _SEQ}
        if node.tag not in allowed:
            raise ConfigError(f"the tag {node.tag} is not allowed", place)
        if isinstance(node, ScalarNode):
            return self._scalar(node, place)
        if id(node) in self._open:
            raise ConfigError("an alias refers to the value that contains it", place)
        self._open.add(id(node))
        built = self._mapping(node, place) if isinstance(node, MappingNode) else self._sequence(node, place)
        self._open.discard(id(node))
        return built

    def _scalar(self, node: ScalarNode, place: Place) -> Located:
        pattern, convert = _CORE[node.tag]
        if pattern.fullmatch(node.value) is None:
            raise ConfigError(f"{node.value[:40]!r} is not a valid {node.tag.removeprefix(_TAG)}", place)
        return Located(convert(node.value), place, node.value)

    def _sequence(self, node: Node, place: Place) -> Located:
        places = (
            Place(self._file, item.start_mark.line + 1, key_of(place, index)) for index, item in enumerate(node.value)
        )
        return Located(tuple(self.build(item, at) for item, at in zip(node.value, places, strict=True)), place)

    def _mapping(self, node: MappingNode, place: Place) -> Located:
        found: dict[str, Located] = {}
        for key_node, member in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self._mistakes.add(ConfigError("a key must be text", Place(self._file, line, place.key), _QUOTE_HINT))
                continue
            key = key_node.value
            at = Place(self._file, line, key_of(place, key))
            if key in found:
                first = found[key].place.line
                self._mistakes.add(ConfigError(f"'{key}' is given twice, in lines {first} and {line}", at))
            elif key == "<<":
                self._mistakes.add(ConfigError("merge keys (<<) are not part of YAML 1.2", at, "write the keys out"))
            else:
                found[key] = self.build(member, at)
        return Located(found, place)
