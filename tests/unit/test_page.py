"""The page of a run: what is in the file, how it is thinned, and that nothing from elsewhere becomes markup."""

from __future__ import annotations

import builtins
import hashlib
import re
from base64 import b64encode
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pytest
import report_samples as samples
from hypothesis import Phase, given, settings
from page_samples import HOSTILE, checked_window, course_window, hostile_run, page_of

import pytest_gomem.page
from pytest_gomem.base.errors import ConfigError
from pytest_gomem.measure.growth import FittedCourse
from pytest_gomem.measure.shape import Shape
from pytest_gomem.page.causes import growths_of
from pytest_gomem.page.checks import disagreements_of, histograms_of, known_leaks_of
from pytest_gomem.page.course import course_of, packed
from pytest_gomem.page.detail import _link
from pytest_gomem.page.rows import row_of, status_of
from pytest_gomem.page.words import Words
from pytest_gomem.page.write import write_page
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import GcRecord


def test_the_list_and_each_test_are_in_the_file(tmp_path):
    """A piece of data for each test, so that a browser reads only those that are opened."""
    run = samples.sample_run()
    _, data = page_of(run, tmp_path)
    assert [row["id"] for row in data["run"]["rows"]] == [test.nodeid for test in run.tests]
    assert [data[f"t{number}"]["id"] for number in range(len(run.tests))] == [test.nodeid for test in run.tests]
    assert data["run"]["counts"] == {"failed": 3, "warned": 2, "noisy": 0, "passed": 7, "skipped": 1}
    upload = data["t0"]["windows"][0]
    assert upload["answers"][0] == ["FAIL", "peak_rss is 2.02 GB, 222 MB (12.3%) over its limit of 1.8GB", False]
    assert {
        "limit": "1.8GB",
        "standing": "over by 12%",
        "declared": "gomem.yaml:31 budgets.tests.peak_rss",
    }.items() <= (upload["verdicts"][0].items())
    assert [matrix["title"] for matrix in data["run"]["matrices"]] == ["tests/memory/test_mem.py::test_matrix"]


def test_a_row_has_the_figures_of_the_tightest_window():
    """And says of which of several it speaks; a test without windows has none."""
    row = row_of(samples.sample_tests()[1])
    assert (row["windows"], row["of"], row["limit"]["name"]) == (2, "cold", "time_to_limit")
    assert row["limit"]["room"] < 0
    assert row["figures"]["peak_rss"] == (1580000000, "1.58 GB")
    assert "gc_cycles" not in row["figures"]  # it is not a number there
    assert row_of(TestRecord("test_it.py::test_none", "skipped", ()))["figures"] == {}


@pytest.mark.parametrize(("outcome", "status"), [("passed", "warned"), ("error", "failed"), ("crashed", "failed")])
def test_the_status_is_what_needs_most_attention(outcome, status):
    """A warning of a passed test is told; a test that has no result has failed."""
    warned = samples.verdict("live_heap", "60MiB", 63.8e6, "warn")
    assert status_of(TestRecord("a::b", outcome, (samples.window(verdicts=(warned,)),))) == status


@pytest.mark.parametrize(("outcome", "status"), [("failed", "failed"), ("passed", "warned"), ("xfailed", "skipped")])
def test_no_more_tests_fail_than_in_the_run(outcome, status):
    """Under --gomem-report-only a broken limit fails none, and one that is expected to fail is like one left out."""
    broken = samples.verdict("live_heap", "60MiB", 63.8e6)
    assert status_of(TestRecord("a::b", outcome, (samples.window(verdicts=(broken,)),))) == status


@pytest.mark.parametrize("shape", list(Shape))
def test_only_what_grows_has_a_line(shape):
    """A slope through a level course would suggest a growth that was not found."""
    course = FittedCourse("op", (0.0, 1.0, 2.0), (5e6, 6e6, 7e6), 1, 1e6, 5e6, shape)
    (growth,) = growths_of(samples.window(courses={"heap_growth_per_op": course}))
    assert growth["line"] == ([6e6, 7e6] if shape is Shape.GROWS else None)


def test_known_leaks_disagreements_and_histograms():
    """Sources that agree are left out, neighbours of a long histogram are joined, and no event is lost."""
    seen = checked_window()
    assert known_leaks_of(seen) == [("3 leaked goroutines (main.serve*)", "expired 2026-01-02, by ana", "upstream bug")]
    assert disagreements_of(seen) == [("rss", "40.0 MB by kernel", "90.0 MB by agent", "+- 2 MB")]
    (found,) = histograms_of(seen)
    assert found["title"] == "Stops of the world for the collector"
    assert found["count"] == sum(count for _, count, _ in found["rows"]) == 781
    assert found["rows"][0] == ("below 2.00 us", 2, 0.026)
    assert (len(found["rows"]), found["rows"][-1][2]) == (20, 1.0)


def unpacked(curve):
    times = accumulate(curve["t"])
    return list(zip(times, (value * curve["step"] for value in accumulate(curve["v"])), strict=True))


def test_a_course_is_thinned_and_keeps_its_extremes():
    """A spike of one sample among 2000 is drawn; what stays level takes two points."""
    course = course_of(course_window())
    curves = {curve["name"]: curve for curve in course["curves"]}
    points = {name: unpacked(curve) for name, curve in curves.items()}
    assert len(points["rss"]) <= 400
    assert max(value for _, value in points["rss"]) == 400e6
    assert (5000, 400e6) in points["rss"]
    assert points["threads"] == [(0, 12), (9995, 12)]
    assert len(course["cycles"]["t"]) == 240
    assert course["cycles"]["count"] == 999
    assert set(course["cycles"]["pauses"]) <= {50, 60}  # the longest
    assert course["limits"] == [{"title": "peak_rss 300MB", "kind": "max", "of": "rss", "value": 300_000_000}]
    assert course["phases"] == [("fill", 0.5, 4.0), ("drain", 4.0, 9.5)]


def test_a_memory_limit_is_a_line_above_the_course():
    """Beside GOMEMLIMIT, whatever holds it."""
    gc = GcRecord({}, {"gomemlimit": "230MiB", "memory_limit": "256MiB, cgroup v1"})
    limits = course_of(replace(course_window(), gc=gc))["limits"]
    assert [(one["kind"], one["value"], one["of"]) for one in limits][-2:] == [
        ("gomemlimit", 230 << 20, "rss"),
        ("memory_limit", 256 << 20, "rss"),
    ]
    assert limits[-1]["title"] == "memory limit 268 MB"


def test_differences_lead_back_to_the_values():
    """Rounding does not add up."""
    values = [0.1 * at for at in range(1000)]
    assert list(accumulate(packed(values, 1))) == [round(value) for value in values]


def test_a_text_has_one_number():
    """The empty one is 0."""
    words = Words()
    assert [words.number(text) for text in ("a", "", "b", "a")] == [1, 0, 2, 1]
    assert words.texts == ["", "a", "b"]


def texts_of(data):
    """All texts in a piece of data, keys of objects too."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, (list, dict)):
        for one in [*data, *data.values()] if isinstance(data, dict) else data:
            yield from texts_of(one)


def test_the_file_allows_its_own_scripts_alone(tmp_path):
    """By hash; names can't end the script that they are in, and no link leads to another scheme."""
    text, data = page_of(hostile_run(), tmp_path)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    bodies = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    hashes = [f"'sha256-{b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" for body in bodies]
    assert len(hashes) == 2
    assert all(each in policy for each in hashes)
    assert HOSTILE[:20] not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    every = {one for piece in data.values() for one in texts_of(piece)}
    assert all(one.replace("\n", "").isprintable() for one in every)
    (links,) = {one[2] for one in data["t0"]["windows"][0]["artifacts"]}
    assert links.startswith("./")
    assert ":" not in links.split("kept/")[1][:12]


def brightness(colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return sum(weight * one for weight, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(theme):
    """4.5 to 1, as WCAG 2 asks for at level AA, in both themes."""
    style = Path(pytest_gomem.page.__file__).with_name("assets").joinpath("page.css").read_text()
    light, dark = style.split('data-theme="dark"', 1)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light if theme == "light" else dark))
    tones = [(name, f"{name}-soft") for name in ("bad", "warn", "noisy", "good", "accent")]
    plain = [(name, on) for name in ("ink", "quiet", "bad", "warn", "good", "accent") for on in ("paper", "ground")]
    pairs = [*tones, *plain, ("quiet", "field"), ("paper", "ink"), ("on-accent", "accent")]
    for text, behind in pairs:
        one, other = sorted((brightness(colours[text]), brightness(colours[behind])))
        assert (other + 0.05) / (one + 0.05) >= 4.5, (text, behind)


@settings(samples.calmly, max_examples=8, phases=[Phase.generate])  # shrinking whole runs takes minutes
@given(run=samples.runs)
def test_every_run_has_a_page(tmp_path_factory, run):
    """Whatever its records hold."""
    _, data = page_of(run, tmp_path_factory.mktemp("page"))
    assert len(data["run"]["rows"]) == len(run.tests)


def test_links_lead_from_the_page_to_the_kept_files(tmp_path):
    """Relative, so that both may move together."""
    run = replace(samples.sample_run(), artifacts=str(tmp_path / "kept"))
    (tmp_path / "pages").mkdir()
    _, data = page_of(run, tmp_path / "pages")
    assert data["t0"]["windows"][0]["artifacts"] == [
        ["heap profile", "test_upload/heap.pb.gz", "./../kept/test_upload/heap.pb.gz"]
    ]
    assert _link("kept", "b\udcff") == "./kept/b%FF"  # bytes that are no UTF-8
    assert _link("kept", "b\ud800") == ""  # no file can have that name


def test_what_cannot_be_written_is_said(tmp_path, monkeypatch):
    """The option, the place and the extra to install."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"--gomem-html.*the page cannot be written"):
        write_page(samples.sample_run(), tmp_path / "file" / "page.html", "--gomem-html")
    imported = builtins.__import__

    def without_jinja2(name, *args, **options):
        if name.startswith("jinja2"):
            raise ImportError(name)
        return imported(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without_jinja2)
    with pytest.raises(ConfigError, match=r"(?s)the page needs jinja2.*pytest-gomem\[report\]"):
        write_page(samples.sample_run(), tmp_path / "page.html", "--gomem-html")
