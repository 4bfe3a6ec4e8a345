"""The agent's Go source: what it must and must not contain."""

from __future__ import annotations

import importlib.resources
import re
import subprocess
from pathlib import Path

import pytest

FOLDER = importlib.resources.files("pytest_gomem.observe.agent")
SOURCES = {one.name: one.read_text("utf-8") for one in FOLDER.iterdir() if one.name.endswith(".go.txt")}
SOURCE = SOURCES["agent.go.txt"]
ALL = "".join(SOURCES.values())
IMPORTS = re.findall(r'^(?:import |\t)(\w+) +"([^"]+)"(?: //.*)?$', ALL, re.MULTILINE)


def test_every_name_of_the_package_has_a_prefix():
    """Nothing that the agent declares or imports can clash with the user's package main."""
    declared = re.findall(r"^(?:func|type|var|const) (\w+)", ALL, re.MULTILINE)
    grouped = [
        name
        for block in re.findall(r"^(?:const|var) \(\n(.*?)^\)", ALL, re.MULTILINE | re.DOTALL)
        for name in re.findall(r"^\t(\w+) ", block, re.MULTILINE)
    ]
    assert len(declared) > 10
    assert len(grouped) > 10
    assert all(name.startswith("pytestGomem") or name == "_" for name in declared + grouped)
    assert all(alias.startswith("gomem") or (alias, path) == ("_", "unsafe") for alias, path in IMPORTS)


def test_it_imports_the_standard_library_without_net():
    """No third party, no net: that would double a small program's RSS."""
    assert len(SOURCES) >= 6
    assert len(IMPORTS) > SOURCE.split("import (")[1].split(")")[0].count('"') // 2
    assert not {path for _, path in IMPORTS if "." in path or path.split("/")[0] == "net"}


@pytest.mark.parametrize("name", SOURCES)
def test_it_is_formatted_by_gofmt(go, name):
    """The source is as gofmt writes it."""
    gofmt = Path(go).with_name("gofmt")
    if not gofmt.exists():
        pytest.skip("this Go comes without gofmt")
    done = subprocess.run([gofmt], input=SOURCES[name], capture_output=True, text=True)
    assert done.stdout == SOURCES[name]
