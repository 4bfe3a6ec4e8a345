"""A finished measurement: what its files are called."""

from __future__ import annotations

import re

from pytest_gomem.session.measurement import artifact_stem


def test_each_window_has_files_of_its_own():
    """Names that differ in what no file name can hold, in what is cut off, or in nothing but the window's number."""
    long = "x" * 300
    windows = [
        ("t.py::test_a[x/y]", "api", "w", 0),
        ("t.py::test_a[x y]", "api", "w", 0),
        ("t.py::test_a[x y]", "api", "w", 1),
        ("t.py::test_a[x y]", "web", "w", 1),
        (f"t.py::test_a[{long}]", "api", "w", 0),
        (f"t.py::test_b[{long}]", "api", "w", 0),
        ("t.py::test_\udce9", "api", "w", 0),
    ]
    stems = [artifact_stem(*window) for window in windows]
    assert len(set(stems)) == len(stems)
    assert all(re.fullmatch(r"[\w.-]{1,160}", stem, re.ASCII) for stem in stems)
    assert stems[0].startswith("t.py_test_a_x_y_-w-")
