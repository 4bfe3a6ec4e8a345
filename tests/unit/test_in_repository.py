"""Where the go.mod of a build lies in its repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_gomem.config.services import BuildSpec
from pytest_gomem.launch.in_repository import module_in_repository


def module(folder: Path, path: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.mod").write_text(f"// ours\nmodule {path} // again\n\ngo 1.24\n")
    return folder


@pytest.fixture
def repository(tmp_path) -> Path:
    """A module at the top, one below it, and a folder of tests."""
    top = module(tmp_path / "repo", "example.com/app")
    (top / ".git").mkdir()
    (module(top / "services/api", "example.com/api") / "cmd").mkdir()
    (top / "tests").mkdir()
    return top


@pytest.mark.parametrize(
    ("package", "start", "binary", "folder"),
    [
        (".", ".", "example.com/app", ""),
        ("..", "tests", "example.com/app", ""),
        ("../services/api/cmd", "tests", "example.com/api", "services/api"),
        ("example.com/app/cmd", "tests", "example.com/app", ""),
        ("example.com/elsewhere/cmd", "tests", "example.com/elsewhere", None),
        (".", ".", "", None),
    ],
)
def test_the_folder_of_the_nearest_go_mod(repository, package, start, binary, folder):
    """It is found from the package's folder or, for an import path, from gomem.yaml's, if it names the same module."""
    assert module_in_repository(BuildSpec(package), repository / start, binary) == folder


def test_a_checkout_is_a_repository_of_its_own(tmp_path):
    """Its `.git` is a file: the base side of a comparison has the same folder as the head."""
    top = tmp_path / "tree"
    module(top / "api", "example.com/api")
    (top / ".git").write_text("gitdir: /elsewhere\n")
    assert module_in_repository(BuildSpec(str(top / "api")), tmp_path, "example.com/api") == "api"


def test_it_is_unknown_without_a_build_or_a_repository(tmp_path):
    """That is no folder, which differs from the top's."""
    module(tmp_path / "api", "example.com/api")
    assert module_in_repository(None, tmp_path / "api", "example.com/api") is None
    assert module_in_repository(BuildSpec("."), tmp_path / "api", "example.com/api") is None
