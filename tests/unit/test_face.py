"""`import pytest_gomem`: every public name is there, typed, and loaded when it is first used."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import pytest_gomem as gm

NAMES = [name for name in gm.__all__ if name != "__version__"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_what_its_home_calls_so(name):
    """Asked for twice, it is the same object."""
    assert getattr(gm, name) is getattr(import_module(gm._HOMES[name]), name)


def test_type_checkers_see_the_same_names():
    """What is imported for them is the table, and each name is exported (`as` itself)."""
    tree = ast.parse(Path(gm.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom) and node.module != "typing"]
    seen = {alias.asname: node.module for node in imports for alias in node.names if alias.asname == alias.name}
    assert seen == gm._HOMES


def test_importing_it_loads_nothing_else():
    """Nor does looking at its names; the first use of one loads its module."""
    code = """
import sys
import pytest_gomem as gm
dir(gm), gm.__all__, gm.__version__
print(*[name for name in sys.modules if name.startswith("pytest_gomem.") or name in ("pytest", "yaml", "psutil")])
gm.BYTES
print(*[name for name in sys.modules if name.startswith("pytest_gomem.")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["", f"pytest_gomem.base {gm._HOMES['BYTES']}"]


def test_dir_is_what_there_is_to_use():
    """An editor completes public names alone."""
    assert dir(gm) == sorted(gm.__all__)


def test_a_name_that_is_not_there():
    """It is an AttributeError as of any module, and an ImportError where it is imported by name."""
    with pytest.raises(AttributeError, match="module 'pytest_gomem' has no attribute 'Servce'"):
        gm.Servce  # noqa: B018 - raises
    with pytest.raises(ImportError, match="cannot import name 'Servce'"):
        exec("from pytest_gomem import Servce")


def test_no_name_hides_a_room():
    """A name that a module of the package has too would be either, by what was imported before."""
    assert not {path.stem for path in Path(gm.__file__).parent.iterdir()} & set(NAMES)
