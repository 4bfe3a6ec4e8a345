"""The comment on a pull request: what it says, how long it is, and that no name in it is more than a name."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from ci_samples import UPLOAD, compared, passed, run_of, side, with_limit, worse
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from report_samples import sample_run, verdict, window

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.ci.findings import tell
from pytest_gomem.ci.markdown import COMMENT, comment, marker
from pytest_gomem.ci.markup import code, text
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import BuildRecord
from pytest_gomem.stats.decision import Status

# As GitHub renders it: tables, strikethrough, and addresses as links.
GITHUB = MarkdownIt("commonmark", {"linkify": True}).enable(["table", "strikethrough", "linkify"])
GITHUB.linkify.set({"fuzzy_link": False, "fuzzy_email": True})
ACTIVE = [
    "@someone", "#12", "a/b#12", "GH-7", "!3", "www.evil.example", "https://evil.example", "me@evil.example", ":tada:",
    "[x](https://evil.example)", "![x](y)", "<img src=x>", "</details>", "<!-- pytest-gomem -->", "&lt;", "`a`", "``",
    "**b**", "_i_", "~~s~~", "|", "\\|", "\\", "$x$", "- x", "1. x", "# h", "> q", "---", "\n\n", "ftp://evil.example",
    "test_upload", "main.(*Server).serve[...]",
]  # fmt: skip
FOREIGN = st.lists(st.sampled_from(ACTIVE) | st.text(st.characters(codec="utf-8"), max_size=3), max_size=4).map("".join)
# What GitHub and GitLab look for in rendered text, outside of code.
LINKED = re.compile(
    r"(?<![\w/`])@[a-z\d]|(?<!\w)[#!]\d|\bGH-\d|www\.|(https?|ftp)://|(?<![\w:]):[a-z\d_+-]+:", re.IGNORECASE
)
CODE = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)")


def inline(markdown: str) -> list:
    """The tokens within the paragraph or cell that the Markdown is."""
    return [token for block in GITHUB.parse(markdown) if block.type == "inline" for token in block.children or ()]


def bare(tokens) -> str:
    return "".join(token.content for token in tokens if token.type == "text")


def told(*tests, **fields):
    return tell(replace(run_of(*tests), **fields), None, "gomem")


class TestWords:
    def test_no_change_is_one_line(self):
        """Below the marker, with what it was compared with and which commit it is of."""
        assert comment(told(passed(side()))).splitlines() == [
            "<!-- pytest-gomem -->",
            "**Memory**: no change against HEAD^ (0a1b2c3d4e5f) in 1 test, commit `0a1b2c3d4e5f`",
        ]

    def test_what_got_worse_is_a_table_and_a_story(self):
        """The comparison first, then who did it, since what, and what to do next; details are folded."""
        same = replace(side(), verdicts=(compared(Status.PASS, ratio=0.0),))
        shown = comment(told(worse(), passed(same, "t.py::test_b")), link="https://github.com/a/b/actions/runs/1")
        assert "### Memory: 1 of 2 tests failed" in shown
        assert "Compared against HEAD^ (0a1b2c3d4e5f): 1 worse, 1 same." in shown
        assert "| `test_upload[1]` | `live_heap` | 10.0 MB | 12.0 MB | +20.00% | **worse** |" in shown
        assert "test_b" not in shown
        assert "<details open><summary><b>test_upload&#91;1&#93;</b>: live_heap is 20% worse than HEAD^" in shown
        assert "- **who** allocated by store.Put (store.go:18)" in shown
        assert f"- **or** `gomem accept '{UPLOAD}[1]' live_heap --reason WHY`" in shown
        assert "- **where** `services/api/store.go:18`" in shown
        assert shown.endswith(
            "commit `0a1b2c3d4e5f`, [the run](https://github.com/a/b/actions/runs/1)</sub>"
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("tests", "title"),
        [
            ([], "no test was measured"),
            ([passed(with_limit())], "all limits are kept in 1 test"),
            ([passed(window())], "no limit was judged in 1 test"),
            ([passed(replace(side(), verdicts=(compared(Status.IMPROVED, ratio=-0.2),)))],
             "better against HEAD^ (0a1b2c3d4e5f), nothing worse"),
            ([passed(replace(side(), base=None, no_base="its baseline is of another Go"))],
             "nothing was compared in 1 test"),
            ([replace(worse(), outcome="passed")], "1 of 1 test broke a limit, reported only, or came near one"),
            ([TestRecord(UPLOAD, "not run", (), reason="the run ended")], "1 of 1 test have no result"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )  # fmt: skip
    def test_the_first_line_says_how_it_ended(self, tests, title):
        """Whatever there is to say; a run that measured nothing says that."""
        assert f"Memory: {title}" in comment(told(*tests)).replace("**Memory**", "Memory")

    def test_what_was_not_compared_is_no_pass(self):
        """The reason and the windows; also where the sides had another Go."""
        lost = passed(replace(side(), base=None, no_base="its baseline is of another Go"))
        shown = comment(told(lost))
        assert "- its baseline is of another Go: `test_upload`" in shown
        assert "1 window not compared" in shown
        other = replace(side(Status.FAIL), base=window(build=BuildRecord("HEAD^", "go1.25.1")))
        shown = comment(told(replace(worse(), windows=(other,))))
        assert "Base and now were built by different Go versions: go1.25.1 and go1.26.0." in shown

    def test_a_run_fails_without_a_test(self):
        """A shard that ended badly, a glob that matches nothing under --gomem-strict: no green line above it."""
        shown = comment(told(passed(side()), problems=("shard 2 was interrupted", *["x"] * 12)))
        assert "### Memory: the run failed, its 1 test did not" in shown
        assert "**The run fails**: shard 2 was interrupted" in shown
        assert "…and 3 more that fail the run." in shown

    def test_several_jobs_have_keys(self):
        """Each finds its own comment, and no key ends the HTML comment."""
        assert comment(told(), key="linux-arm64").splitlines()[0] == "<!-- pytest-gomem linux-arm64 -->"
        for key in ("a b", "-->", "x" * 65, "a\nb"):
            with pytest.raises(ConfigError, match="is no key of a comment"):
                marker(key)

    def test_a_sample_of_everything(self):
        """Each part is Markdown that GitHub reads: tables are tables, and tags are closed."""
        shown = comment(tell(sample_run(), None))
        kinds = [token.type for token in GITHUB.parse(shown)]
        assert kinds.count("table_open") == 1
        assert shown.count("<details") == shown.count("</details>") > 3
        assert not re.search(r"^\|.*\|$", "".join(t.content for t in GITHUB.parse(shown) if t.type != "inline"))


class TestLength:
    @pytest.mark.parametrize("number", [1, 40, 400])
    def test_a_comment_fits(self, number):
        """GitHub takes 65 536 characters: the worst are there, and what is left out is counted."""
        tests = [worse(at, ratio=at / 1000 + 0.05) for at in range(number)]
        shown = comment(told(*tests))
        assert len(shown.encode()) <= COMMENT
        assert f"{number} of {number} test" in shown
        first = shown.index(f"<b>test_upload&#91;{number - 1}&#93;</b>")
        assert first == shown.index("<b>test_upload")
        listed = len(re.findall(r"<b>test_upload", shown))
        left = sum(int(found) for found in re.findall(r"…and (\d+) more failure", shown))
        assert listed + left == number
        rows = len(re.findall(r"^\| `test_upload", shown, re.MULTILINE))
        assert rows + sum(int(found) for found in re.findall(r"…and (\d+) more compared", shown)) == number
        assert shown.count("<details") == shown.count("</details>")

    def test_long_names_are_cut(self):
        """A parametrized id can be as long as its data."""
        tests = [replace(worse(), nodeid=f"t.py::test[{'x' * 70_000}]")]
        shown = comment(told(*tests))
        assert len(shown.encode()) <= COMMENT
        assert "<b>test&#91;xxx" in shown


class TestForeignNames:
    @given(FOREIGN)
    def test_words_stay_words(self, words):
        """No link, image, HTML, emphasis or code comes of them, and nothing that GitHub looks for in the text."""
        markdown = f"said {text(words)} then"
        tokens = inline(markdown)
        assert {token.type for token in tokens} <= {"text"}
        assert len([token for token in GITHUB.parse(markdown) if token.type == "inline"]) == 1
        assert not LINKED.search(bare(tokens))

    @given(FOREIGN)
    def test_names_are_code(self, words):
        """One span of code which holds all of it, also in a table."""
        shown = code(words)
        if shown:
            (token,) = inline(shown)
            assert token.type == "code_inline"
        row = f"| a | b |\n| --- | --- |\n| {code(words, in_table=True)} | {text(words)} |"
        tokens = GITHUB.parse(row)
        assert [token.type for token in tokens].count("td_open") == 2
        assert not [token for token in inline(row) if token.type not in {"text", "code_inline", "html_inline"}]
        assert {token.content for token in inline(row) if token.type == "html_inline"} <= {"<code>", "</code>"}

    @given(FOREIGN)
    def test_a_list_item_is_one_paragraph(self, words):
        """It begins no list, heading or quotation of its own."""
        kinds = [token.type for token in GITHUB.parse(f"- {text(words)}")]
        assert not {"heading_open", "blockquote_open", "hr", "fence", "code_block", "html_block"} & set(kinds)
        assert kinds.count("bullet_list_open") + kinds.count("ordered_list_open") == 1

    @given(FOREIGN, FOREIGN)
    def test_a_comment_of_foreign_names(self, name, words):
        """A test, window, metric and reason that attack: tags are closed and no link leads away."""
        bad = replace(verdict("live_heap", "1MB", 2e6), reason=words)
        got = replace(side(Status.FAIL), name=words, verdicts=(*side(Status.FAIL).verdicts, bad))
        shown = comment(told(TestRecord(f"t.py::test_{name}", "failed", (got, got), line=3)))
        plain = CODE.sub("", shown)
        assert set(re.findall(r"</?(\w+)", plain)) <= {"details", "summary", "b", "sub", "code"}
        assert plain.count("<details") == plain.count("</details>")
        assert plain.count("<!--") == 1
        assert not [token for token in inline(shown) if token.type in {"link_open", "image"}]
