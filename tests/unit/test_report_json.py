"""The JSON report: its schema, its figures, and the way there and back."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import example, given
from jsonschema_rs import ValidationError, meta, validator_for
from report_samples import calmly, metric, runs, sample_run, sample_tests, usual_metrics, verdict, window

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.quantiles import Bucket
from pytest_gomem.measure.series import Series
from pytest_gomem.measure.work import LoadSummary
from pytest_gomem.report import json_report
from pytest_gomem.report.json_parts import ENVIRONMENT_KEYS
from pytest_gomem.report.json_schema import schema_text
from pytest_gomem.results.leaves import CodecError
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.window_record import MetricValue

VALIDATOR = validator_for(json_report.report_schema())

WINDOW_KEYS = [
    "name", "service", "build", "gc", "ops", "duration", "phases", "metrics", "rounds", "verdicts", "culprits",
    "load", "series", "artifacts",
]  # fmt: skip
VERDICT_KEYS = [
    "metric", "scope", "declared_at", "limit", "actual", "status", "baseline", "change", "interval", "rounds_needed",
]  # fmt: skip


def as_test(measured) -> TestRecord:
    return TestRecord("test_a.py::test_b", "passed", (measured,))


def as_run(measured) -> RunRecord:
    return RunRecord("0.1.0", {}, (as_test(measured),))


def windows_of(run: RunRecord) -> list[dict]:
    return [window for test in json_report.to_dict(run)["tests"] for window in test["windows"]]


def test_schema_is_what_records_and_rules_make_it():
    """schema.json is a correct JSON Schema of draft 2020-12, and the one that `make schema` writes."""
    meta.validate(json_report.report_schema())
    assert json_report.report_schema() == json.loads(schema_text())


def test_sample_run_obeys_the_schema():
    """The report of a run with every kind of test obeys the schema."""
    VALIDATOR.validate(json_report.to_dict(sample_run()))


@calmly
@given(runs)
@example(
    as_run(window(loads=tuple(LoadSummary(1, 0, 1.0, 1.0, None, 0.1, 0.1, latency) for latency in (math.inf, 0.1))))
)
@example(as_run(window(loads=tuple(LoadSummary(0, 0, took, 0.0, None, None, None, None) for took in (0.0, math.inf)))))
@example(as_run(window(metrics=(MetricValue("peak_rss", "bytes", Unavailable("")),))))
@example(as_run(window(metrics=(MetricValue("peak_rss", "bytes", Reading(math.inf, "")),))))
@example(as_run(window(histograms={"gc_stops": (Bucket(-math.inf, math.inf, 1),)})))
def test_every_run_obeys_the_schema_and_is_strict_json(run):
    """Whatever is in the records, the report obeys the schema and is strict UTF-8; when read it shows the same."""
    data = json_report.to_dict(run)
    VALIDATOR.validate(data)
    text = json.dumps(data, allow_nan=False, ensure_ascii=False).encode("utf-8")
    assert json.loads(text) == data
    assert json_report.to_dict(json_report.from_dict(json.loads(text))) == data


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(schema_version=2),
        lambda data: data.update(extra=1),
        lambda data: data["environment"].pop("thp"),
        lambda data: data["tests"][0]["windows"][0].pop("culprits"),
        lambda data: data["tests"][0]["windows"][0].update(extra=1),
        lambda data: data["tests"][0]["windows"][0]["verdicts"][0].update(status="good"),
        lambda data: data["tests"][0]["windows"][0]["verdicts"][1].update(reason=None),
        lambda data: data["tests"][0]["windows"][0]["metrics"]["peak_heap"].update(reason=None),
        lambda data: data["tests"][0]["windows"][0]["metrics"]["peak_heap"].update(reason=""),
        lambda data: data["tests"][0]["windows"][0]["metrics"]["peak_rss"].update(reason="both"),
        lambda data: data["tests"][0]["windows"][0]["metrics"]["peak_rss"].update(value="1.8GB"),
    ],
)
def test_schema_refuses(change):
    """The schema refuses missing and unknown keys, a wrong version, an unknown status and a null without a reason."""
    data = json_report.to_dict(sample_run())
    change(data)
    with pytest.raises(ValidationError):
        VALIDATOR.validate(data)


def test_all_listed_keys_are_there_even_where_empty():
    """An empty window and its verdict have every key of the contract; what was not done is empty or null."""
    bare = json_report.test_to_dict(as_test(window(verdicts=(verdict("peak_rss", "1GB", 5e8),))))["windows"][0]
    assert set(WINDOW_KEYS) <= set(bare)
    assert set(VERDICT_KEYS) <= set(bare["verdicts"][0])
    assert [bare[key] for key in ("phases", "rounds", "culprits", "load", "series", "artifacts", "metrics")] == [
        [], [], [], None, {}, {}, {},
    ]  # fmt: skip


def test_environment_has_every_key_of_the_contract():
    """What is unknown of the machine is null, not absent; what is known besides is kept."""
    data = json_report.to_dict(RunRecord("0.1.0", {"kernel": "6.18", "runner": "ci-3"}, ()))["environment"]
    assert {data[key] for key in ENVIRONMENT_KEYS} == {None, "6.18"}
    assert data["runner"] == "ci-3"


def test_verdict_tells_where_the_limit_was_declared_and_as_written():
    """The verdict carries the author's words and place, and the figures in base units."""
    made = json_report.test_to_dict(as_test(window(verdicts=(verdict("peak_rss", "1.8GB", 9e8),))))
    found = made["windows"][0]["verdicts"][0]
    assert found["declared_at"] == "gomem.yaml:31 budgets.tests.peak_rss"
    assert found["place"] == {"file": "gomem.yaml", "line": 31, "key": "budgets.tests.peak_rss"}
    assert (found["limit"], found["written"], found["unit"]) == (1_800_000_000, "1.8GB", "bytes")
    assert (found["actual"], found["headroom"], found["status"]) == (900_000_000, 0.5, "pass")


def test_a_list_of_numbers_is_one_line_of_the_file(tmp_path):
    """A text that looks like one stays as it is; all else is a line of its own, so that reports compare well."""
    series = {"rss": Series((0.5, 1.0), (-1.0, 2e-7))}
    json_report.write_json(as_run(window(series=series, log_tail="[\n 1,\n 2\n ]")), tmp_path / "report.json")
    text = (tmp_path / "report.json").read_text()
    assert [line.strip() for line in text.splitlines() if line.strip()[:3] in ('"t"', '"v"')] == [
        '"t": [0.5, 1],', '"v": [-1, 2e-07]',
    ]  # fmt: skip
    assert json.loads(text)["tests"][0]["windows"][0]["log_tail"] == "[\n 1,\n 2\n ]"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_finite_is_null_with_a_reason(value):
    """nan and infinity become null, and the reason says which it was."""
    made = json_report.test_to_dict(as_test(window(metrics=(metric("peak_rss", value),))))
    found = made["windows"][0]["metrics"]["peak_rss"]
    assert found["value"] is None
    assert found["reason"] == f"not a finite number: {value} from a source"


def test_zero_is_a_figure():
    """A measured zero stays 0 without a reason: it differs from what was not measured."""
    made = json_report.test_to_dict(as_test(window(metrics=(metric("gc_cycles", 0.0), metric("peak_rss", "gone")))))
    found = made["windows"][0]["metrics"]
    assert (found["gc_cycles"]["value"], found["gc_cycles"]["reason"]) == (0, None)
    assert (found["peak_rss"]["value"], found["peak_rss"]["reason"]) == (None, "gone")


def test_several_loads_are_added_up():
    """`load` is the sum of the window's loads; percentiles that cannot be joined are null with the reason."""
    first = LoadSummary(100, 1, 2.0, 50.0, 50.0, 0.01, 0.02, 0.03, {"200": 99, "500": 1})
    second = LoadSummary(300, 0, 6.0, 50.0, None, 0.01, 0.02, 0.09, {"200": 300})
    found = json_report.test_to_dict(as_test(window(loads=(first, second))))["windows"][0]
    total = found["load"]
    assert (total["requests"], total["errors"], total["rate"], total["latency_max"]) == (400, 1, 50, 0.09)
    assert total["statuses"] == {"200": 399, "500": 1}
    assert total["latency_p99"] is None
    assert "2 loads" in total["reason"]
    assert [load["requests"] for load in found["loads"]] == [100, 300]


def test_one_load_keeps_its_percentiles():
    """A single load is `load` as it is."""
    only = LoadSummary(100, 1, 2.0, 50.0, 50.0, 0.01, 0.02, 0.03)
    found = json_report.test_to_dict(as_test(window(loads=(only,))))["windows"][0]
    assert found["load"] == found["loads"][0]
    assert (found["load"]["latency_p99"], found["load"]["reason"]) == (0.02, None)


def test_points_that_were_not_measured_are_absent_from_a_series():
    """A point whose value or time is not finite is left out; t and v stay of equal length."""
    course = Series((0.0, 1.0, math.nan, 3.0), (5.0, math.nan, 6.0, 7.5))
    found = json_report.test_to_dict(as_test(window(series={"rss": course})))["windows"][0]["series"]["rss"]
    assert found == {"t": [0, 3], "v": [5, 7.5]}


def test_a_run_of_finite_figures_comes_back_equal():
    """But for the environment, of which all keys of the contract are there; unknown keys may be of a newer version."""
    run = replace(sample_run(), tests=(sample_tests()[0],), exit_status=1, interrupted=True, complete=False)
    data = json_report.to_dict(run)
    data["tests"][0]["windows"][0]["news"] = 1
    assert json_report.from_dict(data) == replace(run, environment=data["environment"])


def test_what_is_no_report_is_named_with_its_place():
    data = json_report.to_dict(sample_run())
    data["tests"][0]["windows"][0]["metrics"]["peak_rss"]["unit"] = 7
    with pytest.raises(CodecError, match=r"^tests\[0\]\.windows\[0\]\.metrics\.peak_rss\.unit: expected text, not 7$"):
        json_report.from_dict(data)


def test_write_makes_folders_and_leaves_nothing_else(tmp_path):
    """The file holds the whole report; missing folders are made, and no part file stays behind."""
    path = tmp_path / "deep" / "down" / "gomem.json"
    json_report.write_json(sample_run(), path)
    assert json.loads(path.read_text("utf-8")) == json_report.to_dict(sample_run())
    assert [entry.name for entry in path.parent.iterdir()] == ["gomem.json"]


def test_write_replaces_an_older_report_through_its_link(tmp_path):
    """An older report is replaced; a symbolic link to it stays a link."""
    (tmp_path / "run-1.json").write_text("old", "utf-8")
    link = tmp_path / "latest.json"
    link.symlink_to("run-1.json")
    json_report.write_json(RunRecord("0.1.0", {}, ()), link)
    assert link.is_symlink()
    assert json.loads((tmp_path / "run-1.json").read_text("utf-8"))["tests"] == []


def test_write_leaves_the_older_report_whole_when_it_cannot_finish(tmp_path, monkeypatch):
    """If the replacing itself fails, the older report is untouched, no part file stays, and the error says why."""
    path = tmp_path / "gomem.json"
    path.write_text("old", "utf-8")

    def refuse(self, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(ConfigError, match="Permission denied"):
        json_report.write_json(RunRecord("0.1.0", {}, ()), path)
    assert path.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["file/gomem.json", "folder"])
def test_write_says_where_it_cannot(tmp_path, name):
    """A path below a file and a path that is a folder are refused in words with the option's name."""
    (tmp_path / "file").write_text("", "utf-8")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match=r"--gomem-json: the JSON report cannot be written to .*(directory)"):
        json_report.write_json(RunRecord("0.1.0", {}, ()), tmp_path / name)


def test_values_of_usual_metrics_are_whole_numbers_of_base_units():
    """Bytes are written as whole numbers, not as 1580000000.0."""
    run = RunRecord("0.1.0", {}, (as_test(window(metrics=usual_metrics())),))
    assert '"value": 1580000000,' in json.dumps(windows_of(run)[0]["metrics"]["peak_rss"])
