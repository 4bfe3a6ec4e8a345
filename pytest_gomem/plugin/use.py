"""Whether a pytest run or a test uses the plugin, and the session that begins with the first use.

Most runs do not use it, and pay only for this check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_gomem.plugin.options import is_any_given

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_gomem.plugin.session import PluginSession

CONFIG_NAME = "gomem.yaml"
BASELINES_NAME = "gomem_baselines"  # the folder next to gomem.yaml, unless an option names another

SERVICE_FIXTURE = "go_service"
SESSION_FIXTURE = "go_service_session"
MATRIX_FIXTURE = "gomem_gc"
FIXTURES = frozenset({SERVICE_FIXTURE, SESSION_FIXTURE, "gomem"})
MARKERS = ("gomem", "gomem_gc")

_SESSION: pytest.StashKey[PluginSession] = pytest.StashKey()


def session_of(config: pytest.Config) -> PluginSession:
    """The plugin's session of this pytest run, which begins with the first call.

    Raises UsageError with every mistake in options and gomem.yaml. If there are any of these, it begins before any
    test is collected; else perhaps with our first test, and then nothing needs what was collected before.
    """
    session = begun(config)
    if session is None:
        from pytest_gomem.plugin.session import PluginSession

        session = config.stash[_SESSION] = PluginSession.configured(config)
    return session


def begun(config: pytest.Config) -> PluginSession | None:
    """The same; None in a run that has used nothing of ours yet."""
    return config.stash.get(_SESSION, None)


def is_used_by_run(config: pytest.Config) -> bool:
    """Whether the run uses the plugin before any test is known: an option, a gomem.yaml, baselines."""
    return is_any_given(config) or default_config(config) is not None or (config.rootpath / BASELINES_NAME).is_dir()


def default_config(config: pytest.Config) -> Path | None:
    """The gomem.yaml in the rootdir, else next to the ini file; None if there is none."""
    folders = [config.rootpath, *([config.inipath.parent] if config.inipath else [])]
    return next((path for folder in folders if (path := folder / CONFIG_NAME).exists()), None)


def is_measured(item: pytest.Item) -> bool:
    """Whether the item has a gomem fixture or marker."""
    return not FIXTURES.isdisjoint(fixture_names(item)) or any(item.get_closest_marker(name) for name in MARKERS)


def shares_services(item: pytest.Item) -> bool:
    """Whether the item may measure a process that other tests share."""
    return not {SESSION_FIXTURE, "gomem"}.isdisjoint(fixture_names(item))


def fixture_names(item: pytest.Item) -> list[str]:
    """The fixtures that the item requests, directly or not."""
    return list(getattr(item, "fixturenames", ()))


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def given_by_controller(config: pytest.Config) -> Mapping[str, Any]:
    """What the controller gave this worker; nothing elsewhere."""
    given: Mapping[str, Any] = getattr(config, "workerinput", {})
    return given
