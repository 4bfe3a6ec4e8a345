"""Ends pytest with the command that started it, also if that is killed: a plugin for `-p`, used by `gomem bisect`."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal

import pytest

PARENT_VARIABLE = "PYTEST_GOMEM_PARENT"
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """From now on the end of the parent is a Ctrl-C: fixtures are torn down, and services end."""
    with contextlib.suppress(OSError, AttributeError):  # there is no prctl outside of Linux
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
    try:
        os.kill(int(os.environ[PARENT_VARIABLE]), 0)
    except ProcessLookupError:  # it ended before that
        raise pytest.UsageError("the command that started this run has ended") from None
