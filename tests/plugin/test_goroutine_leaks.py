"""A test that leaves goroutines behind: who they are, and that they explain what they hold."""

from __future__ import annotations

STACKS = ("goroutines_opening", "goroutines")
TESTS = """
@pytest.mark.gomem(goroutines=50, live_heap="100kB")
def test_leak(go_service):
    go_service.get("/goroutines?n=5")
    go_service.get("/goroutines?n=300")
"""


def test_goroutines_are_named_by_state_function_and_creation(scenario):
    """By pprof alone, whose own goroutines are in no group; the stacks are kept as Go printed them."""
    project = scenario(TESTS)
    outcome = project.run("--gomem-diagnose=1", "--gomem-artifacts=kept")
    window = outcome.window("test_leak")
    leaked = window["goroutine_groups"][0]
    assert (leaked["state"], leaked["function"]) == ("chan receive", "main.(*keeper).goroutines.func1")
    assert (leaked["before"], leaked["after"]) == (0, 305)
    assert leaked["created_by"].startswith("main.(*keeper).goroutines (server/handlers.go:")
    assert leaked["stack"] == [f"{leaked['function']} ({leaked['file']}:{leaked['line']})"]
    assert not any("pprof" in group["function"] for group in window["goroutine_groups"])
    assert window["diagnosis"]["reproduced"]
    kept = {kind: (project.folder / "kept" / window["artifacts"][kind]).read_bytes() for kind in STACKS}
    assert [text.count(b"created by main.(*keeper).goroutines") for text in kept.values()] == [0, 305]
    assert "  goroutines: 305 more goroutines in main.(*keeper).goroutines.func1 (" in outcome.text
