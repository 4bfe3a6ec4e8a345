"""Settings that `--gomem-set` lays over a run: over gomem.yaml, over what a test says, and never beside its matrix."""

from __future__ import annotations

TESTS = """
    @pytest.mark.gomem(service="api")
    def test_by_yaml(go_service):
        go_service.get("/healthz")

    def test_by_hand(gomem):
        api = gomem.launch("api", gogc=50, gomaxprocs=3)
        with gomem.measure(api):
            api.get("/healthz")

    @pytest.mark.gomem(service="web")
    def test_of_one(go_service):
        go_service.get("/healthz")
"""
MATRIX = """
@pytest.mark.gomem_gc(gogc=[50, 100])
def test_matrix(go_service):
    go_service.get("/healthz")

"""


def test_laid_over_settings_reach_each_launch(scenario, binaries):
    """What they do not say stays; the report and the first lines show them."""
    web = f"web: {{binary: {binaries('server')}, args: ['--listen', '127.0.0.1:{{port}}'], ready: {{http: /healthz}}}}"
    project = scenario(TESTS, service="gc: {gogc: 75, godebug: {madvdontneed: 1}}", more_services=web)
    outcome = project.run("--gomem-set=gogc=200,gomemlimit=1GiB,web.gogc=300")
    assert outcome.status == 0, outcome.text
    assert "services are launched under gogc=200, gomemlimit=1GiB, web.gogc=300 (--gomem-set)" in outcome.text
    by_yaml, by_hand = (outcome.window(name)["gc"]["requested"] for name in ("test_by_yaml", "test_by_hand"))
    assert {**by_yaml, "godebug": ""} == {"gogc": "200", "gomemlimit": "1GiB", "gomaxprocs": "2", "godebug": ""}
    assert "madvdontneed=1" in by_yaml["godebug"]
    assert (by_hand["gogc"], by_hand["gomemlimit"], by_hand["gomaxprocs"]) == ("200", "1GiB", "3")
    of_one = outcome.window("test_of_one")["gc"]["requested"]
    assert (of_one["gogc"], of_one["gomemlimit"]) == ("300", "1GiB")


def test_a_matrix_of_the_same_key_is_refused(dry_scenario):
    """Its id would say what is not so; a matrix that is not run is no mistake."""
    project = dry_scenario(MATRIX + "def test_other(go_service):\n    pass\n")
    outcome = project.run("--gomem-set=gogc=200", "--collect-only")
    assert outcome.status == 4
    assert "test_it.py:3 test_matrix @pytest.mark.gomem_gc.gogc: --gomem-set gives gogc too" in outcome.text
    assert project.run("--gomem-set=gogc=200", "--collect-only", "test_it.py::test_other").status == 0
