"""Owns what the tests share: Go where a test says that it needs it, and programs that are built once a run.

For whoever writes a test:
- `binaries("server")` is the path of a program of tests/programs (or of the example, "go_service"), and
  `binaries("server", agent=True)` that with the agent in it. It is built when a test first asks, once for all workers.
- `shared_folder` is one folder for all workers of a run. What you build yourself belongs there: `build_once` locks.
- A test that runs the Go command asks for the fixture `go`, by `usefixtures("go")` if it wants nothing of it; asking
  for `binaries`, `programs` or `scenario` says it too. Such a test is marked `needs_go`; the others are `make quick`.
- For a test without that mark there is no Go: `go` fails, and a test that asks it for more than its version fails.
- A test of a memory limit asks for `memory_groups`, which skips it where none can be set.
- Where a plugin test starts no service, `dry_scenario` takes the place of `scenario`: it needs no Go.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from pytest_gomem.base.errors import GomemError
from pytest_gomem.commands.limit_trial import memory_limit_words
from pytest_gomem.config.services import BuildSpec
from pytest_gomem.launch.build import build_once, why_no_agent
from pytest_gomem.launch.toolchain import find_toolchain

TESTS = Path(__file__).parent
PROGRAMS = TESTS / "programs"
GO_SERVICE = TESTS.parent / "examples" / "go_service"
NO_GO = """#!/bin/sh
case $1 in version | env) ;; *) echo "go $*" >> "$0.called" ;; esac
echo "a test without the fixture go has no Go" >&2
exit 1
"""
NO_GO_FOLDER: pytest.StashKey[Path] = pytest.StashKey()


@pytest.fixture(scope="session", autouse=True)
def _go_cache() -> Iterator[None]:
    """What Go has compiled is used by every test, also by one with a cache folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        if sys.platform == "linux" and "GOCACHE" not in os.environ:
            user_cache = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
            patch.setenv("GOCACHE", f"{user_cache}/go-build")
        yield


@pytest.fixture(scope="session")
def go() -> str:
    """The Go command."""
    return find_toolchain().go


@pytest.fixture(scope="session")
def memory_groups() -> None:
    """Memory cgroups can be made here; skips the test, with the reason, where they cannot."""
    try:
        memory_limit_words()
    except GomemError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def shared_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all workers of the run."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if hasattr(request.config, "workerinput") else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def binaries(go: str, shared_folder: Path) -> Callable[..., Path]:
    """Path of a program by its name."""

    def binary(name: str, *, agent: bool = False) -> Path:
        package, folder = (".", GO_SERVICE) if name == "go_service" else (f"./{name}", PROGRAMS)
        built = build_once(name, BuildSpec(package), folder, shared_folder, agent=agent)
        assert not agent or not why_no_agent(built), why_no_agent(built)
        return built

    return binary


def pytest_itemcollected(item: pytest.Item) -> None:
    if "go" in getattr(item, "fixturenames", ()):
        item.add_marker("needs_go")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool, bool]:
    if item.get_closest_marker("needs_go"):
        return (yield)
    find_toolchain.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(_no_go(item.config)), prepend=os.pathsep)
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    yield
    called = _no_go(item.config) / "go.called"
    if called.exists():
        words = called.read_text()
        called.unlink()
        pytest.fail(f"it runs Go, and does not ask for the fixture go:\n{words}")


def _no_go(config: pytest.Config) -> Path:
    """A folder with a Go command that fails."""
    if NO_GO_FOLDER not in config.stash:
        folder = config.stash[NO_GO_FOLDER] = config._tmp_path_factory.mktemp("no-go")  # type: ignore[attr-defined]
        (folder / "go").write_text(NO_GO)
        (folder / "go").chmod(0o755)
    return config.stash[NO_GO_FOLDER]
