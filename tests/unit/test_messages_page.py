"""docs/messages.md lists messages that exist: whoever rewords one finds its entry here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "messages.md"
VARIES = "…"


def texts(node: ast.AST) -> Iterator[str]:
    """Every string that a module writes, with what varies in it as one sign; docstrings and comments are none."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else VARIES for part in parts)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from texts(child)


def pattern(message: str) -> str:
    return ".*".join(re.escape(part.strip()) for part in message.split(VARIES))


def test_every_message_exists():
    """Each entry is a part of a string in the code, whatever stands for its dots."""
    messages = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(), re.MULTILINE)
    sources = [ast.parse(path.read_text()) for path in sorted((ROOT / "pytest_gomem").rglob("*.py"))]
    written = "\n".join(text.replace("\n", " ") for source in sources for text in texts(source))
    assert len(messages) > 100
    assert [message for message in messages if not re.search(pattern(message), written)] == []


def test_every_entry_helps():
    """An entry says what the message means and what to do, and stands once in its table."""
    for table in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        rows = [line.strip("|").split(" | ") for line in table.splitlines() if line.startswith("| `")]
        assert all(len(row) == 3 and all(cell.strip() for cell in row) for row in rows)
        assert len({row[0] for row in rows}) == len(rows)
