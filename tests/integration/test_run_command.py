"""`gomem run` end to end: what it prints of a program, and its status."""

from __future__ import annotations

import io

from pytest_gomem.commands.run import run


def test_a_broken_budget_of_a_run_says_the_option():
    """`gomem run --budget` names the option, and of two on one metric the last one counts."""
    out, err = io.StringIO(), io.StringIO()
    budgets = ["--budget=peak_rss=1TB", "--budget=peak_rss=1kB", "--budget=live_heap=1MB"]
    assert run([*budgets, "--", "true"], out, err) == 1
    assert "2 of 2 limits broken" in err.getvalue()
    assert "over its limit of 1kB\n\n  limits\n" in err.getvalue()
    assert "\n    peak_rss: declared at --budget peak_rss (gomem run); " in err.getvalue()
    assert run(["--budget=peak_rss=1TB", "--", "true"], out, err) == 0


def test_a_silent_wrapper_has_no_figures_of_gctrace():
    """What it starts may have run without GODEBUG: no line read is then no count of 0."""
    out, err = io.StringIO(), io.StringIO()
    assert run(["--budget=gc_cycles=0", "--", "env", "-i", "true"], out, err) == 1
    assert "no line of gctrace was read" in " ".join(err.getvalue().split())
    assert "gctrace" not in out.getvalue()
