"""Why there were more collections, from real windows of a service whose ballast, work or settings differ."""

from __future__ import annotations

import re
from dataclasses import replace

from pytest_gomem.base.errors import Place
from pytest_gomem.base.units import COUNT, Quantity
from pytest_gomem.config.budgets import Budget
from pytest_gomem.diagnosis.gc_explained import gc_sentence
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.report.json_rules import PUBLIC
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import Status

TESTS = """
@pytest.mark.parametrize("ballast, requests", [(64, 40), (0, 40), (0, 160)])
def test_work(gomem, ballast, requests):
    service = gomem.launch("api")
    if ballast:
        service.get(f"/alloc?bytes={ballast << 20}&keep=true")
    with gomem.measure(service):
        service.load("/alloc?bytes=1000000", requests=requests)


def test_tuned(gomem):
    service = gomem.launch("tuned")
    with gomem.measure(service):
        service.load("/alloc?bytes=1000000", requests=40)
"""
MORE = Quantity(0.1, COUNT, "10%")
WORSE = Verdict(Budget("gc_cycles", None, None, None, MORE, "", "", Place()), MORE, "regression", 1.0, Status.FAIL)


def test_what_differs_is_told(scenario, binaries):
    """A ballast that is gone, work that is more, and a program that sets GOGC itself."""
    more = f"""
        tuned:
          binary: {binaries("server")}
          args: ["--listen", "127.0.0.1:{{port}}", "--admin", "127.0.0.1:{{port:admin}}", "--set-gogc", "25"]
          ready: {{http: /healthz}}
    """
    outcome = scenario(TESTS, more_services=more).run()
    assert outcome.status == 0, outcome.text

    def of(test: str) -> WindowRecord:
        found: WindowRecord = PUBLIC.decode(WindowRecord, outcome.window(test))
        return found

    held, plain, busy, tuned = map(of, ("[64-40]", "[0-40]", "[0-160]", "test_tuned"))
    for base, head, words in [
        (held, plain, r"the live heap fell from 67\.\d MB to \d+ kB, .* times as often: was a ballast removed\?"),
        (plain, busy, r"\d+ collections instead of \d+: 16\d MB were allocated instead of 4\d.* MB"),
        (plain, tuned, r"GOGC is about \d+ instead of 100, so the heap goal fell from 4\.\d+ MB to .* times as often"),
    ]:
        told = gc_sentence(WORSE, replace(head, base=base))
        assert re.fullmatch(words, told), told
