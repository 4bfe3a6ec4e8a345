"""Foreign text in Markdown: shown as it is, so that it makes no link, mention, table cell or HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pytest_gomem.base.printable import printable

# All that Markdown gives a meaning within a line, and HTML. Names of Go and metrics are full of "_", which has none
# between letters.
_ACTIVE = re.compile(r"[\\`*\[\]<>&~$|]|(?<![^\W_])_|_(?![^\W_])")
_AT_START = re.compile(r"^(\s*)([-+](?=\s|$)|#+(?=\s|$)|[-=]+\s*$|\d{1,9}(?=[.)](\s|$)))")
# After it is rendered, GitHub and GitLab look for these in the text: an invisible character keeps them apart. They are
# names of people, issues and the like, addresses, and emoji; "cache.go:48" stays whole, to be copied.
_LINKED = re.compile(
    r"(?<=[@!%#^&~])(?=\w)|(?<=:)(?=//)|(?<=:)(?=[\w+-]+:)|(?<=www)(?=\.)|(?<=\bGH)(?=-\d)", re.IGNORECASE
)
_APART = "\N{WORD JOINER}"
_CODE = re.compile("`+")


def text(words: str) -> str:
    """Words within a paragraph or a table cell."""
    shown = _LINKED.sub(_APART, printable(words))
    shown = _ACTIVE.sub(lambda found: f"&#{ord(found[0])};", shown)
    return _AT_START.sub(lambda found: f"{found[1]}{_APART}{found[2]}", shown)


def code(words: str, *, in_table: bool = False) -> str:
    """A name or command: nothing in it has a meaning, and it can be copied. in_table: a cell ends at "|"."""
    shown = printable(words)
    if not shown.strip():
        return ""
    fence = "`" * (max(map(len, _CODE.findall(shown)), default=0) + 1)
    edge = " " if shown[0] in "` " or shown[-1] in "` " else ""
    whole = f"{fence}{edge}{shown}{edge}{fence}"
    # A backslash before "|" would be taken for its escape: such a cell is written as HTML.
    if in_table and "|" in whole:
        return f"<code>{''.join(f'&#{ord(c)};' if not c.isalnum() else c for c in shown)}</code>"
    return whole


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: set[int]) -> tuple[str, list[str]]:
    """The head of a table and its rows, as lines; cells are Markdown already."""
    marks = ("--:" if at in right else "---" for at in range(len(head)))
    return f"| {' | '.join(head)} |\n| {' | '.join(marks)} |", [f"| {' | '.join(row)} |" for row in rows]


def folded(summary: str, body: str, *, is_open: bool = False) -> str:
    """A part that the reader opens. summary and body are Markdown already."""
    return f"<details{' open' * is_open}><summary>{summary}</summary>\n\n{body}\n\n</details>"
