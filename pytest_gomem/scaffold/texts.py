"""The text of the gomem.yaml and of the test that `gomem init` writes."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from pytest_gomem.scaffold.config_schema import FIRST_WORDS
from pytest_gomem.scaffold.limits import Limits
from pytest_gomem.scaffold.proposal import Proposal

_WIDTH = 100
_MOST_PATHS = 12
# The docstring of the file, its imports, the lines before the test, and the test.
_Parts = tuple[str, Sequence[str], Sequence[str], str]
UNMEASURED = Limits({"live_heap": "64MB"}, {}, None)  # a ceiling to begin with, where nothing was tried
_OF_PROGRAM = Limits({"peak_rss": "64MB"}, {}, None)
# A client of HTTP/2 in few lines, so that the first test of a gRPC server needs no generated code.
_GRPC = r"""
# A call of the standard health service, as HTTP/2 has it. A server without that service answers so, which is work too.
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
HEADERS = {
    ":method": "POST",
    ":scheme": "http",
    ":path": "/grpc.health.v1.Health/Check",
    ":authority": "localhost",
    "content-type": "application/grpc",
    "te": "trailers",
}


def frame(kind, flags, stream, content):
    return len(content).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + content


def call(port, times):
    fields = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    headers = b"".join(b"\0" + bytes([len(n)]) + n + bytes([len(v)]) + v for n, v in fields)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(HELLO)
        answers = connection.makefile("rb")
        for stream in range(1, 2 * times, 2):
            connection.sendall(frame(1, 4, stream, headers) + frame(0, 1, stream, bytes(5)))
            flags = answered = 0
            while not (answered == stream and flags & 1):
                head = answers.read(9)
                assert len(head) == 9, "the server closed the connection"
                answers.read(int.from_bytes(head[:3], "big"))
                flags, answered = head[4] if head[3] in (0, 1) else 0, int.from_bytes(head[5:], "big")
"""


def yaml_text(proposal: Proposal, schema: str, *, base: str = "") -> str:
    """gomem.yaml, with a comment for what was found. schema: the path that editors read; base: before its paths."""
    lines = [f"{FIRST_WORDS}{schema}"] if schema else []
    lines += [
        "# Which services there are, and how they start. `gomem doctor` checks this file.",
        "version: 1",
        "services:",
    ]
    return "\n".join([*lines, f"  {proposal.name}:", *(f"    {line}" for line in _service(proposal, base))]) + "\n"


def _service(proposal: Proposal, base: str) -> Iterator[str]:
    package = f"{base}/{proposal.package}" if base else proposal.package
    if proposal.build_env:
        yield "# go.work does not name this module."
        yield f"build: {{package: {_quoted(package)}, env: {_mapping(proposal.build_env)}}}"
    else:
        yield f"build: {_quoted(package)}"
    yield from _start(proposal)
    if proposal.cwd or base:
        yield f"cwd: {_quoted(f'{base}/{proposal.cwd}' if base else proposal.cwd)}"
    yield from _ready(proposal)


def _start(proposal: Proposal) -> Iterator[str]:
    if proposal.has_port:
        yield from _comment(f"{{port}} becomes a free port. {proposal.why.get('port', '')}")
    if any("{tmp}" in word for word in (*proposal.args, *proposal.env.values())):
        yield from _comment("{tmp} becomes a private folder, which is removed after each test.")
    if proposal.args:
        yield f"args: {json.dumps(list(proposal.args), ensure_ascii=False)}"
    if proposal.env:
        yield f"env: {_mapping(proposal.env)}"


def _ready(proposal: Proposal) -> Iterator[str]:
    if not proposal.kind:
        yield "# It ends by itself: the test runs it by gomem.run()."
        return
    if proposal.ready:
        place = f" ({proposal.why['ready']})" if proposal.why.get("ready") else ""
        yield from _comment(f"The test begins once this path answers{place}.")
        url = f"http://127.0.0.1:{proposal.fixed_port}{proposal.ready}" if proposal.fixed_port else proposal.ready
        yield f"ready: {{http: {_quoted(url)}}}"
    elif proposal.has_port:
        yield "# The test begins once the port accepts connections: the same as without this line."
        yield "ready: {tcp: true}"
    elif proposal.fixed_port:
        yield from _comment(f"It listens on port {proposal.fixed_port} alone, so two tests cannot run it at once.")
        yield f'ready: {{http: "http://127.0.0.1:{proposal.fixed_port}{proposal.path}"}}'


def _comment(words: str) -> list[str]:
    return textwrap.wrap(words.strip(), _WIDTH, initial_indent="# ", subsequent_indent="# ")


def _quoted(text: str) -> str:
    """Plain where YAML reads it back as it is."""
    return text if re.fullmatch(r"\.|[./][\w./-]*[\w/]", text, re.ASCII) else _json(text)


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _mapping(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {_json(value)}" for key, value in values.items()) + "}"


def python_text(proposal: Proposal, limits: Limits | None, measured_with: str) -> str:
    """The test file. limits: close above what was measured, None where nothing was. measured_with: Go and system."""
    given = limits or (UNMEASURED if proposal.kind else _OF_PROGRAM)
    doc, imports, helpers, body = _body(proposal)
    return (
        "\n".join(
            [
                f'"""{doc}"""',
                "",
                *imports,
                "import pytest",
                *helpers,
                "",
                "",
                *_why(given, measured_with),
                _marker(given),
                body,
            ]
        )
        + "\n"
    )


def _why(limits: Limits, measured_with: str) -> list[str]:
    if not limits.levels:
        return _comment("Nothing was measured yet: run the test, and lower the limit to what you see.")
    levels = ", ".join(f"{name} {level}" for name, level in limits.levels.items())
    return _comment(f"Close above what was measured with {measured_with}: {levels}.")


def _marker(limits: Limits) -> str:
    return f"@pytest.mark.gomem({', '.join(f'{name}={_json(limit)}' for name, limit in limits.limits.items())})"


def _body(proposal: Proposal) -> _Parts:
    kinds = {"http": _of_http, "grpc": _of_grpc, "tcp": _of_connections, "": _of_program}
    return kinds[proposal.kind](proposal)


def _of_http(proposal: Proposal) -> _Parts:
    if proposal.fixed_port:
        return _of_fixed_port(proposal)
    path, more = _json(proposal.path), ", allow_errors=True" if proposal.answers_errors else ""
    body = f"""\
def test_requests(go_service):
    \"\"\"The same work each time, so that the figures compare. Replace it by what your users do.\"\"\"
{_remarks(proposal)}    with go_service.warmup():
        go_service.load({path}, requests={max(10, proposal.requests // 10)}{more})
    go_service.load({path}, requests={proposal.requests}{more})"""
    return _what(proposal), (), (), body


def _of_fixed_port(proposal: Proposal) -> _Parts:
    body = f"""\
def test_requests(go_service):
    \"\"\"The same work each time, so that the figures compare. Replace it by what your users do.

    Let the service take its address from a flag or variable: then it gets a free port, and load() can be used.
    \"\"\"
{_remarks(proposal)}    with go_service.warmup():
        request({_json(proposal.path)}, {max(10, proposal.requests // 10)})
    request({_json(proposal.path)}, {proposal.requests})
    go_service.count({proposal.requests})


def request(path, times):
    connection = http.client.HTTPConnection("127.0.0.1", {proposal.fixed_port}, timeout=10)
    for _ in range(times):
        connection.request("GET", path)
        connection.getresponse().read()
    connection.close()"""
    return _what(proposal), ("import http.client", ""), (), body


def _remarks(proposal: Proposal) -> str:
    errors = "The path answers with an error, which is work as well." if proposal.answers_errors else ""
    paths = ", ".join(proposal.unasked[:_MOST_PATHS])
    others = f"The source names these paths too: {paths}." if paths else ""
    return "".join(f"    {line}\n" for line in _comment(f"{errors} {others}"))


def _of_grpc(proposal: Proposal) -> _Parts:
    port = proposal.fixed_port or "go_service.port"
    body = f"""\
def test_calls(go_service):
    \"\"\"The same calls each time. Put those of your own client here, and count them.\"\"\"
    with go_service.warmup():
        call({port}, 200)
    call({port}, 2000)
    go_service.count(2000)"""
    return _what(proposal), ("import socket", ""), _GRPC.rstrip().splitlines(), body


def _of_connections(proposal: Proposal) -> _Parts:
    port = proposal.fixed_port or "go_service.port"
    body = f"""\
def test_connections(go_service):
    \"\"\"Connections alone, the same number each time. Let your own client work here, and count what it does.\"\"\"
    with go_service.warmup():
        connect({port}, 50)
    connect({port}, 500)
    go_service.count(500)


def connect(port, times):
    for _ in range(times):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.shutdown(socket.SHUT_WR)"""
    return _what(proposal), ("import socket", ""), (), body


def _of_program(proposal: Proposal) -> _Parts:
    body = f"""\
def test_run(gomem):
    \"\"\"From its start to its end. Give it real work by `args` in gomem.yaml, or here by args=[...].\"\"\"
    gomem.run({_json(proposal.name)}, timeout="30s")"""
    return f"What a run of {proposal.name} may cost.", (), (), body


def _what(proposal: Proposal) -> str:
    return f"What {proposal.name} may cost."
