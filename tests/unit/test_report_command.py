"""`gomem report`: what is made of JSON reports, without a run."""

from __future__ import annotations

import io
import os
import subprocess
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import calmly, sample_run, sample_tests

from pytest_gomem.commands.cli import main
from pytest_gomem.git.repository import Revision, place_in_repository, revision_of
from pytest_gomem.page.write import write_page
from pytest_gomem.report.failure import DEFAULTS, TextOptions, failure_texts
from pytest_gomem.report.json_report import write_json
from pytest_gomem.report.junit import suite_properties
from pytest_gomem.report.junit_file import write_junit
from pytest_gomem.results.run_record import RunRecord, TestRecord

UPLOAD, RANGE = sample_tests()[:2]


@pytest.fixture
def report(tmp_path, monkeypatch):
    """Runs the command; its status and what it printed to either stream."""
    monkeypatch.chdir(tmp_path)

    def run(*argv: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        return main(["report", *argv], out, err), out.getvalue(), err.getvalue()

    return run


def test_junit_has_what_pytest_writes(report, tmp_path):
    """Each test by pytest's names, its seconds, its headline and text; figures are properties of the suite."""
    tests = [
        replace(UPLOAD, duration=1.25),
        replace(RANGE, duration=0.5),
        TestRecord("a/test_b.py::test_skip", "skipped", ()),
        TestRecord("test_b.py::test_lost[a/b::c]", "crashed", (), reason="its worker died"),
    ]
    write_json(RunRecord("0.1.0", {}, tests), tmp_path / "report.json")
    assert report("report.json", "--junit", "out/junit.xml") == (0, "", "")
    (suite,) = ElementTree.parse(tmp_path / "out/junit.xml").getroot()
    counts = {"name": "pytest", "tests": "4", "failures": "1", "errors": "1", "skipped": "1", "time": "1.750"}
    assert suite.attrib == counts
    cases = suite.findall("testcase")
    assert [(case.get("classname"), case.get("name"), case.get("time")) for case in cases] == [
        ("tests.memory.test_mem", "test_upload", "1.250"),
        ("tests.memory.test_mem.TestDownload", "test_range[first-byte]", "0.500"),
        ("a.test_b", "test_skip", "0.000"),
        ("test_b", "test_lost[a/b::c]", "0.000"),
    ]
    assert [[child.tag for child in case] for case in cases] == [["failure"], [], ["skipped"], ["error"]]
    ((headline, text),) = failure_texts(UPLOAD.windows, UPLOAD.nodeid, TextOptions(report="report.json"))
    assert (cases[0][0].get("message"), cases[0][0].text) == (headline, text)
    assert cases[3][0].get("message") == "its worker died"
    written = [(one.get("name"), one.get("value")) for one in suite.find("properties")]
    assert written == list(suite_properties(tests))


def test_the_page_is_that_of_the_run(report, tmp_path):
    """`-o` is where the page goes; it is made of the JSON alone."""
    run = sample_run()
    write_json(run, tmp_path / "report.json")
    assert report("report.json", "-o", "of_json.html") == (0, "", "")
    write_page(replace(run, exit_status=None), tmp_path / "of_run.html", "--gomem-html")
    of_run = (tmp_path / "of_run.html").read_text()
    assert len(of_run) > 50_000
    assert (tmp_path / "of_json.html").read_text() == of_run


OUTCOMES = ("passed", "failed", "skipped", "not run")


@calmly
@given(st.lists(st.builds(TestRecord, st.text(), st.sampled_from(OUTCOMES), st.just(()), reason=st.text())))
def test_junit_is_xml_whatever_a_test_is_called(tmp_path_factory, tests):
    """Also control characters, and what no encoding has."""
    path, run = tmp_path_factory.getbasetemp() / "any.xml", RunRecord("0.1.0", {}, tests, problems=("\x00\ud800",))
    write_junit(run, path, DEFAULTS)
    (suite,) = ElementTree.parse(path).getroot()
    assert len(suite.findall("testcase")) == len(tests) + 1


def test_a_report_needs_something_to_write(report, tmp_path):
    write_json(sample_run(), tmp_path / "report.json")
    status, out, err = report("report.json")
    assert (status, out) == (2, "")
    assert err.startswith("gomem report: say what to write, such as --junit PATH; ")


def test_each_place_that_cannot_be_written_is_named(report, tmp_path):
    """With its option."""
    write_json(sample_run(), tmp_path / "report.json")
    options = {"--html": "page", "--markdown": "comment", "--gitlab": "file for GitLab", "--junit": "JUnit file"}
    status, _, err = report("report.json", *(word for option in options for word in (option, "report.json/it")))
    assert status == 2
    for option, what in options.items():
        assert f"{option}: the {what} cannot be written to report.json/it" in err


def test_what_cannot_be_written_keeps_nothing_else_back(report, tmp_path):
    """Each place by the option that names it here; the files for GitLab and the annotations are there."""
    write_json(sample_run(), tmp_path / "report.json")
    places = "--markdown", "report.json/comment.md", "--html", "report.json/page.html"
    status, out, err = report("report.json", *places, "--gitlab", "out", "--annotations")
    assert status == 2
    assert "\n--markdown: the comment cannot be written to report.json/comment.md: " in err
    assert err.startswith("gomem report: --html: the page cannot be written to report.json/page.html: ")
    assert "::error " in out
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_options_may_stand_between_the_reports(report, tmp_path):
    """Whoever adds a report at the end of a command means it."""
    write_json(sample_run(), tmp_path / "report.json")
    _, _, err = report("merge", "report.json", "--junit", "junit.xml", "missing.json")
    assert err.startswith("gomem report: missing.json: cannot be read")


@pytest.mark.parametrize("option", ["-o", "--junit", "--gitlab"])
def test_a_dash_is_no_file(report, tmp_path, option):
    """Somebody who means stdout gets no file of that name."""
    write_json(sample_run(), tmp_path / "report.json")
    status, out, err = report("merge", "report.json", option, "-")
    assert (status, out) == (2, "")
    assert "only --markdown writes to stdout: name a path" in err
    assert not (tmp_path / "-").exists()


def test_a_run_knows_its_commit_and_its_place(tmp_path, monkeypatch):
    """The whole hash, "-dirty" if tracked files differ, and the folder below the top; without git nothing."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "a")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "a@example.com")
    top, below = tmp_path / "top", tmp_path / "top" / "services" / "api"
    below.mkdir(parents=True)
    (below / "main.go").write_text("package main\n")
    assert (str(revision_of(below)), place_in_repository(below)) == ("", "")
    for words in ("init -q", "add .", "commit -qm a"):
        subprocess.run(["git", *words.split()], cwd=top, check=True, env=os.environ)
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=top, text=True).strip()
    (below / "untracked").touch()
    assert (str(revision_of(below)), place_in_repository(below)) == (head, "services/api")
    (below / "main.go").write_text("package api\n")
    assert (str(revision_of(top)), place_in_repository(top)) == (f"{head}-dirty", "")


def test_a_git_that_hangs_holds_no_run(tmp_path, monkeypatch):
    """The commit is still known, by which shards are merged."""
    (tmp_path / "git").write_text('#!/bin/sh\ncase "$*" in *status*) exec sleep 60;; *) echo abc;; esac\n')
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("pytest_gomem.git.repository._FACT_SECONDS", 0.5)
    assert revision_of(tmp_path) == Revision("abc", "abc", False)
