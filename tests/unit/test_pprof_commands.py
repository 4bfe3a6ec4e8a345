"""`gomem top` and `gomem diff`: what they print, and how they end."""

from __future__ import annotations

import gc
import io
import json
import subprocess
import sys

import pytest
from pprof_profiles import HEAP, location, profile

from pytest_gomem.commands.cli import main
from pytest_gomem.pprof.model import ValueType
from pytest_gomem.pprof.write import compressed

PLACES = {
    1: location("main.leak"),
    2: location("main.main"),
    3: location("go/types.(*Checker).expr"),
    4: location("main.small"),
}


def run(*argv):
    out, err = io.StringIO(), io.StringIO()
    status = main([str(arg) for arg in argv], out, err)
    return status, out.getvalue(), err.getvalue()


@pytest.fixture
def saved(tmp_path):
    """Write a heap profile of these in-use bytes by stack; the objects are all 1."""

    def save(name, samples, types=HEAP):
        made = profile([(ids, (1, value, 1, value)[: len(types)]) for ids, value in samples], PLACES, types)
        (tmp_path / name).write_bytes(compressed(made))
        return tmp_path / name

    return save


@pytest.fixture
def new(saved):
    return saved("new", [([1, 2], 7_000_000), ([3, 2], 2_500_000), ([4, 2], 500_000)])


def test_top_shows_the_largest_and_what_it_hides(new):
    """The head line has the type, the unit, the total and the share that is shown; values are in powers of 10."""
    status, out, err = run("top", new, "--limit", 2)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "inuse_space (bytes), total 10.0 MB: 2 of 4 functions, 95.0% of the total",
        "   flat  flat%      cum   cum%  function",
        "7.00 MB  70.0%  7.00 MB  70.0%  main.leak",
        "2.50 MB  25.0%  2.50 MB  25.0%  go/types.(*Checker).expr",
        "(kB and MB are 10^3 and 10^6 bytes here; `go tool pprof` prints 2^10 and 2^20 under the same names)",
    ]


def test_rows_may_be_sorted_by_what_they_call(new):
    """--cum puts first what holds the most with all it calls."""
    _, out, _ = run("top", new, "--cum", "--limit=1")
    assert out.splitlines()[2].split() == ["0", "B", "0.0%", "10.0", "MB", "100.0%", "main.main"]


def test_other_units_are_not_called_bytes(new, saved):
    """Objects are counted, nanoseconds are times, and what is unknown keeps its own name."""
    assert "total 3: " in run("top", new, "--sample", "inuse_objects")[1]
    delays = saved("delay", [([1], 5_000_000)], (ValueType("contentions", "count"), ValueType("delay", "nanoseconds")))
    assert "total 5.00 ms: " in run("top", delays)[1]
    apples = saved("apples", [([1], 5)], (ValueType("n", "count"), ValueType("apples", "apples")))
    assert "total 5 apples: " in run("top", apples)[1]


def test_json_holds_exact_values(new):
    """JSON has the agreed keys, and values to the byte."""
    status, out, _ = run("top", new, "--json", "--by=line", "--limit", "1")
    assert status == 0
    assert json.loads(out) == {
        "sample_type": "inuse_space",
        "unit": "bytes",
        "total": 10_000_000,
        "rows": [{"function": "main.leak", "file": "/src/main.go", "line": 10, "flat": 7_000_000, "cum": 7_000_000}],
    }


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("function", {"function": "main.leak", "file": "/src/main.go", "line": None}),
        ("file", {"function": None, "file": "/src/main.go", "line": None}),
        ("package", {"function": None, "file": None, "line": None, "package": "main"}),
    ],
)
def test_json_is_null_where_a_row_has_no_such_thing(new, by, keys):
    """A file has no function, and a function no line of its own."""
    (row,) = json.loads(run("top", new, "--json", "--by", by, "--limit", "1")[1])["rows"]
    assert {key: row[key] for key in row if key not in ("flat", "cum")} == keys


def test_no_limit_shows_all(new):
    """--limit 0 hides nothing."""
    assert len(json.loads(run("top", new, "--json", "--limit", "0")[1])["rows"]) == 4


def test_diff_shows_what_changed(new, saved):
    """Differences are signed, shares are of the base's total, and equal rows are left out."""
    base = saved("base", [([1, 2], 5_000_000), ([3, 2], 3_000_000), ([4, 2], 500_000)])
    status, out, err = run("diff", base, new)
    assert (status, err) == (0, "")
    assert out.splitlines()[:4] == [
        "inuse_space (bytes), +1.50 MB on a base of 8.50 MB: 3 of 3 functions, 100% of the changes",
        "    flat  flat%       cum   cum%  function",
        "+2.00 MB  23.5%  +2.00 MB  23.5%  main.leak",
        " -500 kB  -5.9%   -500 kB  -5.9%  go/types.(*Checker).expr",
    ]


def test_focus_and_ignore_choose_rows_and_leave_the_total(new):
    """Shares stay those of the whole profile, so that they can be compared."""
    _, out, _ = run("top", new, "--focus", r"leak|\bsmall", "--ignore", "leak")
    assert out.splitlines()[0] == "inuse_space (bytes), total 10.0 MB: 2 of 2 functions, 5.00% of the total"
    assert out.splitlines()[2].split() == ["500", "kB", "5.0%", "500", "kB", "5.0%", "main.small"]


def test_nothing_to_show_is_said_in_one_line(new):
    """No change is an answer, not an empty table."""
    assert run("diff", new, new)[1] == "inuse_space (bytes), 0 B on a base of 10.0 MB: 0 of 0 functions\n"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "the following arguments are required: PROFILE"),
        (["a", "b"], "unrecognized arguments: b"),
        (["nowhere.pb"], "nowhere.pb: No such file or directory"),
        (["NEW", "--by", "module"], "argument --by: invalid choice"),
        (["NEW", "--limit", "-1"], "argument --limit: -1 is not a whole number"),
        (["NEW", "--limit", "many"], "argument --limit: many is not a whole number"),
        (["NEW", "--sample", "peak"], "no sample type 'peak'"),
        (["NEW", "--focus", "("], "'(' is not a regular expression"),
        (["NEW", "--wrong"], "unrecognized arguments: --wrong"),
        (["BAD"], "an HTML page, not a profile"),
    ],
)
def test_bad_input_is_one_line_and_status_2(new, tmp_path, argv, says):
    """The mistake goes to standard error, in one line, and nothing to standard output."""
    (tmp_path / "bad").write_bytes(b"<html>")
    known = {"NEW": new, "BAD": tmp_path / "bad"}
    status, out, err = run("top", *(known.get(arg, arg) for arg in argv))
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_help_says_what_may_be_asked(new):
    """--help is an answer, not a mistake."""
    status, out, _ = run("diff", "--help")
    assert status == 0
    assert out.startswith("usage: gomem diff ")


def test_the_collector_is_left_as_it_was(new):
    """Whoever calls a command in process keeps their cycle collector."""
    assert gc.isenabled()
    run("top", new)
    assert gc.isenabled()


def test_the_quick_commands_load_little(new):
    """What takes long to load and is not needed stays out: start-up is a third of the time of `gomem top`."""
    code = "import sys; from pytest_gomem.commands.top import top; top(sys.argv[1:]); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code, str(new)], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.splitlines()[-1].split())
    unwanted = {"json", "gzip", "pathlib", "numpy", "yaml", "psutil", "pytest"}
    assert not loaded & (unwanted | {"google.protobuf.descriptor_pool", "google.protobuf.text_format"})
