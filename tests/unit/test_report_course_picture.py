"""The picture of a course: its points, its line, and where the warm-up ends."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

from report_samples import window

from pytest_gomem.measure.growth import FittedCourse
from pytest_gomem.measure.shape import Shape
from pytest_gomem.report.course_picture import course_pictures

LEAK = FittedCourse(
    "op", tuple(range(1000, 21_000, 1000)), tuple(3e6 + 64 * x for x in range(1000, 21_000, 1000)), 5, 64.0, 3e6,
    Shape.GROWS,
)  # fmt: skip
NODEID = "test_mem.py::test_<soak>"


def pictures(**courses):
    return dict(course_pictures(NODEID, window(courses=courses)))


def test_a_leak_is_drawn_with_its_line():
    """Both curves are named, and a dashed line stands where the warm-up ends."""
    found = pictures(heap_growth_per_op=LEAK)["heap_growth_per_op"]
    ElementTree.fromstring(found)
    texts = re.findall(r"<text[^>]*>([^<]*)", found)
    assert {"heap_growth_per_op of test_&lt;soak&gt;", "live heap", "64.0 B/op", "operations"} <= set(texts)
    assert "live heap, MB" in texts
    assert len(re.findall('class="mark"', found)) == 1


def test_goroutines_and_saturation():
    """Counts have no size, and what stops has no slope."""
    found = pictures(
        goroutine_growth=replace(LEAK, per="second", y=tuple(map(float, range(20))), warm=0, slope=0.001, level=0.0),
        rss_growth=replace(LEAK, per="second", shape=Shape.SATURATES),
    )
    assert "0.00100/s" in found["goroutine_growth"]
    assert 'class="mark"' not in found["goroutine_growth"]
    assert "saturates" in found["rss_growth"]


def test_what_does_not_rise_is_not_drawn():
    """There is nothing to see."""
    assert pictures(heap_growth=replace(LEAK, shape=Shape.LEVEL)) == {}
