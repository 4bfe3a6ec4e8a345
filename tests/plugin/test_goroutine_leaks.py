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


STAYING = """
@pytest.mark.gomem(leaked_goroutines=0)
def test_stays(go_service):
    go_service.get("/goroutines?n=5")
    go_service.load("/healthz", requests=50, connections=5)

@pytest.mark.gomem(leaked_goroutines=0, ignore_goroutines=["created by main.(*keeper).gor*"])
def test_ends(go_service):
    go_service.get("/goroutines?n=2")
    go_service.get("/goroutines?n=30&ms=900")

@pytest.mark.gomem(leaked_goroutines=0)
def test_known(go_service):
    go_service.get("/goroutines?n=3")
"""
ACCEPTED = """
version: 1
accepted:
  - {test: "*test_known", goroutines: "main.*.goroutines.*", reason: "until June", owner: ann, expires: 2999-01-31}
  - {test: "*test_stays", goroutines: "main.gone", reason: "as said", owner: ann, expires: 2999-01-31}
"""


def test_a_limit_on_goroutines_that_stay(scenario):
    """Those that end soon, and idle connections, are none; nothing runs again, since the window itself knows them."""
    project = scenario(STAYING)
    (project.folder / "gomem_accepted.yaml").write_text(ACCEPTED)
    outcome = project.run()
    window = outcome.window("test_stays")
    assert outcome.value("test_stays", "leaked_goroutines") == 5
    assert (window["goroutine_groups"][0]["leaked"], window["goroutine_groups"][0]["after"]) == (5, 5)
    assert window["diagnosis"] is None
    assert "leaked_goroutines is 5, 5 over its limit of 0" in outcome.text
    assert "5 leaked goroutines in main.(*keeper).goroutines.func1 (" in outcome.text
    assert outcome.value("test_ends", "leaked_goroutines") == 0
    note = outcome.window("test_ends")["metrics"]["leaked_goroutines"]["note"]
    assert "2 more not counted: ignored by 'created by main.(*keeper).gor*'" in note
    known = outcome.window("test_known")["known_leaks"]
    assert (outcome.value("test_known", "leaked_goroutines"), [leak["count"] for leak in known]) == (0, [3])
    said = " ".join(outcome.text.split())
    assert "test_known: 3 leaked goroutines (main.*.goroutines.*), accepted until 2999-01-31 by ann: until June" in said
    assert "gomem_accepted.yaml:5: no goroutine that stays matches 'main.gone': remove the entry of" in said
