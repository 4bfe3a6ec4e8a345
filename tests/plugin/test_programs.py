"""Programs that end, in tests: what they have allocated is judged and compared, and their lines are named."""

from __future__ import annotations

from pathlib import Path

PROGRAMS = Path(__file__).parents[1] / "programs"
JOB = f"""\
job:
  build: {PROGRAMS}/ending
  args: ["--mb=20"]
"""


def test_its_budgets_and_those_of_its_functions(scenario):
    """A measured round takes nothing; the observed one names lines, by the peak's profile too, and goroutines."""
    outcome = scenario(
        """
        @pytest.mark.gomem(total_alloc={"min": "20MiB", "max": "20.5MiB"}, alloc_space={"main.hold": "22MB"})
        def test_passes(gomem):
            gomem.run("job", ops=1)

        @pytest.mark.gomem(peak_rss="5MB", alloc_space={"main.hold": "10MB"})
        def test_too_much(gomem):
            gomem.run("job")

        @pytest.mark.gomem(goroutines=1)
        def test_goroutines(gomem):
            gomem.run("job", args=["--how=collecting"])
        """,
        more_services=JOB,
    ).run("--gomem-diagnose=20")
    assert "2 failed, 1 passed" in outcome.text
    assert outcome.value("test_passes", "gc_cycles") >= 2
    held = outcome.window("test_too_much")
    assert {culprit["function"] for culprit in held["culprits"]} == {"main.hold"}
    assert {culprit["metric"] for culprit in held["culprits"]} == {"peak_rss", "alloc_space"}
    assert held["diagnosis"]["rounds"] == 1
    assert "profile_rate" not in held["conditions"], "the figures are those of a round that nothing disturbed"
    (left, *_) = outcome.window("test_goroutines")["goroutine_groups"]
    assert left["function"] == "main.collecting.func1"
    assert left["created_by"].startswith("main.collecting")


def test_it_is_compared_with_its_baseline(scenario):
    """What a program allocates compares as near-exactly as for a service, and what has come is named."""
    project = scenario(
        """
        @pytest.mark.gomem
        def test_job(gomem):
            gomem.run("job", ops=1)
        """,
        more_services=JOB,
    )
    assert project.run("--gomem-update", "--gomem-rounds=3").status == 0
    yaml = project.folder / "gomem.yaml"
    yaml.write_text(yaml.read_text().replace("--mb=20", "--mb=21"))
    outcome = project.run("--gomem-confirm=3", "--gomem-diagnose=20")
    worse = {v["metric"] for v in outcome.window("test_job")["verdicts"] if v["status"] == "fail"}
    assert "alloc_bytes_per_op" in worse
    assert outcome.window("test_job")["culprits"][0]["function"] == "main.hold"
