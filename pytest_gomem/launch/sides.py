"""Head and base of a comparison: what each side starts a service from, and its name in reports.

The folder is part of the key of Go's build cache: in a commit's own folder, all of its module would be compiled again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from pytest_gomem.base.errors import BuildError, ConfigError, LaunchError, Place
from pytest_gomem.base.processes import output_within
from pytest_gomem.config.services import BuildSpec, ServiceConfig
from pytest_gomem.git.checkout import Checkout, checked_out
from pytest_gomem.git.repository import GitError, Repository, environment_without_hook, short
from pytest_gomem.launch.build import locate
from pytest_gomem.launch.toolchain import Toolchain, find_toolchain

FLAG = "-trimpath"
_SECONDS = 10.0


def trimmed(spec: BuildSpec, toolchain: Toolchain) -> BuildSpec:
    """The build with -trimpath, unless its flags or the GOFLAGS of its Go set that already."""
    if says(spec.flags) or says(_goflags(toolchain.go, (spec.env or {}).get("GOFLAGS", os.environ.get("GOFLAGS")))):
        return spec
    return replace(spec, flags=(*spec.flags, FLAG))


def says(flags: Iterable[str]) -> bool:
    """Whether one of the flags is a -trimpath, true or false."""
    return any(flag.startswith("-") and flag.lstrip("-").partition("=")[0] == FLAG[1:] for flag in flags)


@lru_cache
def _goflags(go: str, of_environment: str | None) -> tuple[str, ...]:
    """GOFLAGS of the environment, else those that `go env -w` keeps; none if Go does not answer."""
    if of_environment is not None:
        return tuple(of_environment.split())
    env: Mapping[str, str] = {**environment_without_hook(), "GOTOOLCHAIN": "local"}
    try:
        status, out, _ = output_within(_SECONDS, [go, "env", "GOFLAGS"], Path("/"), env)
    except OSError:
        return ()
    return tuple(out.split()) if status == 0 else ()


@dataclass(frozen=True)
class Source:
    """What a service is started from: a build, with paths relative to base_dir, or a command.

    toolchain: the Go that builds; None = the usual. ref: its name in reports; "" = the path of the binary.
    revision: the commit it was built from, "" = ask the binary. agent: whether to build it in.
    """

    build: BuildSpec | None
    command: tuple[str, ...]
    base_dir: Path
    toolchain: Toolchain | None = None
    ref: str = ""
    revision: str = ""
    notes: tuple[str, ...] = ()
    agent: bool = True


class Origin(Protocol):
    """Where a side of a comparison gets its services from."""

    def source(self, config: ServiceConfig) -> AbstractContextManager[Source]:
        """What the service is started from; its files are there inside of the block."""


@dataclass(frozen=True)
class Against:
    """The base side: a commit (`ref`), a binary, another Go, or a commit built by another Go.

    head: the commit that the head is built from; "" = the working tree.
    """

    ref: str = ""
    binary: Path | None = None
    toolchain: Toolchain | None = None
    head: str = ""

    def __str__(self) -> str:
        what = str(self.binary or self.ref or "the same source")
        return what if self.toolchain is None else f"{what}, built by {self.toolchain}"


class HeadSide:
    """The head: the working tree or another commit, built by the usual Go.

    otherwise: where the commit's files go if the user's cache cannot be written.
    """

    def __init__(self, against: Against | None = None, otherwise: Path | None = None) -> None:
        self._against = against
        self._otherwise = otherwise
        self._refs: dict[Path, str] = {}

    @contextlib.contextmanager
    def source(self, config: ServiceConfig) -> Iterator[Source]:
        """In reports it is named by its commit, by its binary without a comparison or build, else by the working tree.

        Raises LaunchError if the commit has nothing to start the service from, GitError from the checkout.
        """
        # A prebuilt base has no agent, and both sides must be read in the same way.
        agent = self._against is None or self._against.binary is None
        build = config.build
        if build is not None and self._against is not None and self._against.head:
            with _at_commit(config, build, self._against.head, None, self._otherwise or Path()) as source:
                yield replace(source, agent=agent)
            return
        if build is not None and self._against is not None and self._against.ref:
            build = trimmed(build, find_toolchain())
        yield Source(build, config.command, config.base_dir, ref=self._ref(config), agent=agent)

    def _ref(self, config: ServiceConfig) -> str:
        if config.build is None or self._against is None or not self._against.ref:
            return ""
        folder = _package_folder(config.build, config.base_dir)
        if folder not in self._refs:
            self._refs[folder] = Repository.around(folder).working_tree()
        return self._refs[folder]


class BaseSide:
    """The base of a comparison. otherwise: where its files go if the user's cache cannot be written."""

    def __init__(self, against: Against, otherwise: Path) -> None:
        self._against = against
        self._otherwise = otherwise

    def check(self, services: Iterable[ServiceConfig]) -> tuple[str, ...]:
        """Remarks on the comparison before anything runs; raises ConfigError if nothing can be compared."""
        configs = tuple(services)
        if self._against.binary is not None:
            _refuse_no_program(self._against.binary)
            _refuse_several(configs)
        if not self._against.ref:
            if self._against.toolchain and not any(config.build for config in configs):
                raise ConfigError("no service of gomem.yaml has a build: another Go would make no difference")
            return ()
        built = [config for config in configs if config.build is not None]
        if not built and not any(config.against_binary for config in configs):
            hint = "give a service a build, or an against_binary"
            raise ConfigError("no service of gomem.yaml can be built at another commit", hint=hint)
        repositories = _repositories(built)
        is_clear = len(repositories) == 1 and _is_around(configs[0].base_dir, repositories[0])
        remarks = [
            "; ".join(filter(None, ["" if is_clear else self._which(repository), self._remark(repository)]))
            for repository in repositories
        ]
        return tuple(filter(None, remarks))

    def identity(self, services: Iterable[ServiceConfig]) -> str:
        """The commit, binary or Go of this side, the same wherever it is built; raises GitError."""
        against = self._against
        commits = [repository.commit(against.ref) for repository in _repositories(services)] if against.ref else []
        what = str(against.binary or "") or ", ".join(commits) or against.ref or "the same source"
        return f"{what}, built by {self._by()}" if against.toolchain else what

    def _which(self, repository: Repository) -> str:
        """The repository that REF was looked up in, in case pytest was started in another, as around a submodule."""
        commit = short(repository.commit(self._against.ref))
        return f"{self._against.ref} is {commit} in the repository {os.path.relpath(repository.top)}"

    def _remark(self, repository: Repository) -> str:
        commit = repository.commit(self._against.ref)
        if self._against.head:
            is_same = repository.commit(self._against.head) == commit and not self._against.toolchain
            return "both sides are that very commit: it is compared with itself" if is_same else ""
        if commit != repository.commit("HEAD") or self._against.toolchain:
            return ""
        if repository.changes():
            return "the working tree is compared with the commit it is at: only its changes make a difference"
        return "the working tree is that very commit: it is compared with itself"

    @contextlib.contextmanager
    def source(self, config: ServiceConfig) -> Iterator[Source]:
        """Raises LaunchError if this side has nothing to start the service from, GitError from the checkout."""
        against = self._against
        other = against.binary or config.against_binary
        if other is not None and (against.binary is not None or config.build is None):
            yield Source(None, (str(other), *config.command[1:]), config.base_dir, ref=str(other), agent=False)
        elif config.build is None:
            raise LaunchError(
                config.name, f"it is prebuilt, and no against_binary says what to compare it with{_at(config)}"
            )
        elif not against.ref:
            yield replace(_source(config, config.build), toolchain=against.toolchain, ref=self._by())
        else:
            with _at_commit(config, config.build, against.ref, against.toolchain, self._otherwise) as source:
                yield source

    def _by(self) -> str:
        return self._against.toolchain.version if self._against.toolchain else ""


@contextlib.contextmanager
def _at_commit(
    config: ServiceConfig, spec: BuildSpec, ref: str, toolchain: Toolchain | None, otherwise: Path
) -> Iterator[Source]:
    folder = _package_folder(spec, config.base_dir)
    repository = Repository.around(folder)
    commit = repository.commit(ref)
    name = f"{ref} ({short(commit)})" if not commit.startswith(ref) else short(commit)
    with checked_out(repository, commit, otherwise) as checkout:
        spec = trimmed(spec, toolchain or find_toolchain())
        mapped = _mapped(config, spec, repository, checkout, name)
        by = f", built by {toolchain.version}" if toolchain else ""
        try:
            yield replace(mapped, toolchain=toolchain, ref=name + by)
        except BuildError as error:
            words = "\n".join([error.output.rstrip(), *checkout.notes])
            raise BuildError(f"{config.name} at {name}", error.command, error.cwd, words) from None


def _repositories(services: Iterable[ServiceConfig]) -> list[Repository]:
    """Those of the services that are built."""
    folders = [_package_folder(config.build, config.base_dir) for config in services if config.build]
    return list(dict.fromkeys(Repository.around(folder) for folder in folders))


def _is_around(folder: Path, repository: Repository) -> bool:
    try:
        return Repository.around(folder) == repository
    except GitError:
        return False


def _source(config: ServiceConfig, spec: BuildSpec) -> Source:
    return Source(spec, config.command, config.base_dir)


def _mapped(config: ServiceConfig, spec: BuildSpec, repository: Repository, checkout: Checkout, name: str) -> Source:
    """The build with its folders in the checkout; raises LaunchError if they are not there."""
    top = repository.top.resolve()
    package, base_dir = spec.package, config.base_dir.resolve()
    if _is_path(package):
        there = checkout.tree / _package_folder(spec, config.base_dir).relative_to(top)
        _check_there(config, there, checkout.tree, f"{package} does not exist at {name}")
        package = str(there)
    base_dir = checkout.tree / base_dir.relative_to(top) if base_dir.is_relative_to(top) else checkout.tree
    if not _is_path(package):
        _check_there(config, base_dir, checkout.tree, f"{base_dir.relative_to(checkout.tree)} does not exist at {name}")
    # Go finds no repository around a linked tree, and must not use another one further up.
    moved = replace(spec, package=package, flags=(*spec.flags, "-buildvcs=false"))
    return Source(moved, config.command, base_dir, revision=checkout.commit, notes=checkout.notes)


def _check_there(config: ServiceConfig, folder: Path, tree: Path, words: str) -> None:
    if not folder.exists():
        raise LaunchError(config.name, f"{words}: the service is new, or has moved since")
    within = [parent for parent in (folder, *folder.parents) if parent.is_relative_to(tree)]
    if not any((parent / "go.mod").is_file() for parent in within):
        raise LaunchError(config.name, f"no go.mod for {folder.relative_to(tree)} in that commit{_at(config)}")


def _package_folder(spec: BuildSpec, base_dir: Path) -> Path:
    return (
        (base_dir / spec.package).resolve() if _is_path(spec.package) else locate(spec.package, base_dir)[0].resolve()
    )


def _is_path(package: str) -> bool:
    return package.startswith((".", "/"))


def _at(config: ServiceConfig) -> str:
    return f" (declared at {config.place})"


def _refuse_no_program(path: Path) -> None:
    if not (path.is_file() and os.access(path, os.X_OK)):
        wrong = f"{path} is a file that cannot be executed" if path.is_file() else f"there is no program {path}"
        raise ConfigError(wrong, Place(key="--gomem-against"))


def _refuse_several(configs: Iterable[ServiceConfig]) -> None:
    """Raise ConfigError if several services could be the binary's program."""
    programs = {str(config.build) if config.build else config.command[0] for config in configs}
    if len(programs) > 1:
        named = ", ".join(config.name for config in configs)
        hint = "say  against_binary: PATH  for each service in gomem.yaml, and compare with a commit"
        raise ConfigError(f"which service is the binary to be compared with? gomem.yaml has: {named}", hint=hint)
