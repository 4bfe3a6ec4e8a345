"""Whether a program serves, by which protocol, on which fixed port, and which paths it answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_gomem.scaffold.go_text import GoText
from pytest_gomem.scaffold.options import constants_of, value_of
from pytest_gomem.scaffold.programs import Program

# Plain texts: they are looked for in every file.
_HTTP = (
    ".ListenAndServe(", ".ListenAndServeTLS(", "http.Serve(", "http.ServeTLS(", "http.Server{", "gin.Default(",
    "gin.New(", "echo.New(", "fiber.New(", "fasthttp.Serve", "fasthttp.ListenAndServe",
)  # fmt: skip
_GRPC = ("grpc.NewServer(", "xds.NewGRPCServer(")
_TCP = ("net.Listen(", "net.ListenTCP(", "tls.Listen(", "net.ListenConfig")
_LISTEN = r"[\w.()&]+\.(?:ListenAndServe|ListenAndServeTLS|Listen|Run|Start)"
_FIXED = re.compile(r"(?:[\w.-]*|\[[\w:]*\]):([0-9]{2,5})")
_ROUTE = r"[\w.()]+\.(?:Handle|HandleFunc|HandlerFunc|Handler|GET|Get|Any|All|Path|Methods?|Mount|Route)"
_PATH = re.compile(r"(?P<get>GET\s+)?(?P<path>/[\w./~-]*)(?:\{\$\})?")
_HEALTH = (
    "/healthz", "/health", "/readyz", "/ready", "/livez", "/live", "/-/healthy", "/-/ready", "/ping", "/_health",
    "/healthcheck", "/health-check", "/status", "/up", "/alive", "/liveness", "/readiness",
)  # fmt: skip
_NO_WORK = re.compile(r"/debug(/|$)|/metrics$|/swagger|/favicon|\.\w{2,4}$|logout|shutdown|quit|delete|/static|/assets")
_SERVING_COMMANDS = ("serve", "server", "start", "run", "daemon", "web", "api", "http", "up", "listen", "agent")
_USE = re.compile(r'\bUse:\s*"([\w-]+)|\bName:\s*"([\w-]+)"')


@dataclass(frozen=True)
class Route:
    """A path that the program registers, and where. is_get: it is registered for GET alone."""

    path: str
    file: str
    line: int
    is_get: bool = False

    @property
    def is_health(self) -> bool:
        """Whether its name says that it tells of the program's health."""
        return self.path.endswith(_HEALTH)


@dataclass(frozen=True)
class Serving:
    """How a program serves. kind: "http", "grpc", "tcp", or "" for one that ends by itself.

    fixed_port: the port that the source fixes, 0 if there is none. command: the subcommand that serves.
    positional: the first argument is the port ("{port}") or the address.
    """

    kind: str
    fixed_port: int = 0
    command: str = ""
    positional: str = ""
    health: tuple[Route, ...] = ()
    routes: tuple[Route, ...] = ()
    has_pprof: bool = False


def serving_of(program: Program) -> Serving:
    """Read the program's source."""
    kinds = (("http", _HTTP), ("grpc", _GRPC), ("tcp", _TCP))
    kind = next((kind for kind, words in kinds if any(file.has(*words) for file in program.files)), "")
    constants = constants_of(program.files)
    routes = tuple({route.path: route for file in program.files for route in _routes(file, constants)}.values())
    return Serving(
        kind=kind,
        fixed_port=next((port for file in program.files for port in _fixed(file, constants)), 0),
        command=_command(program) if kind else "",
        positional=_positional(program) if kind else "",
        health=tuple(sorted((route for route in routes if route.is_health), key=_rank)),
        routes=tuple(route for route in routes if not route.is_health and not _NO_WORK.search(route.path)),
        has_pprof="net/http/pprof" in program.imports,
    )


def _rank(route: Route) -> tuple[int, int]:
    return next(i for i, known in enumerate(_HEALTH) if route.path.endswith(known)), len(route.path)


def _routes(file: GoText, constants: Mapping[str, str]) -> Iterator[Route]:
    for call in file.calls(_ROUTE):
        for written in call.arguments[:2]:
            found = _PATH.fullmatch(value_of(written, constants))
            if found:
                is_get = bool(found["get"]) or call.method in ("GET", "Get")
                yield Route(found["path"], file.name, call.line, is_get)
                break


def _fixed(file: GoText, constants: Mapping[str, str]) -> Iterator[int]:
    written = [one for call in file.calls(_LISTEN) for one in call.arguments[:2]]
    written += re.findall(r"\bAddr:\s*([^,\n}]+)", file.text)
    for one in written:
        found = _FIXED.fullmatch(value_of(one, constants))
        if found:
            yield int(found[1])


def _command(program: Program) -> str:
    """The subcommand that serves, of cobra or urfave/cli."""
    if not any("spf13/cobra" in path or "urfave/cli" in path for path in program.imports):
        return ""
    declared = {one or other for file in program.files for one, other in _USE.findall(file.text)}
    return next((name for name in _SERVING_COMMANDS if name in declared), "")


def _positional(program: Program) -> str:
    for file in program.files:
        if found := re.search(r'("[^"\n]*:"\s*\+\s*)?os\.Args\[1\]', file.text):
            return "{port}" if found[1] else "127.0.0.1:{port}"
    return ""
