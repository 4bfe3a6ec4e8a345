"""Gets the compiler's notes on one package, with the flags of the service's build and -m=2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.processes import output_within
from pytest_gomem.config.services import BuildSpec
from pytest_gomem.git.repository import environment_without_hook
from pytest_gomem.launch.build import locate
from pytest_gomem.launch.sides import Source
from pytest_gomem.launch.toolchain import find_toolchain


def compiler_notes(source: Source, package: str, seconds: float) -> str:
    """What `go list -export -gcflags=-m=2 PACKAGE` prints: it compiles without linking, and its cache replays notes.

    package: an import path, or "main" for the package that is built. Raises ObserveError, ToolchainError.
    """
    if source.build is None:
        raise ObserveError("the service is not built by us")
    try:
        status, out, err = _listed(source, ["-export", *_options(source.build)], package, seconds)
    except OSError as error:  # TimeoutError is one
        raise ObserveError(f"the compiler gave no notes: {error}") from error
    if status:
        said = (err or out).strip().splitlines() or [f"it ended with status {status}"]
        raise ObserveError(f"the compiler gave no notes: {said[-1]}")
    return err


def _listed(source: Source, options: Sequence[str], package: str, seconds: float) -> tuple[int, str, str]:
    """The answer of `go list` in the build's environment; raises OSError."""
    assert source.build is not None
    cwd, main = locate(source.build.package, source.base_dir)
    toolchain = source.toolchain or find_toolchain()
    command = [toolchain.go, "list", *options, main if package == "main" else package]
    env = {**environment_without_hook(), **(source.build.env or {}), **toolchain.env}
    return output_within(seconds, command, cwd, env)


def package_folder(source: Source, package: str, seconds: float) -> Path | None:
    """The folder of a package of the service, from `go list`; None if it does not say."""
    if source.build is None:
        return None
    try:
        status, out, _ = _listed(source, ["-find", "-f", "{{.Dir}}"], package, seconds)
    except OSError:
        return None
    return Path(out.strip()) if status == 0 and out.strip() else None


def _options(build: BuildSpec) -> list[str]:
    """The build's own options. Go takes the last -gcflags, so -m joins those that the user gives for this package."""
    flags, theirs = _split_gcflags(build.flags)
    tags = [f"-tags={','.join(build.tags)}"] if build.tags else []
    return [*tags, *flags, f"-gcflags={' '.join([*theirs, '-m=2'])}"]


def _split_gcflags(flags: Sequence[str]) -> tuple[list[str], list[str]]:
    rest, words = list[str](), list[str]()
    following = iter(flags)
    for flag in following:
        name, equals, value = flag.lstrip("-").partition("=")
        if not flag.startswith("-") or name != "gcflags":
            rest.append(flag)
            continue
        value = value if equals else next(following, "")
        pattern, separator, given = value.partition("=")
        if separator and not pattern.startswith("-"):
            rest.append(f"-gcflags={value}")  # other packages keep theirs
            words = [given] if pattern == "all" else words
        else:
            words = [value]
    return rest, words
