"""gomem.yaml as a whole: the documented example, and the files that are refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pytest_gomem.base.errors import ConfigErrors
from pytest_gomem.base.units import BYTES, COUNT, RATIO, SECONDS
from pytest_gomem.config.gomem_yaml import GomemConfig, load_config
from pytest_gomem.config.ready import Ready
from pytest_gomem.config.services import BuildSpec

UNITS = {
    "peak_rss": BYTES,
    "live_heap": BYTES,
    "gc_cpu": RATIO,
    "goroutines": COUNT,
    "time_to_limit": SECONDS,
    "alloc_space": BYTES,
}

EXAMPLE = """\
version: 1
services:
  api:
    build: ./cmd/api
    args: ["--listen", "127.0.0.1:{port}", "--admin", "127.0.0.1:{port:admin}", "--data", "{tmp}/db"]
    env: {LOG_LEVEL: warn, DATABASE_URL: "${DATABASE_URL}", COLOR: off, RATE: 1.10}
    cwd: .
    ready: {http: /healthz, timeout: 10s}
    pprof: "http://127.0.0.1:{port:admin}/debug/pprof"
    gc: {gogc: 100, gomemlimit: 1GiB, gomaxprocs: 2, godebug: {madvdontneed: 1}}
    agent: true
budgets:
  defaults: {gc_cpu: "10%"}
  services: {api: {goroutines: 200}}
  tests:
    "tests/test_mem.py::test_upload*":
      peak_rss: 1.8GB
      live_heap: {max: 64MiB, warn: 60MiB, regression: 2%}
      time_to_limit: ">= 24h"
      alloc_space: {"main.encode*": 10MB}
"""


@pytest.fixture
def load(tmp_path: Path):
    """Load a text as gomem.yaml."""

    def load_text(text: str) -> GomemConfig:
        path = tmp_path / "gomem.yaml"
        path.write_text(text)
        return load_config(path, UNITS)

    return load_text


def test_the_documented_service_is_read(load, tmp_path: Path) -> None:
    """Every member of the example arrives, words such as `off` as they are spelled."""
    service = load(EXAMPLE).services["api"]
    assert service.build == BuildSpec("./cmd/api")
    assert service.args[1::2] == ("127.0.0.1:{port}", "127.0.0.1:{port:admin}", "{tmp}/db")
    assert dict(service.env) == {
        "LOG_LEVEL": "warn",
        "DATABASE_URL": "${DATABASE_URL}",
        "COLOR": "off",
        "RATE": "1.10",
    }
    assert (service.cwd, service.base_dir) == (tmp_path, tmp_path)
    assert service.ready == Ready("http", "/healthz", "", 10.0)
    assert service.pprof == "http://127.0.0.1:{port:admin}/debug/pprof"
    assert (service.gc.gogc, service.gc.gomemlimit, dict(service.gc.godebug)) == (100, 2**30, {"madvdontneed": "1"})
    assert service.agent is True


def test_the_documented_budgets_are_read(load) -> None:
    """Budgets arrive by what they apply to, with their scope and line."""
    table = load(EXAMPLE).budgets
    (gc_cpu,) = table.defaults
    (goroutines,) = table.services["api"]
    peak, heap, limit, encode = table.tests["tests/test_mem.py::test_upload*"]
    assert (gc_cpu.metric, gc_cpu.max.value, gc_cpu.scope, gc_cpu.place.line) == ("gc_cpu", 0.1, "defaults", 13)
    assert (goroutines.max.value, goroutines.scope, goroutines.place.key) == (
        200.0,
        "services",
        "budgets.services.api.goroutines",
    )
    assert (peak.max.value, peak.max.written, peak.scope, peak.place.line) == (1.8e9, "1.8GB", "tests glob", 17)
    assert math.isclose(heap.regression.value, 0.02)
    assert (limit.min.value, limit.max) == (86400.0, None)
    assert (encode.metric, encode.function) == ("alloc_space", "main.encode*")


@pytest.mark.parametrize("text", ["version: 1", "version: 1\nservices:\nbudgets:\n  defaults:\n  tests:\n"])
def test_sections_may_be_empty(load, text: str) -> None:
    """A section whose content is commented out is an empty one."""
    config = load(text)
    assert not config.services
    assert not config.budgets.defaults


BROKEN = {
    "no version": ("services: {}", 1, "", "has no version"),
    "newer version": ("version: 2", 1, "version", "expected version 1, not 2"),
    "version as text": ("version: '1'", 1, "version", "expected version 1, not '1'"),
    "version as float": ("version: 1.0", 1, "version", "expected version 1, not 1.0"),
    "a list": ("- version: 1", 1, "", "expected a mapping, not a list"),
    "a word": ("version 1", 1, "", "expected a mapping, not 'version 1'"),
    "unknown section": ("version: 1\nservics: {}", 2, "servics", "did you mean services?"),
    "unknown scope": ("version: 1\nbudgets: {default: {}}", 2, "budgets.default", "did you mean defaults?"),
    "duplicate section": ("version: 1\nversion: 1", 2, "version", "given twice, in lines 1 and 2"),
    "services as list": ("version: 1\nservices: [api]", 2, "services", "expected a mapping, not a list"),
    "service without content": ("version: 1\nservices:\n  api:", 3, "services.api", "nothing to start"),
    "two starts": (
        "version: 1\nservices:\n  api:\n    build: ./a\n    binary: b",
        5,
        "services.api.binary",
        "keep one of build, binary, command",
    ),
    "unknown service key": (
        "version: 1\nservices:\n  api:\n    binary: b\n    arg: []",
        5,
        "services.api.arg",
        "did you mean args?",
    ),
    "unquoted port in a list": (
        "version: 1\nservices:\n  api:\n    binary: b\n    args:\n      - --listen\n      - {port}",
        7,
        "services.api.args[1]",
        "needs quotes",
    ),
    "unquoted port in brackets": (
        "version: 1\nservices:\n  api:\n    binary: b\n    args: [--listen, 127.0.0.1:{port}]",
        5,
        "services.api.args[1]",
        "needs quotes",
    ),
    "unquoted tmp": ("version: 1\nservices: {a: {binary: b, args: [{tmp}/db]}}", 2, "", "needs quotes"),
    "gogc off as a boolean": (
        "version: 1\nservices: {api: {binary: b, gc: {gogc: false}}}",
        2,
        "services.api.gc.gogc",
        'or "off"',
    ),
    "gogc off alone": (
        "version: 1\nservices:\n  api:\n    binary: b\n    gc: {gogc: off}",
        5,
        "services.api.gc",
        "unbounded: true",
    ),
    "gogc misspelled": (
        "version: 1\nservices: {api: {binary: b, gc: {gogc: abc}}}",
        2,
        "services.api.gc.gogc",
        "default, 100",
    ),
    "memory limit of nothing": (
        "version: 1\nservices: {api: {binary: b, gc: {gomemlimit: 0}}}",
        2,
        "services.api.gc.gomemlimit",
        "collect without end",
    ),
    "decimal memory limit": (
        "version: 1\nservices: {api: {binary: b, gc: {gomemlimit: 1GB}}}",
        2,
        "services.api.gc.gomemlimit",
        "B, KiB, MiB, GiB and TiB",
    ),
    "gc through env": (
        "version: 1\nservices: {api: {binary: b, env: {GOGC: 50}}}",
        2,
        "services.api.env.GOGC",
        "gc: {gogc: ...}",
    ),
    "ready without slash": (
        "version: 1\nservices: {api: {binary: b, ready: {http: healthz}}}",
        2,
        "services.api.ready.http",
        "a path begins with '/'",
    ),
    "unknown metric": (
        "version: 1\nbudgets:\n  defaults:\n    peak_rrs: 1GB",
        4,
        "budgets.defaults.peak_rrs",
        "did you mean peak_rss?",
    ),
    "wrong unit": (
        "version: 1\nbudgets: {defaults: {peak_rss: 5ms}}",
        2,
        "budgets.defaults.peak_rss",
        "'ms' does not fit",
    ),
    "time of day": (
        "version: 1\nbudgets: {defaults: {time_to_limit: 1:30}}",
        2,
        "budgets.defaults.time_to_limit",
        "'1:30'",
    ),
    "unquoted floor": ("version: 1\nbudgets:\n  defaults:\n    time_to_limit: >= 24h", 4, "", "needs quotes"),
    "unknown service": (
        "version: 1\nservices: {api: {binary: b}}\nbudgets: {services: {apy: {peak_rss: 1GB}}}",
        3,
        "budgets.services.apy",
        "did you mean api?",
    ),
    "service of a test": (
        "version: 1\nbudgets: {tests: {'t.py::*': {service: api}}}",
        2,
        "budgets.tests['t.py::*'].service",
        "unknown metric 'service'",
    ),
    "max below min": (
        "version: 1\nbudgets: {tests: {x: {peak_rss: {max: 1MB, min: 1GB}}}}",
        2,
        "budgets.tests.x.peak_rss.max",
        "below min",
    ),
    "warn beyond max": (
        "version: 1\nbudgets: {tests: {x: {peak_rss: {max: 1MB, warn: 1GB}}}}",
        2,
        "budgets.tests.x.peak_rss.warn",
        "never be seen",
    ),
    "profile metric without functions": (
        "version: 1\nbudgets: {tests: {x: {alloc_space: 10MB}}}",
        2,
        "budgets.tests.x.alloc_space",
        "per function",
    ),
    "budget duplicated": (
        "version: 1\nbudgets:\n  defaults:\n    peak_rss: 1GB\n    peak_rss: 2GB",
        5,
        "budgets.defaults.peak_rss",
        "in lines 4 and 5",
    ),
    "empty glob": ("version: 1\nbudgets: {tests: {'': {peak_rss: 1GB}}}", 2, "budgets.tests['']", "matches no test"),
    "empty": ("", 0, "", "the file is empty"),
    "tab": ("version: 1\nservices:\n\tapi: {}", 3, "", "indent with spaces"),
    "python object": (
        "version: 1\nservices: {a: {binary: !!python/object/apply:os.getcwd []}}",
        2,
        "services.a.binary",
        "is not allowed",
    ),
}


@pytest.mark.parametrize(("text", "line", "key", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_gives_one_clear_message(load, text: str, line: int, key: str, says: str) -> None:
    """One mistake, one message: with the line, the key, and what would be right."""
    with pytest.raises(ConfigErrors) as caught:
        load(text)
    (error,) = caught.value.errors
    assert (error.place.line, error.place.key) == (line, key)
    assert error.place.file.endswith("gomem.yaml")
    assert says in str(error)


def test_all_mistakes_come_at_once(load) -> None:
    """Services and budgets are both read to their ends, and the messages stand in the order of the file's parts."""
    with pytest.raises(ConfigErrors) as caught:
        load(
            "version: 3\nextra: 1\n"
            "services:\n  api: {args: [{port}], gc: {gogc: 0}}\n  api2: {binary: x, binary: y, ready: {tcp: no}}\n"
            "budgets:\n  defaults: {peak_rrs: 1}\n  services: {api: {peak_rss: -1}, web: {}}\n"
            "  tests: {x: {gc_cpu: 5s}}\n"
        )
    keys = [error.place.key for error in caught.value.errors]
    assert keys == [
        "services.api2.binary",
        "extra",
        "version",
        "services.api",
        "services.api.args[0]",
        "services.api.gc.gogc",
        "services.api2.ready.tcp",
        "budgets.defaults.peak_rrs",
        "budgets.services.api.peak_rss",
        "budgets.services.web",
        "budgets.tests.x.gc_cpu",
    ]
    assert str(caught.value).count("\n") >= len(keys) - 1


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(ConfigErrors, match=r"gomem\.yaml: cannot be read: No such file"):
        load_config(tmp_path / "gomem.yaml", UNITS)


def test_relative_configuration_paths_are_made_absolute(load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service's folder does not depend on where the tests change to."""
    load("version: 1\nservices: {api: {binary: bin/api, cwd: data}}")
    monkeypatch.chdir(tmp_path)
    service = load_config(Path("gomem.yaml"), UNITS).services["api"]
    assert (service.command, service.cwd) == ((f"{tmp_path}/bin/api",), tmp_path / "data")


def test_goroutines_that_are_no_leak_are_named_for_all_services_and_for_one(load):
    """What is read of both is ignored; a phase has no limit on the metric."""
    text = """version: 1
ignore_goroutines: ["main.poll"]
services:
  api: {binary: ./api, ignore_goroutines: ["created by main.(*Pool).*"]}
  other: {binary: ./other}
"""
    config = load(text)
    assert config.ignore_goroutines == ("main.poll",)
    assert config.services["api"].ignore_goroutines == ("created by main.(*Pool).*",)
    assert config.services["other"].ignore_goroutines == ()
    with pytest.raises(ConfigErrors, match=r"ignore_goroutines\[0\]: 'main.go:41' is a place, not a function"):
        load(text.replace("main.poll", "main.go:41"))
    with pytest.raises(ConfigErrors, match="leaked_goroutines cannot be budgeted in a phase"):
        load(text + "budgets: {defaults: {phases: {login: {leaked_goroutines: 0}}}}")
