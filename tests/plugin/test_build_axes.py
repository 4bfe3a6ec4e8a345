"""How a service is built, as an axis of gomem_gc."""

from __future__ import annotations

PROGRAM = {
    "go.mod": "module example.com/job\n\ngo 1.21\n",
    "main.go": """package main

import "time"

func main() {
	kept := make([]byte, size)
	for i := range kept {
		kept[i] = 1
	}
	time.Sleep(time.Duration(kept[0]) * 100 * time.Millisecond)
}
""",
    "large.go": "//go:build large\n\npackage main\n\nconst size = 40_000_000\n",
    "small.go": "//go:build !large\n\npackage main\n\nconst size = 10_000_000\n",
}


def test_tags_multiply_with_gc_settings_and_are_compared(scenario):
    """Each combination is built by its own tags; ids, table and report say which; a prebuilt service is refused."""
    project = scenario(
        """
        @pytest.mark.gomem_gc(tags=["off", "large"], gogc=[50, 100])
        @pytest.mark.gomem(service="job")
        def test_job(gomem):
            gomem.run()
        """,
        more_services="job: {build: ., agent: false}",
    )
    for name, text in PROGRAM.items():
        (project.folder / name).write_text(text)
    outcome = project.run("-v")
    assert outcome.status == 0, outcome.text
    assert outcome.value("test_job[tags=large-gogc=50]", "peak_rss") > 40e6
    assert 10e6 < outcome.value("test_job[tags=off-gogc=100]", "peak_rss") < 30e6
    assert "-tags=large" in outcome.window("test_job[tags=large-gogc=100]")["build"]["flags"]
    assert "test_job by GC settings" in outcome.text
    test = project.folder / "test_it.py"
    test.write_text(test.read_text().replace('"job"', '"api"'))
    assert "the service is prebuilt" in project.run("--collect-only").text
