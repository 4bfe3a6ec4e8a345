"""Settings that `--gomem-set` lays over a run: over gomem.yaml, over what a test says, and never beside its matrix."""

from __future__ import annotations

TESTS = """
    def test_by_yaml(go_service):
        go_service.get("/healthz")

    def test_by_hand(gomem):
        api = gomem.launch("api", gogc=50, gomaxprocs=3)
        with gomem.measure(api):
            api.get("/healthz")
"""
MATRIX = """
    @pytest.mark.gomem_gc(gogc=[50, 100])
    def test_matrix(go_service):
        go_service.get("/healthz")
"""


def test_laid_over_settings_reach_each_launch(scenario):
    """What they do not say stays; the report and the first lines show them."""
    project = scenario(TESTS, service="gc: {gogc: 75, godebug: {madvdontneed: 1}}")
    outcome = project.run("--gomem-set=gogc=200,gomemlimit=1GiB")
    assert outcome.status == 0, outcome.text
    assert "each service is launched under gogc=200, gomemlimit=1GiB (--gomem-set)" in outcome.text
    by_yaml, by_hand = (outcome.window(name)["gc"]["requested"] for name in ("test_by_yaml", "test_by_hand"))
    assert {**by_yaml, "godebug": ""} == {"gogc": "200", "gomemlimit": "1GiB", "gomaxprocs": "2", "godebug": ""}
    assert "madvdontneed=1" in by_yaml["godebug"]
    assert (by_hand["gogc"], by_hand["gomemlimit"], by_hand["gomaxprocs"]) == ("200", "1GiB", "3")


def test_a_matrix_of_the_same_key_is_refused(dry_scenario):
    """Its id would say what is not so; another key of it is fine, and decides with them what must not run."""
    project = dry_scenario(MATRIX)
    outcome = project.run("--gomem-set=gogc=200", "--collect-only")
    assert outcome.status == 4
    assert "test_it.py:3 test_matrix @pytest.mark.gomem_gc.gogc: --gomem-set gives gogc too" in outcome.text
    assert project.run("--gomem-set=gomemlimit=1GiB", "--collect-only").status == 0
