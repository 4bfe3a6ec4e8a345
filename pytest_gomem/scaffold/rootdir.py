"""Where pytest will say that its rootdir is, which holds its cache and is where gomem.yaml is looked for."""

from __future__ import annotations

from pathlib import Path

from pytest_gomem.scaffold.repository import read_text

_SECTIONS = {"tox.ini": "[pytest]", "setup.cfg": "[tool:pytest]"}


def pytest_rootdir(folder: Path) -> Path:
    """The rootdir of a run in this folder: that of the nearest ini file, or setup.py, above; else the folder itself."""
    for one in (folder, *folder.parents):
        if any((one / name).is_file() for name in ("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml")):
            return one
        if "[tool.pytest" in read_text(one / "pyproject.toml"):
            return one
        if any(section in read_text(one / name) for name, section in _SECTIONS.items()):
            return one
    known = ("setup.py", "pyproject.toml")
    return next((one for one in (folder, *folder.parents) if any((one / name).is_file() for name in known)), folder)
