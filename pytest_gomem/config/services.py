"""What a service is: how it is built and started, and under which settings it runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_gomem.base.errors import Place
from pytest_gomem.base.units import SECONDS
from pytest_gomem.config import json_schema as schema
from pytest_gomem.config.dump_limits import DEFAULT_LIMITS, DUMP_KEYS, DumpLimits, parse_dump_limits
from pytest_gomem.config.fields import Fields, Located, Mistakes, filled, flag, members, quantity, text, texts, whole
from pytest_gomem.config.flight import TRACE_KEYS, FlightRecorder, parse_trace
from pytest_gomem.config.gc_settings import GC_KEYS, PINNED, GcSettings, check, check_env, parse_gc
from pytest_gomem.config.goroutine_globs import GOROUTINE_GLOBS, goroutine_globs
from pytest_gomem.config.memory_limit import MEMORY_LIMIT, MemoryLimitSettings, chosen, parse_memory_limit
from pytest_gomem.config.memory_limit import SCHEMA as MEMORY_LIMIT_SCHEMA
from pytest_gomem.config.ready import READY, URL, Ready, check_ports, default_ready, parse_ready
from pytest_gomem.config.tokens import ports_named

STOP_GRACE = 5.0

_STARTS = ("build", "binary", "command")
_URL = rf"^{URL.pattern}$"
_VARIABLE = r"^[^=]+$"
_BUILD_KEYS: schema.Keys = {
    "package": schema.filled("A Go package, such as ./cmd/api"),
    "flags": schema.texts("Flags of go build, such as -trimpath"),
    "tags": schema.texts("Build tags"),
    "env": schema.named('Variables of the build, such as CGO_ENABLED: "0"', schema.TEXT, _VARIABLE),
}
_KEYS: schema.Keys = {
    "build": {
        "description": "A Go package, built once per pytest run",
        "anyOf": [
            {"type": "string", "pattern": r"\S"},
            schema.mapping("", _BUILD_KEYS, type="object", required=["package"]),
        ],
    },
    "binary": schema.filled("A prebuilt program"),
    "command": {**schema.texts("A program and its first arguments: [./bin/api, serve]"), "minItems": 1},
    "against_binary": schema.filled("For a prebuilt service: what a comparison starts instead"),
    "args": schema.texts("Arguments; {port} becomes a free port, {tmp} a private folder"),
    "env": schema.named(
        "Variables, on top of pytest's own environment",
        schema.TEXT,
        rf"^(?!({'|'.join(PINNED)})$)[^=]+$",
    ),
    "cwd": schema.filled("Working directory; else the folder of this file"),
    "ready": READY,
    "pprof": schema.filled("URL of net/http/pprof; else /debug/pprof is tried on each port", _URL),
    "expvar": schema.filled("URL of package expvar's /debug/vars", _URL),
    "metrics": schema.filled("URL of a Prometheus page with go_* and process_*", _URL),
    "gc": schema.mapping("GC settings that the service is launched under", GC_KEYS),
    MEMORY_LIMIT: MEMORY_LIMIT_SCHEMA,
    "profile_rate": schema.whole("Bytes per heap profile sample in observed rounds", 0),
    "tree": schema.flag("Sum RSS, threads, descriptors and CPU over all its descendants"),
    "follow": schema.flag("Measure the process that the program leaves running when it ends with status 0"),
    "stop_grace": schema.quantity("Time between SIGTERM and SIGKILL; 5s if it is not said", SECONDS),
    "agent": schema.flag("false builds the service without the agent"),
    "stderr_split": schema.flag("With the agent: os.Stderr is a pipe of its own"),
    "peak_profile": schema.flag("With the agent: keep the heap profile of the highest GC cycle"),
    "retention": schema.mapping("What a heap dump may take", DUMP_KEYS),
    "trace": schema.mapping("A flight recorder, whose windows have no figures", TRACE_KEYS, required=["flight"]),
    "ignore_goroutines": GOROUTINE_GLOBS,
}
SERVICE = schema.mapping(
    "A service or program; build, binary or command starts it",
    _KEYS,
    type="object",
    **schema.one_of(_STARTS),
    **{"not": {"required": ["build", "against_binary"]}},
)
_NAME = re.compile(r"\w[\w.-]*")
_TOKEN_FIRST = re.compile(r"\$\{|\{tmp\}")


@dataclass(frozen=True)
class BuildSpec:
    """A Go package to build, as `go build` names it from the configuration file's folder."""

    package: str
    flags: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    env: Mapping[str, str] | None = None


@dataclass(frozen=True)
class ServiceConfig:
    """One service of gomem.yaml. `command`, `args`, `env`, `cwd`, an http target and the URLs `pprof`, `expvar`
    and `metrics` still hold their tokens.

    Either `build` is set or `command` is not empty. Relative paths are already joined to base_dir, the file's folder,
    except for those that begin with a token. profile_rate: bytes per heap profile sample, None = Go's default.
    stop_grace: seconds between SIGTERM and SIGKILL. agent: None = not set.
    stderr_split: with the agent, os.Stderr is a pipe of its own, so that gctrace is alone on descriptor 2.
    peak_profile: with the agent, keep the heap profile of the window's highest GC cycle; each new peak forces a cycle.
    follow: a program that ends with status 0 and leaves a process that serves is a daemon, and has not died.
    retention: what a heap dump of it may take. trace: its flight recorder, None for none.
    ignore_goroutines: globs of goroutines that are no leak.
    against_binary: what a prebuilt service is compared with; may hold ${VAR}.
    memory_limit: what it may use, None for no limit.
    """

    name: str
    build: BuildSpec | None
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    ready: Ready
    pprof: str | None
    gc: GcSettings
    profile_rate: int | None
    tree: bool
    stop_grace: float
    agent: bool | None
    place: Place
    base_dir: Path
    stderr_split: bool = True
    peak_profile: bool = False
    against_binary: str | None = None
    expvar: str | None = None
    metrics: str | None = None
    follow: bool = False
    retention: DumpLimits = DEFAULT_LIMITS
    trace: FlightRecorder | None = None
    ignore_goroutines: tuple[str, ...] = ()
    memory_limit: MemoryLimitSettings | None = None


def parse_service(node: Located, name: str, base_dir: Path) -> ServiceConfig:
    """Read one service. Raises ConfigErrors with every mistake in it."""
    mistakes = Mistakes()
    fields = Fields(node, _KEYS, mistakes)
    if _NAME.fullmatch(name) is None:
        mistakes.add(node.error(f"'{name}' is not a service name", "use letters, digits, '_', '-' and '.'"))
    with mistakes.kept():
        _one_start(node, fields)
    command = _command(fields, base_dir)
    args = fields.read("args", texts, ())
    env: Mapping[str, str] = fields.read("env", _service_env, {})
    words = (*command, *args, *env.values())
    ports = ports_named(words)
    service = ServiceConfig(
        name=name,
        build=fields.read("build", _build, None),
        command=command,
        args=args,
        env=env,
        cwd=fields.read("cwd", lambda cwd: Path(_joined(filled(cwd), base_dir)), base_dir),
        ready=fields.read("ready", lambda ready: parse_ready(ready, ports), default_ready(words)),
        pprof=fields.read("pprof", lambda url: _url(url, ports, "/debug/pprof"), None),
        gc=fields.read("gc", _gc, GcSettings()),
        profile_rate=fields.read("profile_rate", whole(0), None),
        tree=fields.read("tree", flag, False),
        stop_grace=fields.read("stop_grace", _seconds, STOP_GRACE),
        agent=fields.read("agent", flag, None),
        place=node.place,
        base_dir=base_dir,
        stderr_split=fields.read("stderr_split", flag, True),
        peak_profile=fields.read("peak_profile", flag, False),
        against_binary=fields.read("against_binary", lambda path: _joined(filled(path), base_dir), None),
        expvar=fields.read("expvar", lambda url: _url(url, ports, "/debug/vars"), None),
        metrics=fields.read("metrics", lambda url: _url(url, ports, "/metrics"), None),
        follow=fields.read("follow", flag, False),
        retention=fields.read("retention", parse_dump_limits, DEFAULT_LIMITS),
        trace=fields.read("trace", parse_trace, None),
        ignore_goroutines=fields.read("ignore_goroutines", goroutine_globs, ()),
        memory_limit=chosen(None, fields.read(MEMORY_LIMIT, parse_memory_limit, None)),
    )
    mistakes.raise_all()
    return service


def _one_start(node: Located, fields: Fields) -> None:
    said = [key for key in _STARTS if key in fields.said]
    if not said:
        raise node.error("nothing to start", "one of build, binary or command is needed")
    if len(said) > 1:
        raise fields.said[said[1]].error(
            f"'{said[1]}' cannot go with '{said[0]}'", "keep one of build, binary, command"
        )
    if said == ["build"] and "against_binary" in fields.said:
        raise fields.said["against_binary"].error(
            "cannot go with 'build', which is built at the other commit", "leave it out, or use binary instead of build"
        )


def _command(fields: Fields, base_dir: Path) -> tuple[str, ...]:
    def words(node: Located) -> tuple[str, ...]:
        found = texts(node)
        if not found or not found[0]:
            raise node.error("names no program", "the first item is the program: [./bin/api, serve]")
        # As in a shell, a bare name is looked up on PATH and a name with a slash is a path.
        return (_joined(found[0], base_dir) if "/" in found[0] else found[0], *found[1:])

    binary = fields.read("binary", lambda node: (_joined(filled(node), base_dir),), ())
    return fields.read("command", words, ()) or binary


def _joined(path: str, base_dir: Path) -> str:
    return path if _TOKEN_FIRST.match(path) else str(base_dir / path)


def _build(node: Located) -> BuildSpec:
    if isinstance(node.value, str):
        return BuildSpec(filled(node))
    mistakes = Mistakes()
    fields = Fields(node, _BUILD_KEYS, mistakes)
    if "package" not in fields.said:
        mistakes.add(node.error("names no package", "write  build: ./cmd/api  or  build: {package: ./cmd/api, ...}"))
    build = BuildSpec(
        package=fields.read("package", filled, ""),
        flags=fields.read("flags", texts, ()),
        tags=fields.read("tags", texts, ()),
        env=fields.read("env", _env, None),
    )
    mistakes.raise_all()
    return build


def _env(node: Located) -> dict[str, str]:
    mistakes, found = Mistakes(), {}
    for name, member in members(node).items():
        with mistakes.kept():
            if not name or "=" in name or "\0" in name:
                raise member.error(f"{name!r} is not the name of an environment variable")
            found[name] = text(member)
    mistakes.raise_all()
    return found


def _service_env(node: Located) -> dict[str, str]:
    mistakes = Mistakes()
    for name, member in members(node).items():
        with mistakes.kept():
            check_env({name: member}, member.place)
    with mistakes.kept():
        found = _env(node)
    mistakes.raise_all()
    return found


def _gc(node: Located) -> GcSettings:
    settings = parse_gc(members(node), node.place)
    check(settings, node.place)
    return settings


def _url(node: Located, ports: tuple[str, ...], path: str) -> str:
    url = text(node)
    if URL.fullmatch(url) is None:
        raise node.error(f"{node.shown} is not a URL", f'such as "http://127.0.0.1:{{port:admin}}{path}"')
    check_ports(node, ports_named([url]), ports)
    return url


def _seconds(node: Located) -> float:
    return quantity(SECONDS)(node).value
