"""docs/messages.md lists messages that exist: whoever rewords one finds its entry here."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "messages.md"
VARIES = "…"
# Between two literals that Python puts together, as between the lines of a long message.
JOINT = re.compile(r'"\s*\n\s*f?"')


def pattern(message: str) -> str:
    return ".*".join(re.escape(part.strip()) for part in message.split(VARIES))


def test_every_message_exists():
    """Each entry is a part of a text in the code, whatever stands for its dots."""
    messages = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(), re.MULTILINE)
    code = "\n".join(JOINT.sub("", path.read_text()) for path in (ROOT / "pytest_gomem").rglob("*.py"))
    code = code.replace("{{", "{").replace("}}", "}")
    assert len(messages) > 100
    assert [message for message in messages if not re.search(pattern(message), code)] == []


def test_every_entry_helps():
    """An entry says what the message means and what to do, and stands once in its table."""
    for table in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        rows = [line.strip("|").split(" | ") for line in table.splitlines() if line.startswith("| `")]
        assert all(len(row) == 3 and all(cell.strip() for cell in row) for row in rows)
        assert len({row[0] for row in rows}) == len(rows)
