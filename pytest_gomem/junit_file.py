"""The JUnit file that pytest writes: where a family of the format has a place for what we add."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest
    from _pytest.junitxml import LogXML


def takes_test_properties(config: pytest.Config) -> bool:
    """Whether a test's own properties go where they are read: junit-10.xsd, of xunit2, has none within a test."""
    return not config.getoption("xmlpath", None) or config.getini("junit_family") in ("xunit1", "legacy")


def junit_of(config: pytest.Config) -> LogXML | None:
    """What writes the file in this process; None where none is written here."""
    from _pytest.junitxml import xml_key  # as pytest's own fixture record_testsuite_property finds it

    return config.stash.get(xml_key, None)
