"""`gomem init`: what it finds and writes, what it refuses, and what it asks in a terminal. Nothing is built here."""

from __future__ import annotations

import ast
import io
import os
import sys
from pathlib import Path

import pytest

from pytest_gomem.base.units import BYTES, BYTES_PER_OP, COUNT_PER_OP
from pytest_gomem.commands.cli import main
from pytest_gomem.config.gomem_yaml import GomemConfig, load_config
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.scaffold.config_schema import FIRST_WORDS, KEPT
from pytest_gomem.scaffold.limits import limit_text
from pytest_gomem.scaffold.rootdir import pytest_rootdir

SERVER = """
import ("flag"; "net/http")

func main() {
	addr := flag.String("listen", ":8080", "")
	http.HandleFunc("/healthz", nil)
	http.HandleFunc("/orders", nil)
	http.ListenAndServe(*addr, nil)
}
"""
GRPC = """
import ("os"; "google.golang.org/grpc")

func main() {
	port := os.Getenv("PORT")
	data := os.Getenv("DATA_DIR")
	grpc.NewServer()
}
"""
TOOL = 'import "flag"\n\nfunc main() { flag.Parse() }\n'


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOWORK", "auto")
    return tmp_path


def write(folder: Path, **mains: str) -> None:
    """Packages main by folder (`cmd_api` is cmd/api), in one module."""
    (folder / "go.mod").write_text("module example.com/shop\n\ngo 1.21\n")
    for name, text in mains.items():
        place = folder / name.replace("_", "/")
        place.mkdir(parents=True, exist_ok=True)
        (place / "main.go").write_text(f"package main\n{text}")


def run(*argv: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    status = main(("init", *argv), out, err)
    return status, out.getvalue(), err.getvalue()


def guessed(*argv: str) -> str:
    status, out, err = run("--yes", "--no-try", *argv)
    assert (status, err) == (0, "")
    return out


def loaded(path: Path = Path("gomem.yaml")) -> GomemConfig:
    return load_config(path, Registry(builtin_metrics()).units())


def test_a_service_with_flag_and_health_path(repository: Path) -> None:
    """The server is preferred to the tool beside it; what is written is valid, and nothing else is."""
    write(repository, cmd_api=SERVER, tools_gen=TOOL)
    out = guessed()
    service = loaded().services["api"]
    assert (service.build.package, service.args) == ("./cmd/api", ("--listen=127.0.0.1:{port}",))
    assert (service.ready.kind, service.ready.target) == ("http", "/healthz")
    assert (repository / "gomem.yaml").read_text().startswith(f"{FIRST_WORDS}{KEPT}\n")
    test = (repository / "test_memory.py").read_text()
    ast.parse(test)
    assert 'go_service.load("/", requests=2000)' in test
    assert "The source names these paths too: /orders." in test
    assert sorted(path.name for path in repository.iterdir()) == [
        "cmd",
        "go.mod",
        "gomem.yaml",
        "test_memory.py",
        "tools",
    ]
    assert out.endswith("next:\n  pytest test_memory.py\n  gomem compare HEAD test_memory.py\n")


def test_a_grpc_server_by_variables(repository: Path) -> None:
    """It is ready when its port accepts; its data goes into a private folder; its test speaks HTTP/2."""
    write(repository, cmd_shop=GRPC)
    guessed()
    service = loaded().services["shop"]
    assert dict(service.env) == {"PORT": "{port}", "DATA_DIR": "{tmp}"}
    assert service.ready.kind == "tcp"
    test = (repository / "test_memory.py").read_text()
    ast.parse(test)
    assert "call(go_service.port, 2000)" in test


def test_a_server_with_a_fixed_port(repository: Path) -> None:
    """It cannot be given another one: the test asks it there, and says what would be better."""
    fixed = 'func main() { http.HandleFunc("GET /ping", nil); http.ListenAndServe(":8099", nil) }'
    write(repository, cmd_api=fixed)
    guessed()
    assert loaded().services["api"].ready.target == "http://127.0.0.1:8099/ping"
    test = (repository / "test_memory.py").read_text()
    ast.parse(test)
    assert 'HTTPConnection("127.0.0.1", 8099, timeout=10)' in test
    assert "Let the service take its address from a flag or variable" in test


def test_a_program_that_ends(repository: Path) -> None:
    """The most harmless run is proposed."""
    write(repository, cmd_tool=TOOL)
    guessed()
    assert loaded().services["tool"].args == ("--help",)
    assert 'gomem.run("tool", timeout="30s")' in (repository / "test_memory.py").read_text()


def test_a_workspace_and_a_module_outside_of_it(repository: Path) -> None:
    """Go builds a module that go.work does not name only without the workspace."""
    for name in ("in", "out"):
        (repository / name).mkdir()
        write(repository / name, cmd_api=SERVER)
    (repository / "go.work").write_text("go 1.21\n\nuse (\n\t./in // ours\n)\n")
    guessed()
    assert (loaded().services["api"].build.package, loaded().services["api"].build.env) == ("./in/cmd/api", None)
    guessed(str(repository / "out"))
    service = loaded(repository / "out" / "gomem.yaml").services["api"]
    assert (service.build.package, service.build.env) == ("./cmd/api", {"GOWORK": "off"})


def test_the_dockerfile_decides_between_programs(repository: Path) -> None:
    """What is deployed is what is meant; variables that the program reads come with it."""
    write(repository, cmd_a=SERVER, cmd_worker=GRPC)
    (repository / "Dockerfile").write_text("RUN go build -o /w ./cmd/worker\nENV PORT=80 DATA_DIR=/d X=1\nCMD /w\n")
    guessed()
    assert list(loaded().services) == ["worker"]


def test_links_and_vendored_code_are_passed_by(repository: Path) -> None:
    """A loop of links ends, and a main package that is vendored is none of yours."""
    write(repository, cmd_api=SERVER, vendor_x=SERVER, testdata_y=SERVER, _z=SERVER)
    (repository / "cmd" / "loop").symlink_to(repository)
    guessed()
    assert list(loaded().services) == ["api"]


def test_a_folder_within_a_module(repository: Path) -> None:
    """The go.mod above counts."""
    write(repository, cmd_api=SERVER)
    guessed("cmd/api")
    assert loaded(repository / "cmd" / "api" / "gomem.yaml").services["api"].build.package == "."


@pytest.mark.parametrize(("name", "more"), [("gomem.yaml", "gomem doctor"), ("test_memory.py", "--test FILE")])
def test_nothing_is_overwritten(repository: Path, name: str, more: str) -> None:
    """It says what is there and what to do."""
    write(repository, cmd_api=SERVER)
    (repository / name).write_text("mine")
    status, out, err = run("--yes", "--no-try")
    assert (status, out) == (2, "")
    assert f"{name} exists already" in err
    assert more in err
    assert (repository / name).read_text() == "mine"
    assert len(list(repository.iterdir())) == 3


def test_the_test_may_have_another_name(repository: Path) -> None:
    """Also in a folder that is not there yet."""
    write(repository, cmd_api=SERVER)
    assert "pytest tests/test_shop.py" in guessed("--test", "tests/test_shop.py")
    assert (repository / "tests" / "test_shop.py").exists()


@pytest.mark.parametrize(
    ("files", "argv", "says"),
    [
        ({}, (), "no go.mod in"),
        ({"go.mod": "modul x\n", "main.go": "package main\nfunc main() {}\n"}, (), "names no module"),
        ({"go.mod": "module x\n", "x.go": "package x\n"}, (), "no package main in"),
        ({"go.mod": "module x\n"}, ("nowhere",), "nowhere is not a folder"),
        ({"go.mod": "module x\n"}, ("--test", "../test_x.py"), "is not within"),
    ],
)
def test_what_is_no_repository_of_a_program(
    repository: Path, files: dict[str, str], argv: tuple[str, ...], says: str
) -> None:
    """A plain message, status 2, and nothing written."""
    for name, text in files.items():
        (repository / name).write_text(text)
    status, _, err = run("--yes", "--no-try", *argv)
    assert status == 2
    assert says in err
    assert "Traceback" not in err
    assert sorted(path.name for path in repository.iterdir()) == sorted(files)


def test_without_go_nothing_is_written(repository: Path) -> None:
    """Nothing can be tried, and it says how to get a Go; our tests have none unless they ask for it."""
    write(repository, cmd_api=SERVER)
    status, _, err = run("--yes")
    assert (status, "install Go, or: pip install" in err) == (2, True), err
    assert not (repository / "gomem.yaml").exists()


def test_without_a_terminal_nothing_is_asked(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to go without questions."""
    write(repository, cmd_api=SERVER)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    status, _, err = run("--no-try")
    assert status == 2
    assert "there is no terminal to ask in" in err
    assert "--yes" in err


@pytest.mark.parametrize(
    ("typed", "service"), [("\n\n", "api"), ("9\nx\n2\ny\n", "shop"), ("1\nn\n", ""), ("\x04", ""), ("1\n\x04", "")]
)
def test_questions_in_a_terminal(repository: Path, monkeypatch: pytest.MonkeyPatch, typed: str, service: str) -> None:
    """Enter takes the first; a number chooses; n and Ctrl-D write nothing."""
    write(repository, cmd_api=SERVER, cmd_shop=GRPC)
    ours, theirs = os.openpty()
    with os.fdopen(theirs, encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        os.write(ours, typed.encode())
        status, text, _ = run("--no-try")
    os.close(ours)
    assert "Which program do you want to measure? [1]" in text
    assert (repository / "gomem.yaml").exists() == bool(service), text
    assert status == (130 if "\x04" in typed else 0)
    if service:
        assert list(loaded().services) == [service]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1_234_567, BYTES, "1.24 MB"),
        (999_999, BYTES, "1.00 MB"),
        (5, BYTES, "5.00 B"),
        (17_050, BYTES_PER_OP, "17.1 kB/op"),
        (15.61, COUNT_PER_OP, "15.7/op"),
        (0.0123, COUNT_PER_OP, "0.0123/op"),
        (123456, COUNT_PER_OP, "124k/op"),
    ],
)
def test_limits_are_rounded_up(value: float, unit, text: str) -> None:
    """So that what was measured passes; and they read back as what they say."""
    from pytest_gomem.base.units import parse_quantity

    assert limit_text(value, unit) == text
    assert value <= parse_quantity(text, unit).value * (1 + 1e-9) < value * 1.011


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "a/b"),
        ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, "."),
        ({"a/tox.ini": "[pytest]\n"}, "a"),
        ({"a/b/pytest.ini": "", "pytest.ini": ""}, "a/b"),
        ({"setup.cfg": "[metadata]\n"}, "a/b"),
        ({"a/setup.py": ""}, "a"),
    ],
)
def test_the_rootdir_is_known_beforehand(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    """As pytest determines it."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert pytest_rootdir(tmp_path / "a" / "b") == (tmp_path / expected).resolve()
