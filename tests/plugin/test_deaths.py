"""A service that dies, fails to start or fails to build is named as what it is."""

from __future__ import annotations

import json
import re

import pytest


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/panic", "panicked: "),
        ("/fatal", "died of a fatal runtime error: "),
        ("/exit?code=7", "ended with exit status 7"),
    ],
)
def test_death_in_the_window(scenario, path, words):
    """A service that dies in the window fails the test even where the body passed, and says how."""
    outcome = scenario(
        f"""
        import contextlib, time

        @pytest.mark.gomem(live_heap="1GB")
        def test_it(go_service):
            go_service.get("/stderr?lines=1&len=20")
            go_service.get("/alloc?bytes=60000000&keep=false")
            with contextlib.suppress(Exception):
                go_service.get("{path}")
            while go_service.process.ending() is None:
                time.sleep(0.01)
        """
    ).run()
    assert outcome.status == 1
    assert words in outcome.text
    assert "last log lines of api" in outcome.text
    window = outcome.window("test_it")
    assert window["metrics"]["live_heap"]["value"] is None
    assert 60e6 < window["metrics"]["peak_rss"]["value"] < 120e6


def test_request_to_a_dead_service(scenario):
    """A request that the service dies of raises its death at the user's line, without our frames or the library's.

    The connection closes before the end can be known.
    """
    outcome = scenario(
        """
        @pytest.mark.parametrize("number", range(3))
        def test_get(go_service, number):
            go_service.get(f"/alloc?bytes={number * 50_000_000}")
            go_service.get("/panic")
            go_service.get("/healthz")

        def test_load(go_service):
            go_service.load("/exit?code=7", requests=1)
        """
    ).run("-o", "console_output_style=classic", env={"CI": "1"})
    assert outcome.status == 1
    assert outcome.text.count(" - service 'api': panicked: boom (exit status 2)\n") == 3, outcome.text
    assert outcome.text.count(" - service 'api': ended with exit status 7\n") == 1
    for foreign in ("def get(", "def check_alive(", "urllib3", "got no answer", "direct cause"):
        assert foreign not in outcome.text
    assert len(outcome.text.splitlines()) < 4 * 40


def test_not_startable(scenario, tmp_path):
    """Dying before ready, never getting ready and a lost binary are errors of the test's set-up, in one run."""
    outcome = scenario(
        """
        @pytest.fixture
        def gomem_service_options(request):
            args = ["--listen", "127.0.0.1:{port}", *getattr(request, "param", [])]
            return {"args": args}

        @pytest.mark.parametrize("gomem_service_options", [["--die-before-ready"], ["--never-ready"]], indirect=True)
        def test_it(go_service): pass

        def test_lost(gomem):
            gomem.launch("lost")
        """,
        service="",
        more_services="""\
        lost: {binary: ./nowhere/api}
        """,
    )
    text = (outcome.folder / "gomem.yaml").read_text().replace("/healthz}", "/healthz, timeout: 5s}")
    (outcome.folder / "gomem.yaml").write_text(text)
    test = (
        (outcome.folder / "test_it.py")
        .read_text()
        .replace("def test_it(go", '@pytest.mark.gomem(service="api")\ndef test_it(go')
    )
    (outcome.folder / "test_it.py").write_text(test)
    result = outcome.run()
    assert "1 failed, 2 errors" in result.text
    assert "ended with exit status 3 while we waited for GET http://127.0.0.1:" in result.text
    assert "not ready after 5 s" in result.text
    assert "there is no such program: " in result.text
    assert [t["outcome"] for t in result.report["tests"]].count("error") == 2


def test_compile_error(scenario):
    """A compile error is shown in the compiler's own words."""
    project = scenario("def test_it(gomem):\n    gomem.launch('broken')", more_services="broken: {build: ./broken}")
    source = project.folder / "broken"
    source.mkdir()
    (source / "go.mod").write_text("module example.com/broken\n\ngo 1.21\n")
    (source / "main.go").write_text("package main\n\nfunc main() { undefinedFunction() }\n")
    outcome = project.run()
    assert outcome.status == 1
    assert "undefined: undefinedFunction" in outcome.text
    assert "building service 'broken' failed: " in outcome.text
    assert "def launch(" not in outcome.text


def test_lost_port_race(scenario, tmp_path):
    """A service that finds its port taken is started again with another, and the report says so."""
    outcome = scenario(
        f"""
        @pytest.fixture
        def gomem_service_options():
            return {{"args": ["--listen", "127.0.0.1:{{port}}", "--steal-once", "{tmp_path}/stolen"]}}

        def test_it(go_service):
            assert go_service.get("/healthz").ok
        """
    ).run()
    assert outcome.status == 0, outcome.text
    assert (tmp_path / "stolen").exists()


def test_lost_supervisor(scenario):
    """A test whose supervisor dies or stops fails and says so; the next test has another, and no process stays.

    How long a stopped one is waited for is shortened.
    """
    outcome = scenario(
        """
        import os, time
        import psutil

        supervisors = []

        @pytest.mark.parametrize("signal", [9, 19, 0])
        def test_it(go_service, signal):
            assert go_service.get("/healthz").ok
            supervisors.append(psutil.Process(go_service.pid).parent())
            os.kill(supervisors[-1].pid, signal)

        def test_ends():
            assert len({supervisor.pid for supervisor in supervisors}) == 3
            assert [supervisor.is_running() for supervisor in supervisors] == [False, False, True]
        """,
        conftest="""
        from pytest_gomem.supervisor import client

        client._SILENCE_STOPPED = 0.2
        """,
    ).run()
    assert "2 passed, 2 error" in outcome.text or "2 failed, 2 passed" in outcome.text, outcome.text
    assert "which holds the services, is gone: it was killed by SIGKILL" in outcome.text
    assert "which holds the services, is stopped (SIGSTOP, or a debugger): it was given up after" in outcome.text
    assert "Traceback" not in outcome.text


def test_what_a_killed_run_leaves_goes_with_the_next(scenario):
    """SIGKILL leaves no time to remove the run's folder: whoever runs next does, with xdist its controller."""
    project = scenario(
        """
        import os
        from pathlib import Path

        def test_it(go_service):
            if os.environ.get("DIES"):
                os.kill(os.getpid(), 9)
        """
    )
    temporary = project.folder / "tmp"
    temporary.mkdir()
    killed = project.run(env={"TMPDIR": str(temporary), "DIES": "1"})
    assert killed.status == -9
    assert list(temporary.glob("pytest-gomem-*"))
    following = project.run("-n1", env={"TMPDIR": str(temporary)})
    assert following.status == 0, following.text
    assert not list(temporary.glob("pytest-gomem-*"))


def test_settings_are_shown_unexpanded_and_a_failed_set_up_with_its_log(scenario):
    """What a service told of its secrets is shown by their names, wherever we show it; the test itself reads all of it.

    A set-up that fails behind it shows, and keeps, its log.
    """
    leaves = 'test -z "$LEAVES" || { sh -c "sleep 100; :" "$1" & sleep 1; exit 0; }'
    script = f'echo "password=$PASSWORD $1"; {leaves}; test -z "$CODE" || exit $CODE; exec sleep 100'
    project = scenario(
        """
        from pytest_gomem import ObserveError

        @pytest.fixture
        def broken(go_service):
            raise RuntimeError("no database")

        @pytest.fixture
        def unwanted(go_service):
            pytest.skip("not here")

        @pytest.mark.gomem(service="shell")
        def test_set_up(broken): pass

        @pytest.mark.gomem(service="shell")
        def test_skipped(unwanted): pass

        @pytest.mark.gomem(service="shell", peak_rss="1kB", live_heap="1kB")
        def test_broken(go_service):
            assert go_service.log().startswith("password=hunter2hunter2 it's a token")
            with pytest.raises(ObserveError, match="http://127.0.0.1:1/[$]{GOMEM_PASSWORD}/heap") as raised:
                go_service.memstats()
            assert "hunter2" not in str(raised.value)

        def test_ended(gomem):
            gomem.launch("shell", env={"CODE": "3"}).check_alive(within=60)

        def test_left_behind(gomem):
            gomem.launch("shell", env={"LEAVES": "1"}).check_alive(within=60)

        def test_not_started(gomem):
            gomem.launch("lost")
        """,
        more_services=f"""\
        shell:
          command: {json.dumps(["/bin/sh", "-c", script, "sh"])}
          args: ["${{GOMEM_TOKEN}}"]
          env: {{PASSWORD: "${{GOMEM_PASSWORD}}"}}
          pprof: "http://127.0.0.1:1/${{GOMEM_PASSWORD}}"
          ready: {{log: "password="}}
        lost: {{binary: "./${{GOMEM_PASSWORD}}"}}
        """,
    )
    secrets = {"GOMEM_PASSWORD": "hunter2hunter2", "GOMEM_TOKEN": "it's a token"}
    outcome = project.run("--gomem-artifacts=kept", "--tb=line", env=secrets)
    assert "4 failed, 1 skipped, 1 error" in outcome.text, outcome.text
    assert re.search(r"left pid \d+ \(sh -c sleep 100; : \$\{GOMEM_TOKEN\}\)", outcome.text), outcome.text
    for secret in (*secrets.values(), "s a token"):
        assert secret not in outcome.text
        assert secret not in json.dumps(outcome.report)
    logs = {path.name.partition("-")[0]: path.read_text() for path in (project.folder / "kept").glob("*.log")}
    assert logs == dict.fromkeys(logs, "password=${GOMEM_PASSWORD} ${GOMEM_TOKEN}\n")
    assert {"test_it.py_test_set_up", "test_it.py_test_broken"} == set(logs)
    verbose = project.run("-k", "set_up or skipped", env=secrets).text
    assert verbose.count("service 'shell' had started; the end of its log:\npassword=${GOMEM_PASSWORD} ${GOM") == 1
