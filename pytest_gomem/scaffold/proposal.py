"""What `gomem init` proposes for a program: how it starts, when it is ready, and what its test does."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_gomem.scaffold.addresses import Listening, listening
from pytest_gomem.scaffold.dockerfile import Dockerfile, read_dockerfile
from pytest_gomem.scaffold.options import Option, read_options
from pytest_gomem.scaffold.programs import Program
from pytest_gomem.scaffold.repository import Repository, read_text
from pytest_gomem.scaffold.serving import Serving, serving_of

_KINDS = {"http": 30, "grpc": 25, "tcp": 15, "": 0}
_ASIDE = re.compile(
    r"(^|/)(_?examples?|tests?|testing|tools?|hack|scripts?|internal|gen\w*|bench\w*|demos?|client\w*)(/|$)"
)
_FOLDERS = {"dir", "directory", "folder", "datadir"}
_DATA = {"data", "db", "storage", "upload", "state", "cache", "store"}
_NOT_DATA = {"backup", "config", "migrations"}
_PARSERS = ("flag", "spf13/cobra", "spf13/pflag", "urfave/cli", "alecthomas/", "jessevdk/go-flags", "mitchellh/cli")
MOST_PATHS = 8


@dataclass(frozen=True)
class Found:
    """A program with what its source and the Dockerfiles tell of it."""

    program: Program
    serving: Serving
    options: tuple[Option, ...]
    listening: tuple[Listening, ...]
    docker: Dockerfile = field(default_factory=Dockerfile)
    docker_file: str = ""

    @property
    def weight(self) -> int:
        """How likely it is what people mean."""
        folder = self.program.folder
        weight = _KINDS[self.serving.kind] + 10 * bool(self.listening) + 4 * bool(self.serving.health)
        weight += 30 * bool(self.docker_file) - 40 * bool(_ASIDE.search(folder.removeprefix("./")))
        return weight + 3 * (folder == "." or folder.startswith("./cmd/"))

    def __str__(self) -> str:
        words = {"http": "serves HTTP", "grpc": "serves gRPC", "tcp": "serves TCP", "": "ends by itself"}
        return f"{self.program.folder} ({words[self.serving.kind]})"


@dataclass(frozen=True)
class Proposal:
    """One way to start a program and to test it.

    kind: as of Serving. args, env: with their tokens. build_env: variables of its build. ready: a path, "" for TCP.
    paths: to request, the best first. path: the one that the test requests. answers_errors: it answers no 2xx. unasked:
    paths that may do anything. why: a comment by key of gomem.yaml.
    """

    name: str
    package: str
    kind: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    build_env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    fixed_port: int = 0
    ready: str = ""
    paths: tuple[str, ...] = ()
    path: str = "/"
    answers_errors: bool = False
    unasked: tuple[str, ...] = ()
    requests: int = 2000
    why: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_port(self) -> bool:
        """Whether it gets a free port."""
        return any("{port" in word for word in (*self.args, *self.env.values()))


def look_at(repository: Repository, programs: Iterable[Program]) -> tuple[Found, ...]:
    """Each program with what is known of it, the likeliest first."""
    dockerfiles = [(path, read_dockerfile(read_text(path))) for path in repository.dockerfiles]
    found = [_found(repository, program, dockerfiles) for program in programs]
    return tuple(sorted(found, key=lambda one: (-one.weight, len(one.program.folder), one.program.folder)))


def _found(repository: Repository, program: Program, dockerfiles: list[tuple[Path, Dockerfile]]) -> Found:
    options = read_options(program)
    path, docker = next(
        ((path, docker) for path, docker in dockerfiles if _builds(repository, path, docker, program)),
        (None, Dockerfile()),
    )
    file = os.path.relpath(path, repository.root) if path else ""
    return Found(program, serving_of(program), options, listening(options), docker, file)


def _builds(repository: Repository, path: Path, docker: Dockerfile, program: Program) -> bool:
    folder = os.path.normpath(repository.root / program.folder)
    built = {os.path.normpath(base / package) for package in docker.packages for base in (path.parent, repository.root)}
    return folder in built or Path(docker.program).name == program.name


def propose(repository: Repository, found: Found) -> Proposal:
    """The best guess for one program."""
    program, serving = found.program, found.serving
    name = re.sub(r"[^\w.-]", "-", program.name).strip("-.") or "service"
    outside = repository.is_outside_workspace(program.module)
    nested = os.path.relpath(program.module.folder, repository.root)
    common = Proposal(
        name=name,
        package=program.folder,
        kind=serving.kind,
        build_env={"GOWORK": "off"} if outside else {},
        cwd="" if nested == "." or nested.startswith("..") else f"./{nested}",
    )
    return _service(common, found) if serving.kind else _programs_that_end(common, found)[0]


def others(repository: Repository, found: Found) -> tuple[Proposal, ...]:
    """What else may work, if the best guess does not: a program that seemed to serve may end by itself.

    One whose source says where it listens serves: nothing else is tried, so that its failure is told.
    """
    best = propose(repository, found)
    if best.kind and (best.has_port or best.fixed_port):
        return ()
    ending = _programs_that_end(replace(best, fixed_port=0, ready="", paths=(), env={}), found)
    return ending if best.kind else ending[1:]


def _service(common: Proposal, found: Found) -> Proposal:
    serving, why = found.serving, dict[str, str]()
    command = (serving.command,) if serving.command else ()
    args = [*command, *(f"--{one.option.name}={one.value}" for one in found.listening if one.option.how == "flag")]
    env = {one.option.name: one.value for one in found.listening if one.option.how == "env"}
    if not found.listening and serving.positional:
        args.append(serving.positional)
    for option in _data_folders(found.options):
        if option.how == "env":
            env[option.name] = "{tmp}"
        else:
            args.append(f"--{option.name}={{tmp}}")
    env |= {
        name: value for name, value in found.docker.env.items() if name not in env and _is_read(name, found.options)
    }
    told = ", ".join(f"{one.option} in {one.option.place}" for one in found.listening)
    why["port"] = f"It listens where {told} says." if told else ""
    fixed = (
        (serving.fixed_port or next(iter(found.docker.ports), 0)) if not (found.listening or serving.positional) else 0
    )
    health = serving.health[0] if serving.health and serving.kind == "http" else None
    if health:
        why["ready"] = f"{health.file}:{health.line}"
    paths = _paths(serving)
    return replace(
        common,
        args=tuple(args),
        env=env,
        fixed_port=fixed,
        ready=health.path if health else "",
        paths=paths,
        path=paths[0],
        unasked=tuple(route.path for route in serving.routes if not route.is_get and route.path != "/"),
        why=why,
    )


def _paths(serving: Serving) -> tuple[str, ...]:
    """To request: routes of GET, then the root, then those that tell of health, then metrics.

    A path without a method may do anything: nobody asks it unasked.
    """
    routes = [route.path for route in serving.routes if route.is_get]
    return tuple(dict.fromkeys([*routes[:MOST_PATHS], "/", *(one.path for one in serving.health), "/metrics"]))


def _is_read(name: str, options: Iterable[Option]) -> bool:
    return any(option.how == "env" and option.name == name for option in options)


def _data_folders(options: Iterable[Option]) -> Iterator[Option]:
    """Where the program keeps data: a private folder, so that no run sees the data of another."""
    for option in options:
        words = set(option.words)
        is_path = bool(words & _FOLDERS) or ("path" in words and not re.search(r"\.\w+$", option.default))
        if is_path and words & _DATA and not words & _NOT_DATA:
            yield option


def _programs_that_end(common: Proposal, found: Found) -> tuple[Proposal, ...]:
    """Runs that should end well by themselves, the most harmless first."""
    parses = any(path == known or known in path for path in found.program.imports for known in _PARSERS)
    parses = parses or any("os.Args" in file.text for file in found.program.files)
    runs = [("--help",), ("-h",), ("--version",), ("version",), ()] if parses else [()]
    return tuple(replace(common, args=args, kind="", why={}) for args in runs)
