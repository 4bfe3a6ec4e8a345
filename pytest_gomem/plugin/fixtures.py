"""The fixtures: each gives a test one object of the core and closes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gomem.plugin.use import session_of

if TYPE_CHECKING:
    from pytest_gomem.config.marker import Combination
    from pytest_gomem.plugin.measured import MeasuredItem
    from pytest_gomem.session.gomem import Gomem, Launchpad
    from pytest_gomem.session.service import Service


@pytest.fixture
def gomem_service_options() -> dict[str, Any]:
    """Override in conftest.py: {"env": {...}, "args": [...], "gc": {...}, "memory_limit": "256MiB"}, from fixtures."""
    return {}


@pytest.fixture(scope="session")
def gomem_session_options() -> dict[str, Any]:
    """Override in conftest.py: as gomem_service_options, for go_service_session and gomem_session."""
    return {}


@pytest.fixture
def gomem_gc() -> Combination | None:
    """The GC settings that @pytest.mark.gomem_gc chose for this test; None without that marker."""
    return None


@pytest.fixture
def gomem(
    request: pytest.FixtureRequest, gomem_service_options: Mapping[str, Any], gomem_gc: Combination | None
) -> Iterator[Gomem]:
    """Launch, attach to, run and measure services by hand."""
    factory = _factory(request, gomem_service_options, gomem_gc)
    yield factory
    factory.close()


@pytest.fixture
def go_service(
    request: pytest.FixtureRequest, gomem_service_options: Mapping[str, Any], gomem_gc: Combination | None
) -> Iterator[Service]:
    """A fresh process of the test's service; the test body is its window."""
    factory = _factory(request, gomem_service_options, gomem_gc)
    with _failing_plainly():
        service = factory.launch()
    yield service
    factory.close()


@pytest.fixture(scope="session")
def gomem_session(request: pytest.FixtureRequest, gomem_session_options: Mapping[str, Any]) -> Iterator[Launchpad]:
    """Launch services that live for many tests; measure them with a test's own `gomem`."""
    from pytest_gomem.base.errors import Place
    from pytest_gomem.session.gomem import Launchpad
    from pytest_gomem.session.run import overrides

    with _failing_plainly():
        base = overrides(gomem_session_options, Place(key="gomem_session_options"))
    launchpad = Launchpad(session_of(request.config).run, base)
    yield launchpad
    launchpad.close()


@pytest.fixture(scope="session")
def go_service_session(gomem_session: Launchpad) -> Iterator[Service]:
    """One process of the only service of gomem.yaml for all tests; each test body is a window of its own."""
    with _failing_plainly():
        service = gomem_session.launch()
    yield service
    service.stop()


@contextmanager
def _failing_plainly() -> Iterator[None]:
    """Fail the test with the text of an error that the user can fix, without a traceback."""
    from pytest_gomem.base.errors import GomemError
    from pytest_gomem.plugin.body_errors import plainly

    try:
        yield
    except GomemError as error:
        raise plainly(error) from None


def _measured(request: pytest.FixtureRequest) -> MeasuredItem:
    measured = session_of(request.config).measuring.of(request.node)
    if measured is None:
        pytest.fail("gomem fixtures must be in the test's own closure: request them as arguments", pytrace=False)
    return measured


def _factory(request: pytest.FixtureRequest, options: Mapping[str, Any], combination: Combination | None) -> Gomem:
    from pytest_gomem.base.errors import Place
    from pytest_gomem.launch.launcher import Overrides
    from pytest_gomem.session.run import overrides

    with _failing_plainly():
        base = overrides(options, Place(key="gomem_service_options"))
    if combination is not None:
        limit = combination.memory_limit
        base = Overrides(gc=combination.settings, build=combination.build, memory_limit=limit).over(base)
    return _measured(request).gomem(base)
