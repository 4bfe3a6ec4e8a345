"""A user's code as mypy sees it (`make lint`): names and calls are typed, and a mistake is found before a test runs.

Each `type: ignore` is a mistake that must be found: mypy complains about one that is not needed.
"""

from __future__ import annotations

from typing_extensions import assert_type

import pytest_gomem as gm


@gm.metric(group="memory", unit=gm.BYTES, better=gm.Better.LOWER, noise=gm.Noise.MODERATE, sources=("statm",))
def rss_kept(window: gm.Window) -> gm.Reading | gm.Unavailable:
    """Resident memory that the window added and did not give back."""
    if isinstance(window.start, gm.Unavailable):
        return window.start
    if isinstance(window.end, gm.Unavailable):
        return window.end
    return gm.Reading(max(0, window.end.rss - window.start.rss), "statm")


@gm.hookimpl(tryfirst=True)
def pytest_gomem_metrics() -> list[gm.Metric]:
    return [rss_kept]


def test_calls(go_service: gm.Service, gomem: gm.Gomem) -> None:
    assert_type(go_service.get("/", headers={"X": "y"}, timeout="5s"), gm.Response)
    assert_type(go_service.load("/", requests=5, connections=2), gm.LoadRecord)
    assert_type(go_service.retention().objects("main.Session").count, int)
    assert_type(go_service.retention(keep="heap.dump").holders, tuple[gm.Holder, ...])
    with go_service.trace(keep="trace.out", max_size="16MiB", seconds=5) as trace:
        assert_type(trace, gm.Trace)
    assert_type(trace.report, gm.TraceReport)
    with go_service.stream("/") as stream:
        assert_type(stream, gm.Stream)
    with gomem.launch("api", gogc=25, env={"PORT": 80}) as service, gomem.measure(service, ops=5) as measurement:
        assert_type(service, gm.Service)
        assert_type(measurement, gm.Measurement)
    assert_type(gomem.run("job", timeout="10min", allow_exit=[0, 1]), gm.Measurement)


def test_mistakes(go_service: gm.Service, gomem: gm.Gomem) -> None:
    go_service.load("/", request=5)  # type: ignore[call-arg]
    go_service.load("/", requests="5")  # type: ignore[arg-type]
    go_service.stream("/", max_body=5)  # type: ignore[call-arg]
    gomem.launch(goc=25)  # type: ignore[call-arg]
    gomem.measure("api")  # type: ignore[arg-type]
    print(gm.Servce)  # type: ignore[attr-defined]
