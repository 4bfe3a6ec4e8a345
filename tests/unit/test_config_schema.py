"""The JSON Schema of gomem.yaml and its readers know the same keys, and refuse the same types."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema_rs import meta, validator_for

from pytest_gomem.base.errors import ConfigErrors
from pytest_gomem.base.units import BYTES
from pytest_gomem.config.gomem_yaml import load_config
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.scaffold.config_schema import FIRST_WORDS, config_schema, named_schema, schema_text

ROOT = Path(__file__).parents[2]
REGISTRY = Registry(builtin_metrics())
VALIDATOR = validator_for(config_schema())
# Every key, most of them in one of their forms.
WHOLE: dict[str, Any] = {
    "version": 1,
    "ignore_goroutines": ["main.poll*"],
    "services": {
        "api": {
            "build": {"package": "./cmd/api", "flags": ["-trimpath"], "tags": ["prod"], "env": {"CGO_ENABLED": 0}},
            "args": ["--listen", "{port:admin}", 8080],
            "env": {"LOG": "warn", "RATE": 1.5, "DEBUG": True},
            "cwd": ".",
            "ready": {"http": "/healthz", "port": "admin", "timeout": "10s"},
            "pprof": "http://127.0.0.1:6060/debug/pprof",
            "expvar": "http://127.0.0.1:6060/debug/vars",
            "metrics": "http://127.0.0.1:6060/metrics",
            "gc": {
                "gogc": "off",
                "gomemlimit": "1GiB",
                "gomaxprocs": 2,
                "godebug": {"a": 1},
                "manual_gc": "100MB",
                "unbounded": False,
            },
            "memory_limit": {"max": "2GiB", "mode": "auto"},
            "profile_rate": 512,
            "tree": False,
            "follow": False,
            "stop_grace": "5s",
            "agent": True,
            "stderr_split": True,
            "peak_profile": False,
            "retention": {"max_dump": "2GB", "max_objects": "8M"},
            "trace": {"flight": "8MiB", "when": {"pause": "10ms", "latency": "0.25s"}},
            "ignore_goroutines": ["created by main.(*Pool).*"],
        },
        "job": {"binary": "./job", "against_binary": "./old", "ready": {"log": "up"}, "memory_limit": "64MiB"},
        "other": {"command": ["./x", "serve"], "ready": {"tcp": True}},
        "short": {"build": "./cmd/b"},
    },
    "budgets": {
        "defaults": {"gc_cpu": "10%", "goroutines": 200},
        "services": {
            "api": {
                "prom:http_requests_total{code=500} per_op": "2/op",
                "throughput": ">= 100/s",
                "alloc_rate": "1MiB/min",
            }
        },
        "tests": {
            "t*": {
                "live_heap": {"max": "64MiB", "warn": "60MiB", "min": 1, "regression": "2%"},
                "alloc_bytes_per_op": "1 kB/op",
                "time_to_limit": {"min": "24h", "limit": "512MiB"},
                "alloc_space": {"main.*": {"max": "1MB", "cum": True}},
                "objects": {"*main.Session": 0},
                "phases": {"login": {"peak_rss": "50MB"}},
            }
        },
    },
}
WRONG = st.sampled_from([None, True, -1, 0, 1.5, "", " ", "abc", "10MB", [], ["x"], {}, {"reddy": 1}, [[]], {"a": {}}])
# What only one mapping, or one value, shows to be wrong, and what is about how keys go together.
OF_TYPE = re.compile(r"unknown (key|metric)|expected (a|text|true|version)|must not be empty|is not a quantity in")


def refusals(data: object, tmp_path: Path) -> list[str]:
    """Each mistake that the readers find."""
    path = tmp_path / "gomem.yaml"
    path.write_text(json.dumps(data))
    try:
        load_config(path, REGISTRY.units())
    except ConfigErrors as errors:
        return [str(error) for error in errors.errors]
    return []


def paths(data: object, at: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The place of each value."""
    yield at
    members = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, member in members:
        yield from paths(member, (*at, key))


def changed(at: tuple[object, ...], value: object) -> Any:
    """WHOLE with this value at that place."""
    data: Any = {"": copy.deepcopy(WHOLE)}
    place = data
    *above, last = ("", *at)
    for key in above:
        place = place[key]
    place[last] = value
    return data[""]


def test_the_schema_is_what_the_readers_make_it() -> None:
    """The file in the package is a correct schema of draft 2020-12, and the one that `make schema` writes."""
    meta.validate(config_schema())
    assert config_schema() == json.loads(schema_text(REGISTRY))


def test_a_file_with_every_key_is_fine_for_both(tmp_path: Path) -> None:
    assert refusals(WHOLE, tmp_path) == []
    VALIDATOR.validate(WHOLE)


def test_that_file_has_every_key() -> None:
    """So that the tests below try them all."""
    said = {key for at in paths(WHOLE) for key in at if isinstance(key, str)}
    keys = set[str]()
    for schema in (config_schema(), *config_schema()["$defs"].values()):
        keys |= {key for found in properties(schema) for key in found}
    assert keys - said - set(config_schema()["$defs"]["metrics"]["properties"]) == set()


def properties(schema: object) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield from [schema["properties"]] if isinstance(schema.get("properties"), dict) else []
    for member in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from properties(member)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.sampled_from(list(paths(WHOLE))), value=WRONG)
def test_both_judge_types_alike(tmp_path: Path, at: tuple[object, ...], value: object) -> None:
    """What the readers take the schema takes; an unknown key or a wrong type is refused by both."""
    data = changed(at, value)
    found = refusals(data, tmp_path)
    if not found:
        VALIDATOR.validate(data)
    elif any(OF_TYPE.search(words) for words in found):
        assert not VALIDATOR.is_valid(data), found


@pytest.mark.parametrize("at", list(paths(WHOLE)), ids=lambda at: ".".join(map(str, at)) or "file")
def test_an_unknown_key_is_refused_by_both_at_every_place(tmp_path: Path, at: tuple[object, ...]) -> None:
    place: Any = WHOLE
    for key in at:
        place = place[key]
    if not isinstance(place, dict):
        return
    data = changed(at, {**place, "reddy": {"x": [[]]}})
    assert refusals(data, tmp_path)
    assert not VALIDATOR.is_valid(data)


def blocks(language: str) -> Iterator[str]:
    for page in sorted((ROOT / "docs").glob("*.md")):
        yield from re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def test_the_files_of_the_documentation_obey_the_schema() -> None:
    """And that of the example."""
    every = [*filter(lambda text: text.startswith("version:"), blocks("yaml")), *map(Path.read_text, EXAMPLES)]
    assert len(every) > 5
    for text in every:
        VALIDATOR.validate(yaml.safe_load(text))


EXAMPLES = sorted((ROOT / "examples").rglob("gomem.yaml"))
# Refused for how keys, or a value's parts, go together: no schema of types says that.
BETWEEN_KEYS = (
    "gc: {gogc: off}",
    "gc: {gogc: 0}",
    "gc: {gomemlimit: 0}",
    "memory_limit: 256kB",
    'ignore_goroutines: ["main.go:41"]',
    "budgets: {defaults: {peak_rss: {max: 1GB, min: 2GB}}}",
    "budgets: {defaults: {peak_rss: {max: 1GB, warn: 2GB}}}",
    "budgets: {services: {web: {peak_rss: 1GB}}}",
    "ready: {http: /healthz, timeout: 0s}",
)


def documented_mistakes() -> list[str]:
    text = (ROOT / "docs" / "configuration.md").read_text()
    table = text[text.index("| Refused | Because |") :].partition("\n\n")[0]
    return [cell for cell in re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE) if cell not in BETWEEN_KEYS]


@pytest.mark.parametrize("written", documented_mistakes())
def test_the_documented_mistakes_of_a_type_are_refused(written: str) -> None:
    said = yaml.safe_load(written.replace("off", '"off"'))
    (key,) = said
    top = said if key in ("budgets", "services") else {"services": {"api": {"build": "./cmd/api", **said}}}
    assert not VALIDATOR.is_valid({"version": 1, **top})


def test_a_metric_of_your_own_is_in_the_schema_that_a_run_keeps(tmp_path: Path) -> None:
    """An editor that sees the built-in ones alone would underline it."""
    mine = next(iter(REGISTRY))
    registry = Registry([*REGISTRY, type(mine)(**{**vars(mine), "name": "queue_bytes", "unit": BYTES})])
    data = {"version": 1, "budgets": {"defaults": {"queue_bytes": "1MB"}}}
    assert validator_for(json.loads(schema_text(registry))).is_valid(data)
    assert not VALIDATOR.is_valid(data)


def test_the_named_schema_is_found_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "gomem.yaml"
    assert named_schema(path) is None
    path.write_text("version: 1\n")
    assert named_schema(path) is None
    path.write_text(f"{FIRST_WORDS}../x/y.json\nversion: 1\n")
    assert named_schema(path) == tmp_path.parent / "x" / "y.json"
