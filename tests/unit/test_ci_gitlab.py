"""The files for GitLab: what its parsers read in them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ci_readers import seen_by_gitlab
from ci_samples import UPLOAD, passed, repository, run_of, side, with_limit, worse
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from report_samples import verdict, window

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.ci.findings import tell
from pytest_gomem.ci.gitlab import METRICS, QUALITY, metrics, quality, write_gitlab
from pytest_gomem.measure.metric import Reading
from pytest_gomem.results.window_record import MetricValue
from pytest_gomem.stats.decision import Status


def test_each_broken_limit_is_an_issue(tmp_path):
    """At the line of Go, with a severity; the fields are those that GitLab requires."""
    (issue,) = quality(tell(run_of(worse()), repository(tmp_path, "store.go")))
    assert issue == {
        "description": "test_upload[1]: live_heap is 20% worse than HEAD^",
        "check_name": "gomem/live_heap",
        "fingerprint": issue["fingerprint"],
        "severity": "major",
        "location": {"path": "services/api/store.go", "lines": {"begin": 18}},
    }
    near = window(verdicts=(verdict("live_heap", "60MiB", 63.8e6, "warn"),))
    (warned,) = quality(tell(run_of(passed(near)), None))
    assert (warned["severity"], warned["location"]) == (
        "minor", {"path": "py/tests/memory/test_mem.py", "lines": {"begin": 12}},
    )  # fmt: skip


def test_a_fingerprint_is_of_the_limit_alone(tmp_path):
    """GitLab calls an issue new if it has not seen its fingerprint: figures and lines may move."""

    def fingerprints(*tests, top=None):
        return [issue["fingerprint"] for issue in quality(tell(run_of(*tests), top))]

    before = fingerprints(worse(1), worse(2))
    assert len(set(before)) == 2
    assert fingerprints(worse(2, ratio=0.7), worse(1), top=repository(tmp_path, "store.go")) == before[::-1]
    twice = replace(worse(), windows=(side(Status.FAIL), side(Status.FAIL)))
    assert len(set(fingerprints(twice))) == 2
    same = replace(side(Status.FAIL), verdicts=side(Status.FAIL).verdicts * 2)
    assert len(set(fingerprints(replace(worse(), windows=(same,))))) == 2


def test_a_metric_is_a_gauge_with_a_sample_for_each_window():
    """What limits judge and the usual figures, by the whole id of the test."""
    test = passed(with_limit(12_345_678.0), f"{UPLOAD}[a#1 \"b\\c' 5%]")
    text = "".join(metrics(tell(run_of(test), None)))
    (family,) = [one for one in text_string_to_metric_families(text) if one.name == "gomem_live_heap"]
    (sample,) = family.samples
    assert (family.type, sample.value) == ("gauge", 12_345_678)
    assert sample.labels == {"test": f"{UPLOAD}[a%231 \"b\\c' 5%25]", "service": "api"}
    found = seen_by_gitlab(text)
    assert set(found.values()) >= {"12345678"}
    assert len(found) == text.count("\n") - text.count("# ")


def test_an_own_metric_keeps_its_name():
    """In a label, where OpenMetrics does not take it for a name."""
    own = MetricValue("prom:jobs{queue=a}", "count", Reading(3.25, "a page"))
    got = window(metrics=(own,), verdicts=(replace_metric(verdict("live_heap", "1MB", 1.0), own.name),))
    text = "".join(metrics(tell(run_of(passed(got)), None)))
    (family,) = text_string_to_metric_families(text)
    assert (family.name, family.samples[0].value) == ("gomem_prom_jobs_queue_a_", 3.25)
    assert family.samples[0].labels["metric"] == own.name


def replace_metric(verdict, name):
    return replace(verdict, budget=replace(verdict.budget, metric=name))


def test_both_files_are_written(tmp_path):
    """Also where nothing broke: GitLab compares with an empty report. A folder that cannot be is said."""
    write_gitlab(tell(run_of(passed(side())), None), tmp_path / "gitlab", "--gitlab")
    assert json.loads((tmp_path / "gitlab" / QUALITY).read_text()) == []
    assert (tmp_path / "gitlab" / METRICS).read_text().endswith("# EOF\n")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"--gitlab: the file for GitLab cannot be written to .*file"):
        write_gitlab(tell(run_of(), None), tmp_path / "file", "--gitlab")
