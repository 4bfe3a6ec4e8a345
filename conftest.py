"""Owns what every test of this repository shares: pytester, and a settled hypothesis."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

settings.register_profile(
    "gomem",
    deadline=None,
    # CI machines stall: a slow or large example is no fault of the property.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    # CI repeats the same examples, so that a commit is judged by what it changed; a developer's runs look for new ones.
    derandomize=bool(os.environ.get("CI")),
)
settings.register_profile("quick", settings.get_profile("gomem"), max_examples=5)  # make quick
settings.load_profile("gomem")


# What Python, pytest, git, Go or we read of the shell that the tests were started from, and would tell or do otherwise.
OF_THE_SHELL = (
    *("CI", "BUILD_NUMBER", "COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "PY_COLORS"),
    # Without bytecode each pytest that a test starts would compile all that it imports: twice the CPU of a short run.
    "PYTHONDONTWRITEBYTECODE",
    *("GOFLAGS", "GODEBUG", "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GOEXPERIMENT", "GOTRACEBACK", "GOWORK"),
)
BY_PREFIX = ("PYTEST_", "GIT_", "GITHUB_", "GITLAB_", "RUNNER_", "CI_")
KEPT = {
    *("PYTEST_CURRENT_TEST", "PYTEST_DEBUG_TEMPROOT", "PYTEST_VERSION"),
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM"),  # the owner of a mounted checkout is told there
}
# Of the user's git alone: signing asks for a key, hooks refuse a commit, and what tidies up writes while we look.
GIT = {
    "commit.gpgsign": "false",
    "core.autocrlf": "false",
    "core.hooksPath": os.devnull,
    "gc.auto": "0",
    "maintenance.auto": "false",
}
# A failed test would run again to find its cause, which most tests are not about.
UNDIAGNOSED = "-o gomem_diagnose=off"  # as an ini option, which a pytest without the plugin overlooks


@pytest.fixture(scope="session", autouse=True)
def _as_anywhere() -> Iterator[None]:
    """A test starts pytest, git and Go alike wherever it runs: in CI, in a hook of git, in a coloured narrow terminal.

    Also in the background of a script, where the shell lets no Ctrl-C through and all that is started inherits it.
    """
    is_deaf = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - KEPT:
            if name in OF_THE_SHELL or name.startswith(BY_PREFIX):
                patch.delenv(name)
        patch.setenv("GIT_CONFIG_COUNT", str(len(GIT)))
        for number, (key, value) in enumerate(GIT.items()):
            patch.setenv(f"GIT_CONFIG_KEY_{number}", key)
            patch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
        # The two plugins are slow to load. Tests of the diagnosis say --gomem-diagnose, which counts more.
        patch.setenv("PYTEST_ADDOPTS", f"-p no:hypothesispytest -p no:benchmark {UNDIAGNOSED}")
        if is_deaf:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
        if is_deaf:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
