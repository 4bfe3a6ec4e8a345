"""Collections by hand as a setting: an axis of gomem_gc, seen in the figures, and an error without the agent."""

from __future__ import annotations

PROGRAM = {
    "go.mod": "module example.com/job\n\ngo 1.21\n",
    "main.go": """package main

import "time"

var kept []byte

func main() {
	for i := 0; i < 40; i++ {
		kept = make([]byte, 1_500_000)
		time.Sleep(15 * time.Millisecond)
	}
}
""",
}


def test_they_are_a_row_of_the_matrix(scenario):
    """The program has more cycles, the table and the report say why; a prebuilt service has no agent for them."""
    project = scenario(
        """
        @pytest.mark.gomem_gc(manual_gc=["off", "1MB"], gogc=400)
        @pytest.mark.gomem(service="job")
        def test_job(gomem):
            gomem.run()

        def test_prebuilt(gomem):
            gomem.launch("api", manual_gc="1MB")
        """,
        more_services="job: {build: .}",
    )
    for name, text in PROGRAM.items():
        (project.folder / name).write_text(text)
    outcome = project.run("-v")
    by_hand, without = "test_job[manual_gc=1MB-gogc=400]", "test_job[manual_gc=off-gogc=400]"
    assert outcome.value(by_hand, "gc_cycles") >= 20 > outcome.value(without, "gc_cycles")
    assert outcome.window(by_hand)["gc"]["effective"]["manual_gc"] == "1MB"
    assert "manual_gc" not in outcome.window(without)["gc"]["effective"]
    assert "manual_gc  gogc  gc_cycles" in outcome.text
    assert "manual_gc needs the agent in the service: the binary is prebuilt" in outcome.text
