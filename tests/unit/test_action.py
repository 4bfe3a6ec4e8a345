"""The actions and the workflows to copy: what they run, in an imitated step, and that nothing in a value is code."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from actions_runner import Job

from pytest_gomem.commands.cli import COMMANDS
from pytest_gomem.commands.report import _merge_parser, _parser
from pytest_gomem.plugin.options import OPTIONS

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action"
EXAMPLES = sorted((ROOT / "examples/ci").glob("*.yml"))
HOSTILE = '"; touch owned; echo "$(touch owned)`touch owned`${{ x }}'
# Records its arguments, one a line, and ends with the status that the test asks for.
STUB = """#!/usr/bin/env bash
printf '%s\\n' "$(basename "$0")" "$@" "" >> "$STUB_LOG"
case "$(basename "$0") $1" in
  "gomem compare"|"pytest "*) for one in "$@"; do
    case "$one" in --gomem-json=*) mkdir -p "$(dirname "${one#*=}")"; echo {} > "${one#*=}";; esac
  done; exit "${STUB_STATUS:-0}";;
  "python3 -m") mkdir -p "$3/bin"; cp "$0" "$3/bin/python";;
esac
"""
# Answers as GitHub's own command would: a pull request of that head, and the comments that the test gives.
GH = """#!/usr/bin/env bash
printf '%s\\n' "$@" >> "$STUB_LOG"
for one in "$@"; do case "$one" in --input) cat > "$STUB_LOG.body";; esac; done
filter=.; while [ $# -gt 0 ]; do case "$1" in --jq) filter=$2;; repos/*) path=$1;; esac; shift; done
case "$path" in
  */pulls) jq -r "$filter" <<< "$STUB_PULLS";;
  */issues/7/comments) [ -f "$STUB_LOG.body" ] || jq -r "$filter" <<< "$STUB_COMMENTS";;
esac
"""
needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="GitHub's runners have jq, this machine has not")


@pytest.fixture
def job(tmp_path):
    """A job in a workspace, whose commands are stubs; `said` gives their arguments."""
    for folder in ("workspace/sub dir", "temp", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("gomem", "pytest", "python3"):
        (tmp_path / "bin" / name).write_text(STUB)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "bin/gh").write_text(GH)
    (tmp_path / "bin/gh").chmod(0o755)
    environment = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "STUB_LOG": str(tmp_path / "log")}
    return Job(tmp_path / "workspace", tmp_path / "temp", environment)


def said(job) -> list[list[str]]:
    """The commands that ran, with their arguments."""
    whole = Path(job.environment["STUB_LOG"]).read_text()
    return [command.split("\n") for command in whole.rstrip("\n").split("\n\n")]


class TestCompare:
    def test_by_default_it_compares_with_the_base(self, job):
        """It installs into an environment of its own, writes each report, and uploads the folder."""
        uploads = []
        job.uses = lambda action, given: uploads.append((action, given))
        outputs = job.run_action(ACTION)
        folder = job.workspace / "gomem-report"
        venv = job.temp / "gomem-venv"
        assert not job.failed, job.log
        assert said(job) == [
            ["python3", "-m", "venv", str(venv)],
            ["python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--", "pytest-gomem[report]"],
            ["gomem", "compare", "HEAD^", f"--gomem-json={folder}/gomem.json", f"--gomem-markdown={folder}/comment.md",
             f"--junit-xml={folder}/junit.xml", f"--gomem-artifacts={folder}/files", "--gomem-ci=auto"],
            ["gomem", "report", f"{folder}/gomem.json", "--html", f"{folder}/page.html"],
        ]  # fmt: skip
        assert job.environment["PATH"].startswith(f"{venv}/bin:")
        assert outputs == {
            "status": "0", "report": f"{folder}/gomem.json", "comment": f"{folder}/comment.md",
            "page": f"{folder}/page.html",
        }  # fmt: skip
        ((action, given),) = uploads
        assert action == "actions/upload-artifact@v4"
        assert (given["name"], given["path"]) == ("memory", str(folder))

    def test_a_failure_fails_the_step_and_is_uploaded(self, job):
        """The status is that of the run; without a report there is no page, and without a name no artifact."""
        uploads = []
        job.uses = lambda action, given: uploads.append(given["path"])
        job.environment["STUB_STATUS"] = "1"
        outputs = job.run_action(ACTION, packages="", key="arm64", args="-k\nupload\n\n-x")
        assert job.failed
        assert outputs["status"] == "1"
        assert uploads == [str(job.workspace / "gomem-report")]
        assert said(job)[0][-4:] == ["--gomem-markdown-key=arm64", "-k", "upload", "-x"]

    def test_with_baselines_it_is_pytest(self, job):
        """Where nothing is named to compare with; the folder may have blanks."""
        job.run_action(ACTION, against="", packages="", artifact="", **{"working-directory": "sub dir"})
        assert said(job)[0][:2] == ["pytest", f"--gomem-json={job.workspace}/sub dir/gomem-report/gomem.json"]

    @pytest.mark.parametrize("name", ["against", "args", "packages", "folder", "key"])
    def test_a_value_is_never_code(self, job, name):
        """A branch, a label or a title may be anything."""
        job.run_action(ACTION, **{name: HOSTILE})
        assert not list(job.workspace.parent.rglob("owned"))
        assert HOSTILE in Path(job.environment["STUB_LOG"]).read_text()


@needs_jq
class TestComment:
    MARKER = "<!-- pytest-gomem -->"

    def post(self, job, text, number="", comments=(), pulls=(("abc", 7),)):
        """Run the action for a comment of this text; gives what was sent, if anything was."""
        file = job.temp / "comment.md"
        file.write_text(text)
        job.environment |= {
            "STUB_PULLS": json.dumps([{"number": one, "head": {"sha": sha}} for sha, one in pulls]),
            "STUB_COMMENTS": json.dumps(
                [{"id": at, "user": {"type": kind}, "body": body} for at, (kind, body) in enumerate(comments, 40)]
            ),
        }
        job.context["github"] = {
            "repository": "me/app",
            "token": "secret",
            "event": {
                "workflow_run": {
                    "head_sha": "abc",
                    "head_branch": "a;b",
                    "head_repository": {"owner": {"login": "you"}},
                }
            },
        }
        job.run_action(ACTION / "comment", file=str(file), number=number)
        sent = Path(job.environment["STUB_LOG"] + ".body")
        return json.loads(sent.read_text())["body"] if sent.exists() else None

    def test_it_finds_the_pull_request_by_the_event(self, job):
        """By owner, branch and commit of its head; a fork's event names no number. Mentions are none."""
        assert self.post(job, f"{self.MARKER}\nfor @everyone") == f"{self.MARKER}\nfor @\N{WORD JOINER}everyone"
        calls = Path(job.environment["STUB_LOG"]).read_text()
        assert "repos/me/app/pulls\n-f\nstate=open\n-f\nhead=you:a;b\n" in calls
        assert "POST\nrepos/me/app/issues/7/comments\n" in calls
        assert "commented on pull request 7" in job.log

    def test_it_updates_its_own_comment(self, job):
        """The one of a bot with the same marker, whatever people have written."""
        comments = [
            ("User", f"{self.MARKER}\nforged"),
            ("Bot", "<!-- pytest-gomem arm64 -->\nof another job"),
            ("Bot", f"{self.MARKER}\nold"),
        ]
        assert self.post(job, f"{self.MARKER}\nnew", number="7", comments=comments) == f"{self.MARKER}\nnew"
        assert "PATCH\nrepos/me/app/issues/comments/42\n" in Path(job.environment["STUB_LOG"]).read_text()

    def test_a_newer_commit_has_its_own(self, job):
        """Where no open pull request is at the commit that was measured, nothing is posted."""
        assert self.post(job, f"{self.MARKER}\nold", pulls=[("def", 7)]) is None
        assert not job.failed

    @pytest.mark.parametrize(
        "text",
        ["no marker", "<!-- pytest-gomem a b -->\nx", "<!-- pytest-gomem --> more\nx", MARKER + "\n" + "x" * 300_000],
        ids=["none", "key", "more", "size"],
    )
    def test_what_is_no_comment_of_ours_is_refused(self, job, text):
        """The artifact of a fork may hold anything."""
        assert self.post(job, text) is None
        assert job.failed

    def test_a_link_is_no_comment(self, job):
        """It could lead to a file of the runner."""
        (job.temp / "secret").write_text(f"{self.MARKER}\nsecret")
        (job.temp / "comment.md").symlink_to(job.temp / "secret")
        job.environment |= {"STUB_PULLS": "[]", "STUB_COMMENTS": "[]"}
        job.run_action(ACTION / "comment", file=str(job.temp / "comment.md"), number="7")
        assert not job.failed
        assert not Path(job.environment["STUB_LOG"]).exists()


def every_run(data):
    """The scripts in a workflow or action, and its `uses`."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key in ("run", "uses") and isinstance(value, str):
                yield key, value
            elif key == "script":
                yield from (("run", line) for line in value)
            else:
                yield from every_run(value)
    elif isinstance(data, list):
        for one in data:
            yield from every_run(one)


@pytest.mark.parametrize("path", [*EXAMPLES, *sorted(ACTION.rglob("action.yml"))], ids=lambda path: path.stem)
def test_a_workflow_names_what_exists(path):
    """Its commands, their options, our actions and their inputs; other actions are pinned to a major version."""
    data = yaml.safe_load(path.read_text())
    found = list(every_run(data))
    assert found
    ours = {option.flag for option in OPTIONS} | {"--junit-xml"}
    known = {"report": _parser(), "merge": _merge_parser()}
    for kind, text in found:
        if kind == "uses":
            assert re.fullmatch(r"(actions/[a-z-]+|OWNER/pytest-gomem/action(/comment)?)@v\d+", text)
            continue
        assert "${{" not in text
        for line in text.replace("\\\n", " ").splitlines():
            words = re.findall(r"--gomem-[a-z-]+", line)
            assert set(words) <= ours, line
            command = re.search(r"(?:^|/| )gomem (\S+) (.*)", line)
            if command is None or path.name == "action.yml":
                continue
            name, rest = command.groups()
            assert name in COMMANDS
            if name == "report":
                _, *given = shlex.split(rest)
                known["merge"].parse_args(given)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_uses_our_action_as_it_is(path):
    """Each input that it gives is one, and a job that others' code runs in may write nothing."""
    data = yaml.safe_load(path.read_text())
    jobs = data["jobs"].values() if "jobs" in data else ()
    for step in (step for job in jobs for step in job["steps"]):
        folder = re.fullmatch(r"OWNER/pytest-gomem/(action.*)@v\d+", step.get("uses", ""))
        if folder:
            inputs = yaml.safe_load((ROOT / folder[1] / "action.yml").read_text())["inputs"]
            assert set(step["with"]) <= set(inputs)
    if data.get(True) == "pull_request":  # YAML 1.1 reads the key `on` so
        assert data["permissions"] == {"contents": "read"}
    if path.stem == "github-comment":
        assert data["permissions"] == {}
        assert not any("checkout" in text for _, text in every_run(data))
