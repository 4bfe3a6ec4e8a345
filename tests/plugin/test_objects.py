"""Budgets on live objects, counted in a heap dump of a real service, and the files of its holders."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_gomem.pprof.read import read_profile
from pytest_gomem.retention.profile import RETAINED_SPACE

PROGRAMS = Path(__file__).parents[1] / "programs"
SERVICE = f"""\
sessions:
  build: {PROGRAMS}/sessions
  args: ["--listen", "127.0.0.1:{{port}}"]
  ready: {{http: /healthz}}
"""


def test_objects_that_stay(scenario, tmp_path):
    """Counts and bytes by type; who holds them; what cannot be counted says why, and a misspelt type warns."""
    outcome = scenario(
        """
        @pytest.mark.gomem(service="sessions", objects={"*main.Session": 0, "main.Cache": {"max": 1, "min": 1}})
        def test_logout(go_service):
            go_service.get("/login?n=300")
            go_service.get("/logout?audit=true")

        @pytest.mark.gomem(service="sessions", objects={"main.Session": 0, "main.Sesion": 0})
        @pytest.mark.gomem(object_bytes={"[]uint8": "500kB"})
        def test_forgets(go_service):
            go_service.get("/login?n=300")
            go_service.get("/logout")

        @pytest.mark.gomem(service="sessions", objects={"main.Session": 0}, diagnose=False)
        def test_once(go_service):
            go_service.get("/login?n=1")
            go_service.get("/logout")

        def test_late(gomem):
            with gomem.launch("sessions") as svc, gomem.measure(svc) as m:
                svc.get("/login?n=7")
            m.check(objects={"main.Session": 6})

        @pytest.fixture(scope="session")
        def shared(gomem_session):
            return gomem_session.launch("sessions")

        @pytest.mark.gomem(objects={"main.Session": 5})
        def test_shared(gomem, shared):
            with gomem.measure(shared):
                shared.get("/login?n=1")

        def test_dumps(gomem, tmp_path):
            from pytest_gomem.commands.cli import main

            service = gomem.launch("sessions")
            service.get("/login?n=100")
            service.retention(keep=tmp_path / "first.dump")
            service.get("/logout?audit=true")
            service.get("/login?n=300")
            service.retention(keep=tmp_path / "second.dump")
            dumps = [tmp_path / "second.dump", "--base", tmp_path / "first.dump"]
            argv = ["retention", *dumps, "--binary", service.process.built.binary, "--of=*Session"]
            argv += ["--pprof", "grown.pb.gz"]
            with open("grown.txt", "w") as out:
                assert main([str(word) for word in argv], out, out) == 0
        """,
        more_services=SERVICE,
    ).run("--gomem-artifacts=kept")
    assert "4 failed, 2 passed" in outcome.text
    logout = outcome.window("test_logout")
    verdicts = {(v["type"], v["kind"]): v for v in logout["verdicts"]}
    session = verdicts["*main.Session", "max"]
    assert (session["metric"], session["status"], session["actual"]) == ("objects", "fail", 300)
    assert {verdicts["main.Cache", kind]["status"] for kind in ("max", "min")} == {"pass"}
    assert "objects[*main.Session] is 300, 300 over its limit of 0" in outcome.text
    assert "held by global main.audit ([]*main.Session)" in outcome.text
    assert "main.Session x 300: 9.60 kB, 100% of all *main.Session" in outcome.text
    (audit,) = logout["holders"]
    assert (audit["name"], audit["retained"], audit["share"], logout["holders_of"]) == (
        *("main.audit", 300 * 32, 1.0),
        "*main.Session",
    )
    assert logout["objects"]["[]uint8"]["count"] >= 300
    profile = read_profile(tmp_path / "kept" / logout["artifacts"]["holders"])
    at = profile.sample_index(RETAINED_SPACE)
    assert 0 <= sum(profile.values[at]) - 300 * 4128 < 1_000_000, "of all that lives, not of sessions alone"
    assert f"gomem flame kept/{logout['artifacts']['holders']}" in outcome.text
    assert {v["status"] for v in outcome.window("test_forgets")["verdicts"]} == {"pass"}
    assert "GomemWarning: the budget on objects of 'main.Sesion' matches no type of the program" in outcome.text
    (once,) = outcome.window("test_once")["verdicts"]
    assert once["status"] == "unavailable"
    assert "and the test must not run again (diagnose=False)" in once["reason"]
    (shared,) = outcome.window("test_shared")["verdicts"]
    assert "a process that tests share, or that you started, has none" in shared["reason"]
    grown = (tmp_path / "grown.txt").read_text()
    assert re.search(r"global main.cache \(\*main.Cache\): 1.2\d MB, (9\d|100)% of the growth", grown)
    assert "*Session alone, held by\n  global main.cache (*main.Cache): 9.60 kB, 100% of all new *Session" in grown
    assert re.search(r"^ +300 +\d.*kB +400 +.* kB  main.Session$", grown, re.MULTILINE)
    assert read_profile(tmp_path / "grown.pb.gz").sample_types[1].type == RETAINED_SPACE
    (late,) = outcome.window("test_late")["verdicts"]
    assert [holder["name"] for holder in outcome.window("test_late")["holders"]] == ["main.cache"]
    assert (late["status"], late["actual"], late["scope"]) == ("fail", 7, "check()")
