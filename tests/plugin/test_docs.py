"""The documentation is true: its blocks run, its names exist, and what exists has its place in it.

How a block is completed:
- `yaml` that says `version:` is a whole gomem.yaml, and the project of the python blocks below it; any other gets the
  version, and a service `api` or the place under it.
- `python` is a test file; one that begins with `# conftest.py` goes into the project's conftest.py, and one without a
  function is the body of a test. The project has examples/go_service as ./cmd/api, tests/programs/hold as ./cmd/report.
- `sh` runs line by line in the README's project, but for pip (judged by pyproject.toml) and make (run by .ci/run).
- The tutorial is a project of its own, which a test goes through as a reader does.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import json
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from xml.etree import ElementTree

import pytest
from shell import shell

import pytest_gomem as gm
from pytest_gomem import testing
from pytest_gomem.base.errors import ConfigErrors
from pytest_gomem.base.units import UNITS
from pytest_gomem.commands import cli
from pytest_gomem.config import accepted, arguments, budgets, services
from pytest_gomem.config import gc_settings as gc
from pytest_gomem.config import gomem_yaml as file
from pytest_gomem.config.gomem_yaml import load_config
from pytest_gomem.git.repository import Revision
from pytest_gomem.history.entry import VERSION, Entry, to_line
from pytest_gomem.history.file import append
from pytest_gomem.launch.ports import accepts, free_ports
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.plugin import fixtures, hookspecs, options
from pytest_gomem.plugin.use import MARKERS
from pytest_gomem.report.json_report import report_schema
from pytest_gomem.session.gomem import Gomem, Launchpad
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.service import Service
from pytest_gomem.stats.decision import Status

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PICTURES = ROOT / "docs" / "pictures"
TUTORIAL = ROOT / "docs" / "tutorial.md"
PYTEST = f"{sys.executable} -m pytest -p no:cacheprovider"
UNITS_OF = Registry(builtin_metrics()).units()
# What the plugin itself needs of the objects that tests hold.
NOT_FOR_TESTS = {
    Service: {
        "process",
        "name",
        "window",
        "windows_opened",
        "is_shared",
        "is_unmeasured",
        "check_alive",
        "module",
        "hidden",
        "shown_log",
    },
    Gomem: {
        "close",
        "open",
        "close_window",
        "has_open_window",
        "follow_up",
        "run_config",
        "judging",
        "measurements",
        "plan",
        "instruments",
        "services",
    },
    Measurement: {
        "profiles",
        "fill",
        "save_artifacts",
        "skip",
        "accuse",
        "add",
        "allocated",
        "grown",
        "keep_log",
        "observed_budgets",
        "retention",
        "trace",
        "count_objects",
        "takes_profiles",
        "unseen",
    },
}
# The README's test breaks its budgets, to show how that reads.
EXIT_STATUS = {"gomem compare HEAD": 1, "gomem baseline update": 1}
# What these tell is the same after fewer rounds than they run by themselves.
BRIEFLY = {"PYTEST_ADDOPTS": "-p no:hypothesispytest -p no:benchmark --gomem-rounds=3 --gomem-confirm=3"}
BRIEF = {"gomem compare HEAD", "gomem baseline update"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, and the line that its fence stands in."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.stem.lower()}_{self.line}"

    @property
    def is_project(self) -> bool:
        return self.language == "yaml" and "version:" in self.text and not self.text.startswith("# ")

    @property
    def is_pipeline(self) -> bool:
        """tests/plugin/test_pipelines.py runs it."""
        return self.text.startswith("# .git")


def blocks(page: Path, language: str = "") -> list[Block]:
    text = page.read_text()
    found = re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    every = [Block(page, text[: match.start()].count("\n") + 1, match[1], match[2]) for match in found]
    return [block for block in every if language in ("", block.language)]


def every_block(language: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page, language)]


def table(page: str, section: str) -> list[list[str]]:
    """The rows of the first table under a heading, each a list of its cells."""
    text = (ROOT / page).read_text()
    body = re.search(rf"^#+ {re.escape(section)}\n(.*?)(?=^#+ |\Z)", text, re.DOTALL | re.MULTILINE)
    assert body, f"{page} has no section '{section}'"
    rows = re.search(r"^\|[-| ]+\|\n((?:\|.*\n?)+)", body[1], re.MULTILINE)
    assert rows, f"'{section}' of {page} has no table"
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[1].splitlines()]


def names(page: str, section: str) -> set[str]:
    """Every word in backticks in the first column of a section's table."""
    return {name for row in table(page, section) for name in re.findall(r"`([^`]+)`", row[0])}


# Projects


@dataclass
class Project:
    """A gomem.yaml of a page with the python blocks that are to run under it."""

    page: Path
    yaml: str
    tests: list[Block] = field(default_factory=list)
    conftests: list[Block] = field(default_factory=list)


def projects() -> Iterator[Project]:
    usual = next(block.text for block in blocks(PAGES[0]) if block.is_project)
    for page in PAGES[1:]:
        if page == TUTORIAL:
            continue
        found = [Project(page, usual)]
        for block in blocks(page):
            if block.is_project:
                found.append(Project(page, block.text))
            elif block.language == "python":
                is_conftest = block.text.startswith("# conftest.py")
                (found[-1].conftests if is_conftest else found[-1].tests).append(block)
        yield from (project for project in found if project.tests or project.conftests)


def write_project(folder: Path, yaml: str) -> None:
    """The Go module, gomem.yaml and an empty pytest.ini."""
    programs = ROOT / "tests" / "programs"
    (folder / "go.mod").write_text((programs / "go.mod").read_text())
    shutil.copytree(programs / "internal", folder / "internal")
    for source, name in ((ROOT / "examples" / "go_service", "api"), (programs / "hold", "report")):
        (folder / "cmd" / name).mkdir(parents=True)
        for path in source.glob("*.go"):
            shutil.copy(path, folder / "cmd" / name)
    (folder / "gomem.yaml").write_text(yaml)
    (folder / "pytest.ini").write_text("[pytest]\n")


def as_test(block: Block) -> str:
    """A whole test file."""
    if re.search(r"^def ", block.text, re.MULTILINE):
        return block.text
    return f"def test_{block.name}():\n{textwrap.indent(block.text, '    ')}"


@pytest.fixture
def project(scenario):
    """Lays a project out in the scenario's folder."""

    def make(yaml: str):
        made = scenario("")
        (made.folder / "test_it.py").unlink()
        write_project(made.folder, yaml)
        return made

    return make


# What is written runs


@pytest.mark.parametrize("page_project", [*projects()], ids=lambda p: f"{p.page.stem}-{len(p.tests)}")
def test_python_blocks_run(request, project, page_project):
    """Every python block of docs/ passes as it stands, in the project of the page."""
    if "memory_limit" in page_project.yaml:
        request.getfixturevalue("memory_groups")
    made = project(page_project.yaml)
    (made.folder / "conftest.py").write_text("\n".join(block.text for block in page_project.conftests))
    for block in page_project.tests:
        (made.folder / f"test_{block.name}.py").write_text(as_test(block))
    outcome = made.run("-ra")
    assert outcome.status == 0, outcome.text
    for block in page_project.tests:
        assert f"test_{block.name}.py " in outcome.text


@pytest.mark.parametrize(
    "block", [block for block in every_block("yaml") if not block.is_pipeline], ids=lambda b: b.name
)
def test_yaml_blocks_load(tmp_path, block):
    """Every yaml block is a gomem.yaml, or the file that its first line names, without mistakes."""
    if block.text.startswith(f"# {accepted.FILE}"):
        (tmp_path / accepted.FILE).write_text(block.text)
        found = accepted.read_accepted(tmp_path / accepted.FILE, UNITS_OF)
        assert found.limits or found.leaks
    else:
        load_config(written(tmp_path, block.text), UNITS_OF)


@pytest.mark.parametrize("row", table("docs/configuration.md", "What is refused"), ids=lambda row: row[0].strip("`"))
def test_refusals(tmp_path, row):
    """What the documentation calls refused is refused, in the words it gives."""
    with pytest.raises(ConfigErrors) as refused:
        load_config(written(tmp_path, row[0].strip("`")), UNITS_OF)
    assert row[1] in str(refused.value)


def written(folder: Path, text: str) -> Path:
    """A gomem.yaml of a fragment: a whole file, top-level keys, or keys of a service."""
    key = text.partition(":")[0]
    service = "services:\n  api:\n    build: ./cmd/api\n"
    if key == "budgets":
        text = f"version: 1\n{service}{text}"
    elif key not in ("version", "services"):
        text = f"version: 1\n{service}{textwrap.indent(text, '    ')}"
    elif key == "services":
        text = f"version: 1\n{text}"
    path = folder / "gomem.yaml"
    path.write_text(text + "\n")
    return path


# The README


@pytest.fixture(scope="module")
def readme_folder(tmp_path_factory, binaries) -> Path:
    """The README's project, with a ./job and two profiles as its commands name them."""
    folder = tmp_path_factory.mktemp("readme")
    yaml, test = blocks(PAGES[0], "yaml")[0].text, blocks(PAGES[0], "python")[0].text
    write_project(folder, yaml)
    (folder / "job").write_text(f"#!/bin/sh\nexec {binaries('hold')} --mb 10 --for 50ms\n")
    (folder / "job").chmod(0o755)
    shutil.copy(binaries("server"), folder / "served")
    (folder / "test_profiles.py").write_text(profiles_block().text)
    assert shell(folder, f"{PYTEST} --gomem-json=report.json").returncode == 0
    (folder / "test_profiles.py").unlink()
    # What one command makes for another, which may come first, or on another worker of xdist.
    shutil.copy(folder / "after.pb.gz", folder / "heap.pb.gz")
    (folder / "test_memory.py").write_text(test)
    append(folder / "gomem_history.jsonl", [history_entry()])
    for words in ("init --quiet", "add go.mod cmd internal", "commit --quiet --message=all"):
        assert shell(folder, f"git -c user.name=a -c user.email=a@example.com {words}").returncode == 0
    return folder


def history_entry() -> Entry:
    """A run as --gomem-history keeps it."""
    return Entry(
        time=datetime(2026, 11, 24, tzinfo=timezone.utc),
        revision=Revision("0a1b2c3d4e", "main", False),
        nodeid="test_memory.py::test_logs",
        window="test",
        service="api",
        complete=True,
        conditions={},
        facts={},
        metrics={"live_heap": 236e6},
        units={"live_heap": "bytes"},
    )


def profiles_block() -> Block:
    return next(block for block in every_block("python") if "before.pb.gz" in block.text)


@contextlib.contextmanager
def served(folder: Path, command: str) -> Iterator[str]:
    """The command, with the service that it calls localhost:6060 where it needs one."""
    if "localhost:6060" not in command:
        yield command
        return
    (port,) = free_ports(["pprof"]).values()
    service = subprocess.Popen([folder / "served", "--pprof", "--listen", f"127.0.0.1:{port}"])
    try:
        while not accepts(port):
            assert service.poll() is None
        yield command.replace("localhost:6060", f"127.0.0.1:{port}").replace("--for 60s", "--for 5s")
    finally:
        service.kill()
        service.wait()


def commands() -> list[str]:
    """One that stands on two pages once, and none that the tests of failures run."""
    lines = [line for block in every_block("sh") for line in block.text.splitlines()]
    every = dict.fromkeys(shlex.join(words) for line in lines if (words := shlex.split(line, comments=True)))
    return [command for command in every if command != "pytest"]


@pytest.mark.parametrize("command", commands())
def test_sh_blocks_run(readme_folder, command):
    """Every command of the documentation does what a reader expects: it ends well."""
    words = shlex.split(command)
    if words[:2] == ["pip", "install"]:
        assert_installable(words[2])
    elif words[0] == "make":
        whole = {"make quick": "make test"}.get(command, command)
        assert re.search(rf"^{whole}\b", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    else:
        if words[:2] == ["gomem", "init"]:  # what it writes is tried by tests/integration/test_init_command.py
            readme_folder, command = without_ours(readme_folder), f"{command} --yes --no-try"
        with served(readme_folder, command) as runnable:
            done = shell(readme_folder, runnable, **(BRIEFLY if command in BRIEF else {}))
        assert done.returncode == EXIT_STATUS.get(command, 0), done.stdout


def without_ours(folder: Path) -> Path:
    """The Go module of the README's project before anything of ours is in it."""
    new = folder.with_name(f"{folder.name}-new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(folder / "cmd" / "api", new / "cmd" / "api")
    shutil.copy(folder / "go.mod", new)
    return new


def assert_installable(requirement: str) -> None:
    text = (ROOT / "pyproject.toml").read_text()
    name, extra = re.fullmatch(r"([\w-]+)(?:\[(\w+)\])?", requirement).groups()
    assert f'name = "{name}"' in text
    assert extra is None or extra in pyproject_names("project.optional-dependencies")


def test_failure_in_the_readme_is_real(readme_folder):
    """Each line of the picture that the README shows is printed by its test, but for the figures.

    The small rows of the bill come and go from run to run.
    """
    prompt, *shown = pictured_lines(PICTURES / "failure.svg")
    assert prompt == "$ pytest"
    without_rules = (re.sub("(=|_){5,}", "", line).strip() for line in shown)
    kept = [line for line in without_rules if line not in ("", "...") and not line.endswith("at the opening")]
    assert_fails_as_shown(readme_folder, kept)


def pictured_lines(picture: Path) -> list[str]:
    """The lines of text in a picture of a terminal, with one blank between their parts."""
    lines = dict[str, list[str]]()
    for run in ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text"):
        lines.setdefault(run.attrib["y"], []).append(run.text)
    return [" ".join(runs) for runs in lines.values()]


def test_pipeline_in_the_readme():
    """The README's recipe is that of docs/ci.md, whose commands are run by a test, without what it keeps."""
    short, whole = (
        next(block.text.splitlines() for block in blocks(page, "yaml") if block.is_pipeline)
        for page in (PAGES[0], ROOT / "docs" / "ci.md")
    )
    for line in short:
        assert any(known.startswith(line) for known in whole), line


def test_tutorial(tmp_path, go):
    """A reader of the tutorial sees the failure that it shows, and none after the repair."""
    service, repair = blocks(TUTORIAL, "go")
    (tmp_path / "go.mod").write_text("module shop\n")
    (tmp_path / "gomem.yaml").write_text(blocks(TUTORIAL, "yaml")[0].text)
    (tmp_path / "test_memory.py").write_text(blocks(TUTORIAL, "python")[0].text)
    (tmp_path / "main.go").write_text(service.text)
    _, failure, passed = blocks(TUTORIAL, "text")
    assert_fails_as_shown(tmp_path, [line for line in failure.text.splitlines() if line.strip()])
    (tmp_path / "main.go").write_text(re.sub(r".*= append.*\n", repair.text, service.text))
    done = shell(tmp_path, PYTEST, COLUMNS="80")
    assert done.returncode == 0, done.stdout
    assert re.search(without_figures(passed.text.splitlines()[-1]), done.stdout), done.stdout


def assert_fails_as_shown(folder: Path, shown: list[str]) -> None:
    done = shell(folder, f"{PYTEST} --gomem-diagnose=20", COLUMNS="112")  # as wide as the picture
    assert done.returncode == 1, done.stdout
    assert len(shown) > 5
    for line in shown:
        assert re.search(without_figures(line), done.stdout), f"{line}\n\n{done.stdout}"


_FIGURE = r"\d+(?:\.\d+)?[kM]?(?: (?:[kMG]?B|[mun]?s)\b)?"


_BETWEEN = rf"between\s+{_FIGURE}\s+and\s+{_FIGURE}"


def without_figures(line: str) -> str:
    """A pattern of the line in which each figure with its unit, and the room between words, is free.

    A moment that a sample hit is told as "at", one between two samples as "between".
    """
    pieces = re.split(rf"({_FIGURE})", " ".join(line.split()))
    pattern = "".join(_FIGURE if i % 2 else re.escape(piece).replace(r"\ ", r"\s+") for i, piece in enumerate(pieces))
    return pattern.replace(_BETWEEN, rf"(?:{_BETWEEN}|at\s+{_FIGURE})")


# What exists is documented, and the other way round


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_use_the_face_alone(page):
    """A reader depends on public names, and on no module that is free to move."""
    text = page.read_text()
    assert set(re.findall(r"pytest_gomem(?:\.\w+)+", text)) <= {"pytest_gomem.testing"}
    imported = ", ".join(re.findall(r"from pytest_gomem import (.+)", text)).split(", ")
    assert {*filter(None, imported), *re.findall(r"\bgm\.(\w+)", text)} <= set(gm.__all__)


def test_names_in_python():
    """docs/python.md lists the public names, and those alone."""
    sections = ("What a test holds", "Errors", "Metrics and sources", "Units", "Records")
    listed = {name for section in sections for name in names("docs/python.md", section)}
    assert listed == set(gm.__all__) - {"__version__"}
    assert names("docs/python.md", "Fakes") == set(testing.__all__)


def test_options():
    """The table of options is the one in the code; no page names another."""
    rows = table("docs/configuration.md", "Options")
    written_down = {(re.sub(r"=.*", "", flag.strip("`")), ini.strip("`")) for flag, ini, _ in rows}
    assert written_down == {(o.flag, o.ini) for o in options.OPTIONS} | {(options.METRICS_FLAG, "")}
    named = {flag for page in PAGES for flag in re.findall(r"--gomem-[a-z-]+", page.read_text())}
    assert named <= {flag for flag, _ in written_down}


def decorated(module, decorator: str) -> set[str]:
    tree = ast.parse(Path(module.__file__).read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {f.name for f in functions if any(decorator in ast.unparse(d) for d in f.decorator_list)}


def test_fixtures_markers_and_hooks():
    """Each has its place in the documentation, and no page names a gomem_ thing that does not exist."""
    every_fixture, hooks = decorated(fixtures, "pytest.fixture"), decorated(hookspecs, "hookspec")
    assert names("docs/fixtures.md", "Fixtures") == every_fixture
    assert {
        name.partition("(")[0] for name in names("docs/extending.md", "Add your own metrics, sources and reporters")
    } == hooks
    text = "\n".join(page.read_text() for page in PAGES)
    assert set(re.findall(r"pytest\.mark\.(gomem\w*)", text)) == set(MARKERS)
    known = every_fixture | set(MARKERS) | hooks | {o.ini for o in options.OPTIONS}
    found = set(re.findall(r"(?<![\w.-])((?:pytest_)?gomem_[a-z_]+)(?![\w-])", text))
    assert found <= known | {"pytest_gomem", "gomem_baselines", Path(accepted.FILE).stem}, found - known


def test_metrics():
    """docs/metrics.md lists the metrics that there are, each once, and those alone."""
    text = (ROOT / "docs" / "metrics.md").read_text()
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == sorted(UNITS_OF)


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("The file", {"version", "services", "budgets", "ignore_goroutines"}),
        ("A service", set(services._KEYS)),
        ("build", {"package", "flags", "tags", "env"}),
        ("ready", {"http", "tcp", "log", "port", "timeout"}),
        ("GC settings", set(gc.GC_KEYS)),
        ("Budgets", set(budgets._LIMITS)),
    ],
)
def test_configuration_keys(section, keys):
    """Every key of gomem.yaml stands in its table."""
    assert names("docs/configuration.md", section) == keys
    assert file.VERSION == 1


def test_accepted_keys():
    """Every key of gomem_accepted.yaml's entries stands in its table."""
    assert names("docs/accept.md", "An entry") == set(accepted._KEYS)


def test_units():
    """Every suffix of a quantity is named."""
    suffixes = {suffix for unit in UNITS.values() for suffix in unit.suffixes}
    cells = " ".join(row[1] for row in table("docs/configuration.md", "Units"))
    assert {name for name in re.findall(r"`([^`]+)`", cells) if not name.startswith("/")} == suffixes


@pytest.mark.parametrize("kind", [Service, Gomem, Measurement], ids=lambda kind: kind.__name__)
def test_objects_of_tests(kind):
    """What a test may use of an object is in its table, and the table names nothing else."""
    public = {name for name in {*dir(kind), *instance_names(kind)} if not name.startswith("_")}
    written_down = {re.match(r"\.?(\w+)", name)[1] for name in names("docs/fixtures.md", kind.__name__)} - {"m"}
    assert written_down == public - NOT_FOR_TESTS[kind]


@pytest.mark.parametrize("kind", [Service, Gomem, Launchpad, Measurement], ids=lambda kind: kind.__name__)
def test_calls_of_tests_are_checked(kind):
    """Each method that a test may give arguments names and types them all, and says a mistake at the test's line."""
    hidden = NOT_FOR_TESTS.get(kind) or NOT_FOR_TESTS[Gomem]
    public = {name: method for name, method in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}
    taking = {n: m for n, m in public.items() if n not in hidden and len(inspect.signature(m).parameters) > 1}
    assert taking
    for name, method in taking.items():
        assert Path(method.__code__.co_filename) == Path(arguments.__file__), f"{name} is not checked"
        _, kinds = arguments.declared(inspect.unwrap(method))
        free = {p.name for p in inspect.signature(method).parameters.values() if "object" in (p.annotation, p.name)}
        assert {*kinds, *free, "self"} == {*inspect.signature(method).parameters}, name


def instance_names(kind: type) -> set[str]:
    """The attributes that the __init__ of a class and of its bases set."""
    sources = [inspect.getsource(base.__init__) for base in kind.__mro__ if base is not object]
    return {name for source in sources for name in re.findall(r"self\.(\w+)(?::| =)", source)}


def test_reports():
    """Every key of a window in the JSON report, and every status of a verdict, is explained."""
    assert names("docs/reports.md", "JSON") == set(report_schema()["$defs"]["window"]["properties"])
    assert names("docs/reports.md", "Verdicts") == {status.value for status in Status}


def test_history():
    """Every key of a line of the history is explained."""
    line = json.loads(to_line(history_entry()))
    assert names("docs/history.md", "Keep a history") == set(line)
    assert line["history_version"] == VERSION


def test_commands():
    """The table of commands has every command of `gomem`, and no page names another."""
    assert {name.split()[1] for name in names("docs/commands.md", "Commands")} == set(cli.COMMANDS)
    named = {name for page in PAGES for name in re.findall(r"(?:^|`)gomem ([a-z]+)\b", page.read_text(), re.MULTILINE)}
    assert named == set(cli.COMMANDS)


def test_dependencies():
    """Each dependency and extra of pyproject.toml says why it is there, and none is invented."""
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE)
    assert set(rows) == pyproject_names("project") | pyproject_names("project.optional-dependencies")


def pyproject_names(section: str) -> set[str]:
    """The names of the dependencies, or of the extras (tomllib is newer than the oldest Python)."""
    text = (ROOT / "pyproject.toml").read_text()
    body = re.search(rf"^\[{re.escape(section)}\]\n(.*?)(?=^\[)", text, re.DOTALL | re.MULTILINE)[1]
    if section == "project":
        return set(
            re.findall(r'"(\w+)[>=]', re.search(r"^dependencies = \[\n(.*?)^\]", body, re.DOTALL | re.MULTILINE)[1])
        )
    return set(re.findall(r"^(\w+) = ", body, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links(page):
    """Every link within the repository leads somewhere, to a heading too."""
    for target in re.findall(r"""(?:\]\(|src(?:set)?=")(?!https?:)([^)"]+)[)"]""", page.read_text()):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_index():
    """docs/README.md names every other page, each once."""
    listed = re.findall(r"^- \[[^]]+\]\(([\w/]+\.md)\)", (ROOT / "docs" / "README.md").read_text(), re.MULTILINE)
    pages = [page.relative_to(ROOT / "docs") for page in PAGES[1:] if page.stem != "README"]
    assert sorted(listed) == sorted(map(str, pages))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
