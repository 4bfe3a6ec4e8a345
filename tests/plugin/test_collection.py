"""Every mistake is told before any test runs, all at once, without a traceback."""

from __future__ import annotations

import textwrap

from pytest_gomem.config.gomem_yaml import load_config


def test_all_marker_mistakes_at_once(dry_scenario):
    """Each broken marker gives one message with file, line, key and nearest name; exit status 4."""
    outcome = dry_scenario(
        """
        @pytest.mark.gomem(peak_rrs="1GB")
        def test_metric(go_service): pass

        @pytest.mark.gomem(peak_rss="24MBnonsense")
        def test_quantity(go_service): pass

        @pytest.mark.gomem("1GB")
        def test_positional(go_service): pass

        @pytest.mark.gomem(service="apo")
        def test_service(go_service): pass

        @pytest.mark.gomem(peak_rss="1GB")
        def test_no_fixture(): pass

        @pytest.mark.gomem_gc(gogc=[25, "abc"])
        def test_gogc(go_service): pass

        @pytest.mark.gomem_gc(gogc=[25])
        def test_session(go_service_session): pass
        """
    ).run()
    assert outcome.status == 4
    assert "Traceback" not in outcome.text
    assert "INTERNALERROR" not in outcome.text
    for words in (
        "test_it.py:3 test_metric @pytest.mark.gomem.peak_rrs",
        "did you mean peak_rss?",
        "test_it.py:6 test_quantity",
        "test_it.py:9 test_positional",
        "has no service 'apo'",
        "test_it.py:15 test_no_fixture @pytest.mark.gomem: the test uses no gomem fixture",
        "test_it.py:18 test_gogc",
        "test_it.py:21 test_session",
    ):
        assert words in outcome.text, words


def test_broken_yaml(dry_scenario):
    """A broken gomem.yaml is a usage error with file, line and key."""
    project = dry_scenario("def test_it(): pass", service="gc: {gogc: 0}\nreddy: {tcp: true}")
    outcome = project.run()
    assert outcome.status == 4
    assert "gomem.yaml:7 services.api.gc.gogc" in outcome.text
    assert "did you mean ready?" in outcome.text
    assert "Traceback" not in outcome.text


def test_named_config_must_exist(dry_scenario):
    """--gomem-config with a missing file is a usage error."""
    outcome = dry_scenario("def test_it(): pass").run("--gomem-config", "nowhere.yaml")
    assert outcome.status == 4
    assert "nowhere.yaml" in outcome.text
    assert "Traceback" not in outcome.text


def test_no_config(dry_scenario):
    """Without gomem.yaml the first error shows how one begins, once for all tests; others run without us."""
    project = dry_scenario(
        "def test_plain(): pass\ndef test_it(go_service): pass\ndef test_too(go_service_session): pass\n"
        "@pytest.mark.gomem(service='api')\ndef test_marked(gomem): pass"
    )
    (project.folder / "gomem.yaml").unlink()
    outcome = project.run()
    assert outcome.status == 4
    assert outcome.text.count("there is no gomem.yaml") == 1
    assert "@pytest.mark" not in outcome.text
    lines = outcome.text.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.strip() == "version: 1")
    example = "\n".join(lines[begin : begin + 5])
    (project.folder / "gomem.yaml").write_text(textwrap.dedent(example))
    assert load_config(project.folder / "gomem.yaml", {}).services["api"].ready.kind == "tcp"
    (project.folder / "gomem.yaml").unlink()
    outcome = project.run("-k", "plain", "--deselect", "test_it.py::test_it")
    assert "gomem:" not in outcome.text


def test_several_services_and_none_named(dry_scenario):
    """The error blames no marker that is not there, and shows the one to write."""
    project = dry_scenario("def test_it(go_service): pass")
    services = "version: 1\nservices: {api: {binary: ./api}, worker: {binary: ./worker}}\n"
    (project.folder / "gomem.yaml").write_text(services)
    outcome = project.run()
    assert outcome.status == 4
    assert "test_it: which service? gomem.yaml has: api, worker" in outcome.text
    assert '@pytest.mark.gomem(service="NAME")' in outcome.text


def test_stale_budgets(scenario):
    """A YAML glob that matches no test warns in a full run, fails under strict, and is silent in a narrowed run."""
    project = scenario(
        "def test_it(go_service): pass",
        budgets="""\
        budgets:
          tests:
            "test_it.py::test_gone*": {peak_rss: 1GB}
        """,
    )
    outcome = project.run()
    assert outcome.status == 0
    assert "gomem.yaml:11: GomemWarning: the budget of 'test_it.py::test_gone*' matches no test" in outcome.text
    assert project.run("--gomem-strict").status == 4
    assert "matches no test" not in project.run("-k", "test_it").text
    outcome = project.run("-W", "error")
    assert outcome.status == 4
    assert "Traceback" not in outcome.text


def test_rivals(dry_scenario):
    """Two globs of equal rank on one metric are an error that names both."""
    outcome = dry_scenario(
        "def test_it(go_service): pass",
        budgets="""\
        budgets:
          tests:
            "test_it.py::test_*t": {peak_rss: 1GB}
            "test_it.py::test_*": {peak_rss: 2GB}
        """,
    ).run()
    assert outcome.status == 4
    assert "two budgets of equal rank on peak_rss" in outcome.text


def test_broken_marker_under_xdist(dry_scenario):
    """On xdist's workers a broken marker is a collection error, not an internal one."""
    outcome = dry_scenario(
        """
        @pytest.mark.gomem(peak_rrs="1GB")
        def test_metric(go_service): pass
        """
    ).run("-n1")
    assert outcome.status not in (0, 5)
    assert "did you mean peak_rss?" in outcome.text
    assert "INTERNALERROR" not in outcome.text
    assert "Traceback" not in outcome.text
