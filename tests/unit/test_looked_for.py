"""Whether a test that is not there was looked for."""

from __future__ import annotations

import pytest

from pytest_gomem.base.names import was_looked_for


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("tests/test_a.py::test_gone", True),  # its module was looked into
        ("tests/test_b.py::test_x", False),  # it is there, and nobody looked
        ("tests/test_c.py::test_x", True),  # nor is its module there
        ("tests/test_*.py::test_x", True),
        ("other/test_*.py::test_x", False),
        ("gone/test_*.py::test_x", True),
        ("*::test_x", True),
        ("test_?.py::test_x", True),
    ],
)
def test_by_module_and_folder(tmp_path, test, expected):
    """A module or folder that is there and was not looked into may hold it; one that is gone cannot."""
    for name in ("tests/test_a.py", "tests/test_b.py", "other/test_d.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert was_looked_for(test, tmp_path, {"tests", "tests/test_a.py"}) is expected
