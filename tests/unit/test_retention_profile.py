"""Holders as a profile: what tools read, and what a flame graph of it says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.flame.frame import Held, held_kind_of
from pytest_gomem.flame.html import page
from pytest_gomem.flame.picture import Asked, picture
from pytest_gomem.flame.svg import svg
from pytest_gomem.flame.tree import call_tree
from pytest_gomem.pprof.aggregate import aggregate
from pytest_gomem.pprof.group import Frame
from pytest_gomem.pprof.model import validate
from pytest_gomem.pprof.read import parse_profile
from pytest_gomem.pprof.write import compressed
from pytest_gomem.retention.model import Holder, HolderKind, Step
from pytest_gomem.retention.profile import holders_profile

CACHE = Holder(
    HolderKind.GLOBAL,
    "global main.cache (map[string]*main.Session)",
    retained=3_100_000,
    share=0.775,
    objects=610,
    path=(Step("*main.Session", 300, 3_060_000), Step("[]uint8", 300, 3_000_000)),
)
WORKERS = Holder(
    HolderKind.GOROUTINE,
    "20 goroutines in chan receive at net/http.worker (http.go:41), created by main.serve",
    retained=400_000,
    share=0.1,
    objects=20,
    function="net/http.worker",
    file="/src/http.go",
    line=41,
    count=20,
)


def drawn(*holders):
    profile = holders_profile(holders)
    return picture(profile, call_tree(profile), Asked("holders.pb.gz"))


def test_a_path_is_a_stack():
    """Each frame has what it retains, by itself and with all below it."""
    tree = call_tree(parse_profile(compressed(holders_profile([CACHE, WORKERS]))))
    objects, space = tree.now
    named = {str(frame): (space.cum[node], objects.flat[node]) for node, frame in enumerate(tree.frames)}
    assert named == {
        "all": (3_500_000, 0),
        CACHE.root: (3_100_000, 10),
        "*main.Session": (3_060_000, 300),
        "[]uint8": (3_000_000, 300),
        WORKERS.root: (400_000, 20),
    }


def test_a_root_has_its_place():
    """By line, tools show where goroutines stand."""
    rows = aggregate(holders_profile([WORKERS]), by="line").rows
    assert [(row.frame.file, row.frame.line) for row in rows] == [("/src/http.go", 41)]


numbers = st.integers(0, 2**40)
steps = st.builds(Step, st.sampled_from(["*main.A", "[]uint8", "string"]), st.integers(0, 1000), numbers)
holders = st.builds(
    Holder,
    st.sampled_from(HolderKind),
    st.sampled_from(["global main.a", "global main.b", "timer"]),
    numbers,
    st.just(0.5),
    st.integers(0, 5000),
    st.lists(steps, max_size=4).map(tuple),
)


@given(st.lists(holders, max_size=4))
def test_values_add_up(found):
    """Whatever the steps say, the whole is what the holders retain, and nothing is negative."""
    profile = holders_profile(found)
    validate(profile)
    objects, space = profile.values
    assert sum(space) == sum(holder.retained for holder in found)
    assert all(value >= 0 for column in (objects, space) for value in column)


def test_a_flame_graph_speaks_of_holders():
    """Not of calls, and names stay whole."""
    made = drawn(CACHE, WORKERS)
    drawing = svg(made, made.views[made.default])
    assert "retained_space: bytes that would be free without their holder; total 3.50 MB" in drawing
    assert "with all it keeps 3.06 MB" in drawing
    assert "types of the standard library" in drawing
    assert "whose code" not in drawing
    assert "20 goroutines in chan receive at net/http.worker" in drawing
    shown = page(made, made.default)
    assert "holders above what they hold" in shown
    assert '"whole": "with all it keeps"' in shown


def test_whose_types():
    """A root is told by its place, a type by the package of the first type that it names."""
    assert held_kind_of(Frame(CACHE.root), is_root=True) is Held.ROOT
    kinds = {
        "map[string]*main.Session": Held.DECLARED,
        "[]*github.com/a/b.T": Held.DECLARED,
        "*net/http.Transport": Held.STANDARD,
        "func main.handler.func1": Held.DECLARED,
        "chan time.Time": Held.STANDARD,
        "[]uint8": Held.BUILT_IN,
        "?ptrs(64)": Held.BUILT_IN,
    }
    assert {name: held_kind_of(Frame(name), is_root=False) for name in kinds} == kinds
