"""gomem_accepted.yaml: what it says, every mistake in it, and adding to it without touching what humans wrote."""

from __future__ import annotations

import threading
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.errors import ConfigError, ConfigErrors, GomemError, Place
from pytest_gomem.base.units import BYTES
from pytest_gomem.config.accepted import Acceptance, amount, load_accepted
from pytest_gomem.config.accepting import add, entry_text
from pytest_gomem.config.gomem_yaml import load_config
from pytest_gomem.measure.registry import Registry, builtin_metrics

KNOWN = Registry(builtin_metrics()).units()

WHOLE = """\
version: 1   # the team's
accepted:
  # caches: see the design note
  - test: "tests/test_mem.py::test_upload"
    metric: live_heap
    amount: 4.2%
    reason: "the cache of sessions, on purpose"
    owner: ann
    expires: 2027-01-31

  - {test: "t.py::*", metric: gc_pause_max, muted: true, reason: noisy neighbours, owner: bob, expires: 2026-12-24}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "gomem_accepted.yaml"
    path.write_text(WHOLE)
    return path


def entry(**fields):
    known = {
        "test": "t.py::test_a[x-1]",
        "metric": "peak_rss",
        "amount": amount("12MiB", BYTES, Place()),
        "reason": 'says "no"',
        "owner": "ann",
        "expires": date(2027, 1, 31),
        "place": Place(),
    }
    return Acceptance(**{**known, **fields})


def test_entries(file):
    """Test, metric, amount, reason, owner and last day, each with its line; a muted one has no amount."""
    first, second = load_accepted(file, KNOWN)
    assert (first.test, first.metric, first.owner) == ("tests/test_mem.py::test_upload", "live_heap", "ann")
    assert (first.amount.relative, first.amount.quantity.value) == (True, pytest.approx(0.042))
    assert (first.expires, first.place.line, first.muted) == (date(2027, 1, 31), 4, False)
    assert (second.muted, second.place.line) == (True, 11)
    assert load_accepted(file.with_name("none.yaml"), KNOWN) == ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("version: 1 ", "version: 2 ", "expected version 1, not 2"),
        ("version: 1 ", "accepted_by: me ", "unknown key 'accepted_by'"),
        ("    owner: ann\n", "", ":4 accepted[0]: has no owner"),
        ("owner: ann", "ownr: ann", "did you mean owner?"),
        ("metric: live_heap", "metric: live_heep", "did you mean live_heap?"),
        ("metric: live_heap", "metric: '['", "unknown metric '['"),
        ("amount: 4.2%", "amount: 4 parsec", "'parsec' does not fit bytes"),
        ("amount: 4.2%", "amount: -4%", "'-4%' is not a quantity"),
        ("    amount: 4.2%\n", "", "needs either an amount or  muted: true"),
        ("amount: 4.2%", "amount: 4.2%\n    muted: true", "needs either an amount or  muted: true"),
        ("2027-01-31", "31.1.2027", "'31.1.2027' is not a date"),
        ("2027-01-31", "2027-02-30", "'2027-02-30' is not a date"),
        ("2027-01-31", "20270131", "'20270131' is not a date"),
        ('reason: "the cache of sessions, on purpose"', "reason: ' '", "must not be empty"),
        ("amount: 4.2%", "amount: 4.2%\n    limit: top", "'top' is not a kind of limit"),
        ("muted: true", "muted: yes", "expected true or false, not 'yes'"),
        ("accepted:\n", "accepted: 7\n", "is not YAML"),
        ('"t.py::*", metric: gc_pause_max', '"tests/test_mem.py::test_upload", metric: live_heap', "in line 4 already"),
    ],
)
def test_every_mistake_has_its_place(file, old, new, says):
    """Mistakes name file and line, and come with those of gomem.yaml, before any test runs."""
    assert old in WHOLE
    file.write_text(WHOLE.replace(old, new, 1))
    with pytest.raises(ConfigErrors, match=r"gomem_accepted\.yaml:\d+") as refused:
        load_accepted(file, KNOWN)
    assert says in str(refused.value)
    gomem_yaml = file.with_name("gomem.yaml")
    gomem_yaml.write_text("version: 3\nservices: {}\n")
    with pytest.raises(ConfigErrors) as both:
        load_config(gomem_yaml, KNOWN)
    assert says in str(both.value)
    assert "expected version 1, not 3" in str(both.value)


def test_adding_changes_no_byte_of_what_stood_there(file):
    """Comments, order and style stay; the new entry reads back as it was given, and tells its line."""
    added = add(file, entry(), KNOWN)
    assert file.read_text().startswith(WHOLE)
    assert file.read_text()[len(WHOLE) :] == entry_text(entry(), "  ")
    assert added.place.line == WHOLE.count("\n") + 1
    assert load_accepted(file, KNOWN)[-1].reason == 'says "no"'


@pytest.mark.parametrize(
    "text",
    [
        None,
        "version: 1\naccepted:\n",
        "version: 1\r\naccepted:\r\n",
        "version: 1\naccepted:\n- {test: a, metric: threads, muted: true, reason: r, owner: o, expires: 2027-01-01}",
        "accepted:\n    # deep\n    - {test: a, metric: fds, muted: true, reason: r, owner: o, expires: 2027-01-01}\n"
        "# the end\nversion: 1\n",
        "version: 1\naccepted: []\n",
    ],
)
def test_wherever_the_list_ends(tmp_path, text):
    """The entry goes behind the list in the list's own style; where it cannot stand at the end nothing is written."""
    path = tmp_path / "gomem_accepted.yaml"
    if text is not None:
        path.write_bytes(text.encode())
    before = load_accepted(path, KNOWN)
    if text is not None and text.endswith(("version: 1\n", "[]\n")):
        with pytest.raises(ConfigError, match="write it under accepted: yourself"):
            add(path, entry(), KNOWN)
        assert path.read_bytes() == text.encode()
    else:
        add(path, entry(), KNOWN)
        assert len(load_accepted(path, KNOWN)) == len(before) + 1
        assert text is None or ("\r\n" in text) == (b"\r\n" in path.read_bytes())
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_file_with_mistakes_is_not_written(file):
    """What is damaged is named, and left as it is."""
    file.write_text(WHOLE + "<<<<<<< HEAD\n")
    with pytest.raises(ConfigErrors, match=r"gomem_accepted.yaml:1[23]"):
        add(file, entry(), KNOWN)
    assert file.read_text() == WHOLE + "<<<<<<< HEAD\n"


def test_nothing_is_accepted_twice(file):
    """A second entry for a test and metric would hide the first: its line is named."""
    with pytest.raises(ConfigError, match=r"gomem_accepted.yaml:4.*is accepted already, until 2027-01-31 by ann"):
        add(file, entry(test="tests/test_mem.py::test_upload", metric="live_heap"), KNOWN)
    file.write_text(WHOLE.replace("2027-01-31", "2020-01-31"))
    with pytest.raises(ConfigError, match=r"already, until 2020-01-31 by ann \(over\)"):
        add(file, entry(test="tests/test_mem.py::test_upload", metric="live_heap"), KNOWN)


def test_each_kind_of_limit_has_an_entry_of_its_own(file):
    """How far over a maximum is accepted says nothing of how much worse than the baseline."""
    for kind, share in (("max", "5%"), ("regression", "2%")):
        added = add(file, entry(test="a.py::test_a", limit=kind, amount=amount(share, BYTES, Place())), KNOWN)
        assert (added.limit, str(added.amount)) == (kind, share)
    with pytest.raises(ConfigError, match=r"\(max\) of 'a.py::test_a' is accepted already"):
        add(file, entry(test="a.py::test_a", limit="max"), KNOWN)
    twice = file.read_text().replace("limit: regression", "limit: max")
    file.write_text(twice)
    with pytest.raises(ConfigErrors, match=r"\(max\) of 'a.py::test_a' is accepted in line"):
        load_accepted(file, KNOWN)


def test_writers_wait_for_each_other(file):
    """Ten at once: every entry is there."""
    threads = [threading.Thread(target=add, args=(file, entry(test=f"t.py::test_{n}"), KNOWN)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(load_accepted(file, KNOWN)) == 12


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_words_come_back(tmp_path_factory, reason, owner):
    """Whatever a reason or a name holds, it reads back the same, or nothing is written."""
    path = tmp_path_factory.mktemp("any") / "gomem_accepted.yaml"
    try:
        added = add(path, entry(reason=reason, owner=owner), KNOWN)
    except GomemError:
        assert not path.exists()
    else:
        assert (added.reason, added.owner) == (reason, owner)
