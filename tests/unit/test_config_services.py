"""Services of gomem.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_gomem.base.errors import ConfigErrors, Place
from pytest_gomem.config.fields import located
from pytest_gomem.config.ready import Ready
from pytest_gomem.config.services import BuildSpec, ServiceConfig, parse_service

BASE = Path("/base")


def read(**values: object) -> ServiceConfig:
    return parse_service(located(values, Place("gomem.yaml", 3, "services.api")), "api", BASE)


def test_a_service_of_one_line_has_calm_defaults() -> None:
    """Only what to start must be said."""
    service = read(binary="bin/api")
    assert service.command == ("/base/bin/api",)
    assert (service.build, service.args, dict(service.env), service.cwd) == (None, (), {}, BASE)
    assert service.ready == Ready("started", "", "", 10.0)
    assert (service.pprof, service.profile_rate, service.tree, service.stop_grace) == (None, None, False, 5.0)
    assert service.agent is None
    assert (service.gc.gogc, service.base_dir, service.place.line) == (None, BASE, 3)


def test_a_build_is_a_package_or_a_mapping() -> None:
    """The short form names the package; the long one adds flags, tags and environment."""
    assert read(build="./cmd/api").build == BuildSpec("./cmd/api")
    spec = {"package": "./cmd/api", "flags": ["-trimpath"], "tags": ["prod"], "env": {"CGO_ENABLED": "0", "GOGC": 400}}
    assert read(build=spec).build == BuildSpec(
        "./cmd/api", ("-trimpath",), ("prod",), {"CGO_ENABLED": "0", "GOGC": "400"}
    )


@pytest.mark.parametrize(
    ("values", "command"),
    [
        ({"binary": "api"}, ("/base/api",)),
        ({"binary": "/opt/api"}, ("/opt/api",)),
        ({"binary": "${BIN}/api"}, ("${BIN}/api",)),
        ({"command": ["./bin/api", "serve"]}, ("/base/bin/api", "serve")),
        ({"command": ["env", "bin/api"]}, ("env", "bin/api")),
        ({"command": ["{tmp}/api", 8080]}, ("{tmp}/api", "8080")),
    ],
)
def test_paths_start_at_the_file(values: dict[str, object], command: tuple[str, ...]) -> None:
    """Relative paths belong to the file's folder; a bare command is left to PATH, a token to the launch."""
    assert read(**values).command == command


@pytest.mark.parametrize(
    ("args", "ready", "expected"),
    [
        ([], None, Ready("started")),
        (["{port}"], None, Ready("tcp")),
        (["{port:grpc}"], None, Ready("tcp", port="grpc")),
        (["{port:admin}", "{port}"], None, Ready("tcp")),
        (["{port}"], {"timeout": "1min"}, Ready("tcp", timeout=60.0)),
        ([], {"timeout": 3}, Ready("started", timeout=3.0)),
        ([], {"tcp": True}, Ready("tcp")),
        (["{port}"], {"http": "/healthz"}, Ready("http", "/healthz")),
        (["{port:web}"], {"http": "/healthz"}, Ready("http", "/healthz", "web")),
        (["{port}{port:admin}"], {"http": "/h", "port": "admin"}, Ready("http", "/h", "admin")),
        ([], {"http": "https://[::1]:{port}/h"}, Ready("http", "https://[::1]:{port}/h")),
        (["{port}"], {"log": r"listening on \d+"}, Ready("log", r"listening on \d+")),
    ],
)
def test_readiness(args: list[str], ready: object, expected: Ready) -> None:
    """Said or not, readiness is one kind, one port and one timeout."""
    said = {"ready": ready} if ready is not None else {}
    assert read(binary="x", args=args, **said).ready == expected


def test_ports_may_stand_in_the_environment() -> None:
    """A port that only a variable names counts as the service's own."""
    assert read(binary="x", env={"LISTEN": ":{port:web}"}).ready == Ready("tcp", port="web")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "api: nothing to start"),
        ({"build": "./a", "binary": "b"}, "api.binary: 'binary' cannot go with 'build'"),
        ({"build": {}}, "api.build: names no package"),
        ({"build": {"pkg": "./a", "package": "./a"}}, "did you mean package?"),
        ({"build": None}, "api.build: names no package"),
        ({"build": ["./a"]}, "api.build: expected a mapping, not a list"),
        ({"build": {"package": "./a", "tags": "prod"}}, "api.build.tags: expected a list, not 'prod'"),
        ({"binary": ""}, "api.binary: must not be empty"),
        ({"command": []}, "api.command: names no program"),
        ({"command": "api serve"}, "api.command: expected a list"),
        ({"args": "--port 1"}, "api.args: expected a list, not '--port 1'"),
        ({"args": ["a", {"port": None}]}, "api.args[1]: expected text, not a mapping\n  text with braces needs quotes"),
        ({"args": [None]}, "api.args[0]: expected text, not nothing"),
        ({"env": {"A": None}}, 'api.env.A: expected text, not nothing\n  write ""'),
        ({"env": {"A=B": "1"}}, "'A=B' is not the name of an environment variable"),
        ({"env": {"GOGC": "50"}}, "api.env.GOGC: GOGC cannot be set through env\n  write  gc: {gogc: ...}"),
        ({"env": ["A=1"]}, "api.env: expected a mapping, not a list"),
        ({"cwd": ""}, "api.cwd: must not be empty"),
        ({"ready": "tcp"}, "api.ready: expected a mapping, not 'tcp'"),
        ({"ready": {"htp": "/x"}}, "did you mean http?"),
        ({"ready": {"http": "/x", "log": "x"}}, "api.ready: waits for both http and log"),
        ({"ready": {"http": "healthz"}}, "api.ready.http: 'healthz' is neither a path nor a URL"),
        ({"ready": {"tcp": False}}, "api.ready.tcp: tcp: false waits for nothing"),
        ({"ready": {"tcp": "yes"}}, "api.ready.tcp: expected true or false"),
        ({"ready": {"log": "("}}, "api.ready.log: '(' is not a regular expression"),
        ({"ready": {"timeout": 0}}, "api.ready.timeout: a timeout of 0"),
        ({"ready": {"timeout": "10 parsecs"}}, "api.ready.timeout: '10 parsecs'"),
        ({"args": ["{port:admin}"], "ready": {"tcp": True, "port": "admn"}}, "did you mean admin?"),
        ({"args": ["{port}"], "ready": {"tcp": True, "port": "admin"}}, "uses {port:admin}"),
        ({"args": ["{port:a}"], "ready": {"http": "http://h:{port}/"}}, "uses {port}"),
        ({"args": ["{port:admin}"], "pprof": "http://h:{port:admn}/debug"}, "api.pprof: no argument"),
        ({"pprof": "/debug/pprof"}, "api.pprof: '/debug/pprof' is not a URL"),
        ({"pprof": {"port": None}}, "api.pprof: expected text, not a mapping"),
        ({"gc": {"gogc": "off"}}, "api.gc: gogc off without a memory limit"),
        ({"gc": {"gogc": "abc"}}, "api.gc.gogc: 'abc'"),
        ({"gc": 100}, "api.gc: expected a mapping, not 100"),
        ({"profile_rate": -1}, "api.profile_rate: expected a whole number of at least 0"),
        ({"retention": {"max_dump": "8M"}}, "api.retention.max_dump: '8M': 'M' does not fit bytes"),
        ({"retention": {"objects": 1}}, "api.retention.objects: unknown key 'objects'\n  did you mean max_objects?"),
        ({"tree": 1}, "api.tree: expected true or false"),
        ({"stop_grace": "soon"}, "api.stop_grace: 'soon' is not a quantity"),
        ({"agent": "auto"}, "api.agent: expected true or false"),
        ({"comand": ["x"]}, "api.comand: unknown key 'comand'\n  did you mean command?"),
    ],
)
def test_a_wrong_service_is_refused(values: dict[str, object], says: str) -> None:
    """Each mistake in a service gives one message with file, line and key."""
    if not {"build", "binary", "command"} & set(values) and values:
        values = {"binary": "x", **values}
    with pytest.raises(ConfigErrors) as caught:
        read(**values)
    (error,) = caught.value.errors
    assert says in str(error)
    assert str(error).startswith("gomem.yaml:3 services.api")


def test_all_mistakes_of_a_service_are_reported() -> None:
    """Mistakes in different members do not hide each other."""
    with pytest.raises(ConfigErrors) as caught:
        read(args=[None, {}], env={"GOGC": 1, "A": None}, gc={"gogc": 0, "gomemlimit": 0}, tree="x", zebra=1)
    assert len(caught.value.errors) == 9


@pytest.mark.parametrize("name", ["", "a/b", "../x", "-x", "a b", "[x]"])
def test_a_service_name_is_fit_for_a_file_name(name: str) -> None:
    """Baselines and artifacts are filed under the name."""
    with pytest.raises(ConfigErrors, match="is not a service name"):
        parse_service(located({"binary": "x"}, Place()), name, BASE)
