"""`gomem run` end to end: what it prints of a program, and its status."""

from __future__ import annotations

import io

import pytest
from agent_programs import PROGRAMS

from pytest_gomem.base.errors import ConfigError, SupervisorError
from pytest_gomem.commands.run import run
from pytest_gomem.session.gomem import Gomem
from pytest_gomem.session.plan import Role


def test_a_broken_budget_of_a_run_says_the_option():
    """`gomem run --budget` names the option, and of two on one metric the last one counts."""
    out, err = io.StringIO(), io.StringIO()
    budgets = ["--budget=peak_rss=1TB", "--budget=peak_rss=1kB", "--budget=live_heap=1MB"]
    assert run([*budgets, "--", "true"], out, err) == 1
    assert "2 of 2 limits broken" in err.getvalue()
    assert "over its limit of 1kB\n" in err.getvalue()
    assert "\n    peak_rss: declared at --budget peak_rss (gomem run); " in err.getvalue()
    assert run(["--budget=peak_rss=1TB", "--", "true"], out, err) == 0


def test_a_silent_wrapper_has_no_figures_of_gctrace():
    """What it starts may have run without GODEBUG: no line read is then no count of 0."""
    out, err = io.StringIO(), io.StringIO()
    assert run(["--budget=gc_cycles=0", "--", "env", "-i", "true"], out, err) == 1
    assert "no line of gctrace was read" in " ".join(err.getvalue().split())
    assert "gctrace" not in out.getvalue()


@pytest.mark.usefixtures("go")
def test_a_program_that_is_built_has_its_figures_and_its_culprits():
    """--build takes the agent in; --diagnose runs the program once more, and its line is named."""
    out, err = io.StringIO(), io.StringIO()
    asked = ["--build", f"{PROGRAMS}/ending", "--diagnose", "--budget=total_alloc=1MB", "--", "--mb=20"]
    assert run(asked, out, err) == 1
    assert "runtime.MemStats.TotalAlloc by the agent" in out.getvalue()
    assert "unavailable" not in out.getvalue()
    assert "looking for the cause, round 1 of 1" in err.getvalue()
    assert "1 of 1 limits broken  (window 'ending'" in err.getvalue()
    assert "main.hold  ending/main.go:" in err.getvalue()


@pytest.mark.usefixtures("go")
@pytest.mark.parametrize(
    ("error", "why"), [(KeyboardInterrupt(), "it was interrupted"), (SupervisorError("it is gone"), "it is gone")]
)
def test_a_failure_is_told_even_if_its_cause_cannot_be_looked_for(monkeypatch, error, why):
    """Whatever ends the observed run: Ctrl-C, or the loss of the supervisor."""
    measured = Gomem.run_config

    def run_config(gomem, *args, **options):
        if gomem.plan.role is Role.OBSERVED:
            raise error
        return measured(gomem, *args, **options)

    monkeypatch.setattr(Gomem, "run_config", run_config)
    out, err = io.StringIO(), io.StringIO()
    asked = ["--build", f"{PROGRAMS}/ending", "--diagnose", "--budget=total_alloc=1MB", "--", "--mb=20"]
    assert run(asked, out, err) == 1
    assert "1 of 1 limits broken  (window 'ending'" in err.getvalue()
    assert f"nobody can be named: an observed round came to nothing: {why}" in err.getvalue()


def test_a_program_that_was_built_elsewhere_says_what_is_missing():
    """What the runtime counts needs the agent."""
    out, err = io.StringIO(), io.StringIO()
    assert run(["--", "true"], out, err) == 0
    assert "what the runtime counts is unavailable: " in out.getvalue()
    assert "the binary is prebuilt" in out.getvalue()


@pytest.mark.parametrize(("argv", "words"), [([], "which program"), (["--diagnose", "--", "true"], "needs the agent")])
def test_wrong_arguments_run_nothing(argv, words):
    with pytest.raises(ConfigError, match=words):
        run(argv, io.StringIO(), io.StringIO())


def test_a_program_under_a_memory_limit_says_what_it_left(binaries, memory_groups):
    """Its group is read once it has ended; a share of the limit is what Go sees."""
    out, err = io.StringIO(), io.StringIO()
    limit = ["--memory-limit", "64MiB", "--gomemlimit", "90%", "--budget", "min_headroom=50MiB"]
    assert run([*limit, "--", str(binaries("hold")), "--mb=20", "--for=0"], out, err) == 1
    assert "memory_limit of 64MiB less the peak" in out.getvalue()
    assert "below its floor of 50MiB" in " ".join(err.getvalue().split())
    assert "gomemlimit     58982KiB" in err.getvalue()
    with pytest.raises(ConfigError, match="gomem run --memory-limit: '1MiB' is below 4MiB"):
        run(["--memory-limit=1MiB", "--", "true"], out, err)
