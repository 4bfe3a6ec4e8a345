"""The schema that a run keeps for editors."""

from __future__ import annotations

import json

from pytest_gomem.scaffold.config_schema import FIRST_WORDS, KEPT

TEST = "def test_nothing(): pass\n"


def test_a_run_keeps_the_schema_that_gomem_yaml_names(pytester) -> None:
    """In pytest's cache, which git ignores; the user's own metrics are in it."""
    pytester.makeconftest(
        """
        import pytest_gomem as gm

        @gm.metric(group="queue", unit=gm.BYTES, better=gm.Better.LOWER, noise=gm.Noise.MODERATE, sources=("vm",))
        def queue_bytes(window):
            "Bytes in the queue."

        def pytest_gomem_metrics():
            return [queue_bytes]
        """
    )
    pytester.makefile(".yaml", gomem=f"{FIRST_WORDS}{KEPT}\nversion: 1\nbudgets: {{defaults: {{queue_bytes: 1MB}}}}\n")
    pytester.makepyfile(TEST)
    assert pytester.runpytest("-p", "cacheprovider").ret == 0
    schema = json.loads((pytester.path / KEPT).read_text())
    assert schema["$defs"]["metrics"]["properties"]["queue_bytes"]["description"] == "Bytes in the queue."
    assert (pytester.path / ".pytest_cache" / ".gitignore").exists()


def test_without_the_line_nothing_is_kept(pytester) -> None:
    """Nor where another file is named."""
    for first in ("", f"{FIRST_WORDS}other.json\n"):
        pytester.makefile(".yaml", gomem=f"{first}version: 1\n")
        pytester.makepyfile(TEST)
        assert pytester.runpytest().ret == 0
        assert not (pytester.path / KEPT).exists()
        assert not (pytester.path / "other.json").exists()
