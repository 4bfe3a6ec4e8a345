"""The GC settings that the agent reads, in the words of what was requested."""

from __future__ import annotations

from pytest_gomem.observe.agent.records import Settings
from pytest_gomem.observe.effective import settings_in_force


def test_the_agent_reads_them():
    """What the agent reads is spelled as what was requested."""
    read = Settings("go1.26", "linux", "amd64", 8, 2, None, 128 << 20, "", 0)
    assert settings_in_force(read) == {"gogc": "off", "gomemlimit": "128MiB", "gomaxprocs": "2"}
