"""What `gomem init` reads from the source of a program: its options, where it listens, its paths, its Dockerfile."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.scaffold.addresses import listening
from pytest_gomem.scaffold.dockerfile import Dockerfile, read_dockerfile
from pytest_gomem.scaffold.go_text import GoText
from pytest_gomem.scaffold.options import read_options
from pytest_gomem.scaffold.programs import Program
from pytest_gomem.scaffold.repository import Module
from pytest_gomem.scaffold.serving import serving_of


def program(*texts: str) -> Program:
    files = tuple(GoText.of(f"f{number}.go", f"package main\n{text}") for number, text in enumerate(texts))
    return Program("./cmd/api", "api", Module(Path("/r"), "example.com/r"), files)


def listens(*texts: str) -> dict[str, str]:
    """By option: what it is given."""
    return {str(one.option): one.value for one in listening(read_options(program(*texts)))}


ADDRESS = "127.0.0.1:{port}"
KONG = 'import "github.com/alecthomas/kong"\ntype o struct {\n\tListenAddr string `help:"x" default:":80"`\n}'
ENVCONFIG = 'type c struct {\n\tPort int `envconfig:"port" default:"80"`\n}\nvar x = envconfig.Process("app", &c{})'
VIPER = 'viper.SetEnvPrefix("shop")\nviper.SetDefault("server.port", 80)\nviper.AutomaticEnv()'
SEVERAL = """
var a = flag.String("listen", ":80", "")
var b = flag.String("admin", ":81", "")
var c = flag.String("metrics-addr", ":81", "")
var d = flag.Int("grpc-port", 9, "")
"""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('var a = flag.String("addr", ":8080", "where")', {"flag -addr": ADDRESS}),
        ('flag.StringVar(&c.listen, "listen-address", "0.0.0.0:80", "")', {"flag -listen-address": ADDRESS}),
        ('fs.IntVar(&c.port, "port", 8080, "")', {"flag -port": "{port}"}),
        ('f.IntVarP(&port, "port", "p", 3000, "")', {"flag -port": "{port}"}),
        ('f.Uint16P("http-port", "p", 3000, "")', {"flag -http-port": "{port}"}),
        ('flag.String("port", ":9000", "")', {"flag -port": ":{port}"}),
        ('const at = ":1"\nfunc f() { flag.String("addr", at, "") }', {"flag -addr": ADDRESS}),
        ('kingpin.Flag("web.listen-address", "x").Default(":9100").String()', {"flag -web.listen-address": ADDRESS}),
        ('toolkit := kingpinflag.AddFlags(kingpin.CommandLine, ":9100")', {"flag -web.listen-address": ADDRESS}),
        ('&cli.IntFlag{Name: "port", Value: 80, EnvVars: []string{"PORT"}}', {"flag -port": "{port}"}),
        ('cli.StringFlag{\n Name:  "bind, b",\n Value: "localhost:80",\n}', {"flag -bind": ADDRESS}),
        ('port := os.Getenv("PORT")\nif port == "" {\n\tport = "8080"\n}', {"variable PORT": "{port}"}),
        ('addr := envOr("HTTP_ADDR", ":8080")', {"variable HTTP_ADDR": ADDRESS}),
        (VIPER, {"variable SHOP_SERVER_PORT": "{port}"}),
        ('type c struct {\n\tPort int `env:"PORT" envDefault:"80"`\n}', {"variable PORT": "{port}"}),
        (ENVCONFIG, {"variable APP_PORT": "{port}"}),
        ('type o struct {\n\tAddr string `long:"addr" default:":80"`\n}', {"flag -addr": ADDRESS}),
        (KONG, {"flag -listen-addr": ADDRESS}),
        # A flag is seen in the arguments, so it wins over a variable of the same role.
        ('flag.String("addr", ":80", "")\nvar x = os.Getenv("PORT")', {"flag -addr": ADDRESS}),
        # Each further address has a port of its own.
        (
            SEVERAL,
            {
                "flag -listen": ADDRESS,
                "flag -metrics-addr": "127.0.0.1:{port:admin}",
                "flag -grpc-port": "{port:grpc}",
            },
        ),
        ('flag.Int("grpc-port", 50051, "")', {"flag -grpc-port": "{port}"}),
        # None of these says where the program itself listens.
        ('flag.String("redis-addr", "localhost:6379", "")\nos.Getenv("DATABASE_PORT")', {}),
        ('flag.String("name", "x", "")\nflag.Int("workers", 8, "")', {}),
        ('// flag.String("addr", ":8080", "")\n/* os.Getenv("PORT") */', {}),
        ('cmd.Flags().GetString("addr")', {}),
    ],
)
def test_where_a_program_listens(source: str, expected: dict[str, str]) -> None:
    """Flags of the libraries that people use, and variables, with what to give them."""
    assert listens(source) == expected


@pytest.mark.parametrize(
    ("source", "kind", "port"),
    [
        ('func main() { http.ListenAndServe(":8080", nil) }', "http", 8080),
        ('func main() { s := &http.Server{Addr: "localhost:81"}; s.ListenAndServe() }', "http", 81),
        ('const addr = ":82"\nfunc main() { http.ListenAndServe(addr, nil) }', "http", 82),
        ('func main() { r := gin.Default(); r.Run(":83") }', "http", 83),
        ("func main() { s := grpc.NewServer() }", "grpc", 0),
        ('func main() { l, _ := net.Listen("tcp", ":84") }', "tcp", 84),
        ('func main() { fmt.Println("http.ListenAndServe") }', "", 0),
        ('func main() { http.Get("http://localhost:80/") }', "", 0),
    ],
)
def test_how_a_program_serves(source: str, kind: str, port: int) -> None:
    """By its calls; one that makes none of them ends by itself."""
    found = serving_of(program(source))
    assert (found.kind, found.fixed_port) == (kind, port)


def test_paths_are_told_apart_by_what_a_request_may_do() -> None:
    """Those of health are found by name, GET alone is work for a test, and any other method may change something."""
    found = serving_of(
        program(
            'm.HandleFunc("GET /users", f)\nm.HandleFunc("/delete", f)\nr.GET("/items/:id", f)\nr.Get("/items", f)\n'
            'm.HandleFunc("/orders", f)\nr.Route("/api/v1/healthz", f)\nr.POST("/x", f)\nm.Handle("GET /{$}", f)\n'
            'http.HandleFunc("/ping", f)\nhttp.ListenAndServe("", nil)\nhttp.Handle("/debug/pprof/", f)'
        )
    )
    assert [route.path for route in found.health] == ["/api/v1/healthz", "/ping"]
    assert [route.path for route in found.routes if route.is_get] == ["/users", "/items", "/"]
    assert [route.path for route in found.routes if not route.is_get] == ["/orders"]


def test_a_subcommand_that_serves_is_found() -> None:
    """Of cobra and of urfave/cli."""
    cobra = 'import "github.com/spf13/cobra"\nvar c = &cobra.Command{Use: "serve [flags]"}\nvar x = http.Server{}'
    urfave = 'import "github.com/urfave/cli/v2"\nvar c = &cli.Command{Name: "start"}\nvar x = http.Server{}'
    assert [serving_of(program(text)).command for text in (cobra, urfave)] == ["serve", "start"]
    assert serving_of(program('var x = http.Server{}\nvar y = thing{Name: "start"}')).command == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Dockerfile()),
        (
            "FROM golang\nRUN CGO_ENABLED=0 \\\n  # quick\n  go build -o /bin/api ./cmd/api\nEXPOSE 8080/tcp 53/udp\n"
            'ENV MODE=prod LOG "x y"\nENTRYPOINT ["/bin/api"]\nCMD ["serve", "--x"]\n',
            Dockerfile(("./cmd/api",), "/bin/api", ("serve", "--x"), {"MODE": "prod"}, (8080,)),
        ),
        ("ENV A b c\nCMD exec /bin/x -v", Dockerfile((), "/bin/x", ("-v",), {"A": "b c"}, ())),
        ('CMD ["broken\nRUN go build -ldflags "-s -w" "./x', Dockerfile()),
    ],
)
def test_a_dockerfile(text: str, expected: Dockerfile) -> None:
    """What it builds and runs; what cannot be read is left out."""
    assert read_dockerfile(text) == expected


@pytest.mark.parametrize(
    ("name", "head", "is_built"),
    [
        ("a.go", "", True),
        ("a_test.go", "", False),
        ("a_windows.go", "", False),
        ("a.go", "//go:build ignore\n\n", False),
        ("a.go", "//go:build linux && !cgo\n", False),
        ("a.go", "//go:build (linux || darwin) && go1.21\n", True),
        ("a.go", "//go:build linux &&\n", True),
    ],
)
def test_files_that_a_build_leaves_out(name: str, head: str, is_built: bool) -> None:
    """By name or constraint; in doubt a file is read."""
    assert GoText.of(name, f"{head}package main\n").is_built is is_built


@given(st.text(alphabet="ab\"`'\\/*\n(){},:.=1 flgSrin", max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    """Half-written source gives fewer findings, and never an error."""
    one = program(f'{text}\nflag.String("addr", ":1", {text}')
    read_options(one)
    serving_of(one)
    read_dockerfile(text)
