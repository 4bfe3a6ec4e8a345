"""What a pull request sees of any run, whatever its tests, functions and reasons are called."""

from __future__ import annotations

import json
from dataclasses import replace

from ci_readers import commands, seen_by_gitlab
from ci_samples import passed, with_limit, worse
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from report_samples import runs

from pytest_gomem.ci.findings import tell
from pytest_gomem.ci.github import MOST, annotation_lines
from pytest_gomem.ci.gitlab import metrics, quality
from pytest_gomem.ci.markdown import comment, summary


@settings(max_examples=max(settings.default.max_examples // 10, 1), phases=[Phase.generate])
@given(runs, st.sampled_from(["", "a,b:c%0A::x", "%25\udce9", "#\x1e\"'"]) | st.text(max_size=8), st.integers(0, 3000))
def test_any_run_is_read_whole(run, name, room):
    """GitHub reads as many annotations as were written, GitLab and OpenMetrics all figures, and texts fit."""
    added = (replace(worse(), nodeid=f"t.py::test[{name}]"), passed(with_limit(), f"t.py::test_kept[{name}]"))
    told = tell(replace(run, tests=tuple({test.nodeid: test for test in (*run.tests, *added)}.values())), None)
    lines = list(annotation_lines(told))
    assert all(map(str.isprintable, lines))
    found = commands("\n".join(lines))
    levels = [[one for one in found if one.name == level] for level in ("error", "warning")]
    assert len(found) == len(lines)
    assert found == levels[0] + levels[1]
    assert max(map(len, levels)) <= MOST
    assert all(one.properties["title"] and one.message for one in found)
    text = "".join(metrics(told))
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert len(samples) == len(told.figures) == len(seen_by_gitlab(text))
    issues = json.loads(json.dumps(quality(told)))
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    assert len(summary(told, room).encode()) <= room
    comment(told).encode()
