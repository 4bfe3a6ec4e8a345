"""The page of a run in a headless Chromium: filter, sort, tabs, zoom, keys, themes, a phone, and hostile names."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "unit"))  # the records that the tests of reports share
import report_samples as samples
from page_samples import HOSTILE, checked_window, course_window, hostile_run

from pytest_gomem.page.write import write_page
from pytest_gomem.results.run_record import RunRecord, TestRecord

COURSE = TestRecord("tests/test_course.py::test_course", "failed", (course_window(400),))
RUN = replace(samples.sample_run(), tests=(*samples.sample_tests(), COURSE, *samples.matrix_tests()))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of the sample run; it is only read."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_page(RUN, path, "--gomem-html")
    return path


@pytest.fixture
def browser(chromium, page):
    """The browser with that page; nothing may go wrong in it, and it asks for nothing."""
    chromium.requests.clear()
    chromium.resize(1280, 900)
    chromium.prefer("light")
    chromium.open(page)
    yield chromium
    assert chromium.complaints == []
    assert {address.partition("#")[0] for address in chromium.requests} == {page.as_uri()}


def text(browser, selector):
    return browser.evaluate(f"document.querySelector({selector!r}).innerText")


def names(browser):
    return browser.evaluate("[...document.querySelectorAll('#rows .name')].map((one) => one.textContent)")


def until(browser, script):
    """Wait until it is true: the address changes first, and the page a little later."""
    look = f"(() => {{ const look = () => ({script}) ? told(1) : setTimeout(look, 5); look(); }})()"
    browser.evaluate(f"new Promise((told) => {look})")


def open_test(browser, nodeid):
    browser.evaluate(f"location.hash = '#test=' + encodeURIComponent({nodeid!r})")
    until(browser, "!document.getElementById('test').hidden && document.getElementById('window')")


def until_list(browser):
    until(browser, "document.getElementById('test').hidden")


def test_the_worst_is_first_and_words_filter(browser):
    """`/` leads to the filter; each of its words must be there; Escape ends it."""
    assert text(browser, "#verdict strong") == "4 of 14 tests failed"
    assert len(names(browser)) == 14
    assert names(browser)[:3] == ["test_leak", "test_course", "test_upload"]
    browser.press("/")
    browser.write("MATRIX gogc=25-")
    assert names(browser) == ["test_matrix[gogc=25-gomemlimit=off]", "test_matrix[gogc=25-gomemlimit=1GiB]"]
    assert text(browser, "#shown") == "2 of 14 tests"
    browser.press("Escape")
    assert len(names(browser)) == 14
    browser.click(".chip.warn")
    assert names(browser) == ["TestDownload::test_range[first-byte]", "test_close_to_its_limit_with_a_long_name"]
    browser.press("/")
    browser.write("nothing like it")
    assert text(browser, "#none") == "No test matches."


def test_columns_sort(browser):
    """The largest figure first, then the smallest; what has none is last both ways."""
    browser.click(".sort[data-key='gc_cycles']")
    assert names(browser)[0] == "test_matrix[gogc=25-gomemlimit=off]"
    assert names(browser)[-1] == "test_skipped"
    browser.click(".sort[data-key='gc_cycles']")
    assert names(browser)[0] == "test_matrix[gogc=400-gomemlimit=off]"
    assert names(browser)[-1] == "test_skipped"
    browser.click(".sort[data-key='name']")
    assert names(browser)[0] == "TestDownload::test_range[first-byte]"
    pressed = "[...document.querySelectorAll('.sort[aria-pressed=true]')].map((one) => one.dataset.key)"
    assert browser.evaluate(pressed) == ["name"]


def test_all_by_keyboard(browser):
    """j and k walk the list, Enter opens, then j goes on to the next test, and Escape leads back to where you were."""
    first, second = names(browser)[:2]
    browser.press("j")
    browser.press("ArrowDown")
    assert second in browser.evaluate("document.activeElement.innerText")
    browser.press("k")
    assert first in browser.evaluate("document.activeElement.innerText")
    browser.press("Enter")
    until(browser, f"document.getElementById('test-name')?.innerText === {first!r}")
    assert browser.evaluate("document.activeElement.id") == "test-name"
    browser.press("j")
    until(browser, f"document.getElementById('test-name').innerText === {second!r}")
    browser.press("Escape")
    until_list(browser)
    assert second in browser.evaluate("document.activeElement.innerText")


def test_a_test_tells_what_broke(browser):
    """The first screen in words, each limit with where it is declared, and every metric with its source or reason."""
    open_test(browser, RUN.tests[0].nodeid)
    assert text(browser, ".answers dt") == "FAIL"
    assert text(browser, ".answers dd") == "peak_rss is 2.02 GB, 222 MB (12.3%) over its limit of 1.8GB"
    assert text(browser, "#part-limits tbody tr").split("\t")[:3] == ["peak_rss", "2.02 GB", "1.8GB"]
    assert "gomem.yaml:31" in text(browser, "#part-limits tbody tr")
    browser.click("#part-limits .check input")
    assert "read from a source" in text(browser, "#part-limits tr.more")
    browser.evaluate("document.querySelector('#part-metrics summary').click()")
    assert "the service has no pprof endpoint" in text(browser, "#part-metrics table")


def test_tabs_of_windows_and_views(browser):
    """By arrows, as a tablist; the address keeps the window."""
    open_test(browser, RUN.tests[1].nodeid)
    state = """[...document.querySelectorAll('#test [role=tab]')].map((one) =>
        [one.innerText, one.getAttribute('aria-selected'), one.tabIndex])"""
    assert browser.evaluate(state) == [["steady", "true", 0], ["cold", "false", -1]]
    browser.evaluate("document.querySelector('#test [role=tab]').focus()")
    browser.press("ArrowRight")
    assert browser.evaluate(state) == [["steady", "false", -1], ["cold", "true", 0]]
    assert "short by 58%" in text(browser, "#part-limits")
    assert browser.evaluate("location.hash").endswith("&window=cold")
    browser.press("Escape")
    until_list(browser)
    browser.click("#tab-matrix")
    assert browser.evaluate("document.getElementById('view-tests').hidden")
    assert "costs" in text(browser, "#view-matrix")


def test_the_course_zooms(browser):
    """By a drag and by keys; a click in the legend shows a curve, and the readout says what was when."""
    open_test(browser, COURSE.nodeid)
    reset = "document.querySelector('.zooms button:last-child').disabled"
    browser.evaluate("document.getElementById('part-course').scrollIntoView()")
    until(browser, "" + reset)
    browser.drag(".u-over", 0.4, 0.6)
    until(browser, "!" + reset)
    browser.hover(".u-over")
    until(browser, "/in drain .*RSS 400 MB/.test(document.querySelector('.readout').innerText)")
    browser.double_click(".u-over")
    until(browser, "" + reset)
    browser.evaluate("document.querySelector('.plot').focus()")
    browser.press("+")
    until(browser, "!" + reset)
    browser.press("0")
    until(browser, reset)
    browser.click(".zooms button")
    until(browser, "!" + reset)
    browser.click(".zooms button:last-child")
    until(browser, "" + reset)
    threads = "[...document.querySelectorAll('.legend button')].find((one) => one.innerText === 'threads')"
    browser.evaluate(f"{threads}.click()")
    browser.hover(".u-over")
    until(browser, "document.querySelector('.readout').innerText.includes('threads 12')")


def test_themes_follow_the_system_and_the_button(browser):
    """prefers-color-scheme decides until the button, or its key, is pressed."""
    paper = "getComputedStyle(document.body).backgroundColor"
    light = browser.evaluate(paper)
    browser.prefer("dark")
    assert browser.evaluate(paper) != light
    browser.press("d")
    assert browser.evaluate(paper) == light
    browser.evaluate("localStorage.clear()")
    browser.prefer("light")


@pytest.mark.parametrize("at", [None, 0, 7])
def test_a_phone_scrolls_in_one_direction(browser, at):
    """Rows become cards, and wide tables scroll within themselves."""
    browser.resize(360, 700)
    if at is not None:
        open_test(browser, RUN.tests[at].nodeid)
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_screen_reader_hears_names(browser):
    """Every control has one, in the list and in a test."""
    for nodeid in (None, COURSE.nodeid):
        if nodeid:
            open_test(browser, nodeid)
        nodes = browser.ask("Accessibility.getFullAXTree")["nodes"]
        controls = ("button", "searchbox", "combobox", "link", "tab", "checkbox", "image")
        for node in nodes:
            if node.get("role", {}).get("value") in controls and not node.get("ignored"):
                assert node["name"]["value"], node


def test_every_kind_of_test_opens(chromium, tmp_path):
    """One with all that can be told, one whose service died, one that was not measured; and a run without any."""
    windows = (samples.fat_window(), samples.dead_window(), course_window(2, series={}, cycles=()))
    tests = [TestRecord(f"test_it.py::test_{at}", "failed", (window,)) for at, window in enumerate(windows)]
    nothing = TestRecord("test_it.py::test_3", "not run", ())
    checked = TestRecord("test_it.py::test_4", "passed", (checked_window(),))
    path = tmp_path / "page.html"
    write_page(RunRecord("0.1.0", {}, [*tests, nothing, checked]), path, "--gomem-html")
    chromium.open(path)
    for number in range(4):
        open_test(chromium, f"test_it.py::test_{number}")
        until(chromium, f"document.getElementById('test-name').innerText === 'test_{number}'")
    assert text(chromium, "#test > p") == "Nothing was measured in this test."
    open_test(chromium, "test_it.py::test_4")
    until(chromium, "document.getElementById('test-name').innerText === 'test_4'")
    assert "main.serve*" in text(chromium, "#part-known-leaks")
    assert text(chromium, "#part-disagreements tbody").count("by kernel") == 1
    chromium.click(".histogram summary")
    bars = "[...document.querySelectorAll('.histogram .share span')].map((one) => one.offsetWidth)"
    widths = chromium.evaluate(bars)
    assert widths[0] < widths[-1]
    write_page(RunRecord("0.1.0", {}, []), path, "--gomem-html")
    chromium.open(path)
    assert text(chromium, "#verdict") == "No test was measured"
    assert chromium.complaints == []


def test_hostile_names_are_text(chromium, tmp_path):
    """No script of theirs runs, no image is asked for, and no policy is broken."""
    path = tmp_path / "page.html"
    run: RunRecord = hostile_run()
    write_page(run, path, "--gomem-html")
    chromium.requests.clear()
    chromium.open(path)
    assert HOSTILE[:25] in text(chromium, "#rows")
    chromium.evaluate("document.querySelector('.item a').click()")
    until(chromium, "document.getElementById('window')")
    assert HOSTILE[:25] in text(chromium, "#window")
    assert r"\u202e" in text(chromium, "#window")
    assert chromium.evaluate("document.images.length") == 0
    chromium.resize(360, 700)
    assert chromium.evaluate("document.documentElement.scrollWidth <= innerWidth")
    chromium.resize(1280, 900)
    assert chromium.evaluate("document.querySelectorAll('script:not([type])').length") == 2  # our own
    assert chromium.complaints == []
    assert {address.partition("#")[0] for address in chromium.requests} == {path.as_uri()}


def test_the_address_keeps_the_list(browser):
    """Words, status, sort and view: Back leads from a test to the list as it was, and a link shows it to others."""
    browser.press("/")
    browser.write("MATRIX gogc=")
    browser.click(".chip.good")
    browser.click(".sort[data-key='gc_cycles']")
    browser.click(".sort[data-key='gc_cycles']")
    shown, address = names(browser), browser.evaluate("location.hash")
    assert address == "#find=MATRIX%20gogc%3D&status=passed&sort=gc_cycles&order=reversed"
    browser.evaluate("document.querySelector('.item a').click()")
    until(browser, "document.getElementById('window')")
    browser.evaluate("history.back()")
    until_list(browser)
    assert (names(browser), browser.evaluate("location.hash")) == (shown, address)
    browser.evaluate("location.hash = 'view=matrix&status=junk&sort=junk'")
    until(browser, "!document.getElementById('view-matrix').hidden")
    assert len(names(browser)) == 14
    assert browser.evaluate("document.getElementById('tab-matrix').getAttribute('aria-selected')") == "true"
    browser.evaluate(f"location.hash = {address!r}")
    until(browser, "document.getElementById('view-matrix').hidden")
    assert names(browser) == shown


def test_what_was_not_compared_is_told_by_reason(chromium, tmp_path):
    """How many windows share it, the most frequent first; the list of them opens."""
    windows = [samples.window(no_base=why) for why in ("another Go", "no baseline", "another Go")]
    path = tmp_path / "page.html"
    tests = [TestRecord(f"test_it.py::test_{at}", "passed", (one,)) for at, one in enumerate(windows)]
    write_page(RunRecord("0.1.0", {}, tests), path, "--gomem-html")
    chromium.open(path)
    chromium.click("#tab-compared")
    assert text(chromium, "#view-compared h3") == "Not compared: 3 windows"
    told = "[...document.querySelectorAll('#view-compared details')].map((one) => one.innerText)"
    assert chromium.evaluate(told) == ["2 another Go", "1 no baseline"]
    chromium.click("#view-compared summary")
    assert chromium.evaluate(told)[0].split("\n")[-2:] == ["test_0", "test_2"]
    assert chromium.complaints == []
