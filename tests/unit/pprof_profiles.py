"""Profiles for the tests of the pprof room: by hand, and by hypothesis."""

from __future__ import annotations

from array import array

from hypothesis import strategies as st

from pytest_gomem.pprof.model import Binary, Function, Label, Line, Location, Profile, ValueType, pack

HEAP = tuple(
    ValueType(f"{what}_{of}", unit)
    for what in ("alloc", "inuse")
    for of, unit in (("objects", "count"), ("space", "bytes"))
)
SPACE = (ValueType("space", "bytes"),)
BINARY = Binary(0x400000, 0x800000, 0, "/srv/app", "abc123", True, True, True, True)


def function(name, file="/src/main.go", start=1):
    return Function(name, name, file, start)


def location(*names, address=0x401000, binary=BINARY):
    """A location of inlined calls, the innermost callee first, on line 10 of each."""
    return Location(binary, address, tuple(Line(function(name), 10, 0) for name in names), False)


def profile(samples, locations, sample_types=SPACE, labels=None, **headers):
    """A profile of (location ids, values) pairs."""
    columns = zip(*(values for _, values in samples), strict=True) if samples else [()] * len(sample_types)
    return Profile(
        tuple(sample_types),
        [pack(ids) for ids, _ in samples],
        tuple(array("q", column) for column in columns),
        labels if labels is not None else [()] * len(samples),
        locations,
        binaries=(BINARY,),
        **headers,
    )


names = st.sampled_from(
    ["main.main", "main.work", "main.(*T).Get[go.shape.int]", "runtime.mallocgc", "gopkg.in/yaml%2ev3.Load", "", "ψ"]
)
lines = st.builds(
    Line,
    st.builds(
        function,
        names,
        st.sampled_from(["/src/a.go", "/src/./b.go", ""]),
        st.integers(0, 3),
    ),
    st.integers(0, 20),
    st.integers(0, 2),
)
labels = st.lists(
    st.one_of(
        st.builds(Label, st.sampled_from(["bytes", "k"]), st.none(), st.integers(1, 4096), st.sampled_from(["", "kb"])),
        st.builds(Label, st.just("who"), st.sampled_from(["me", "you"]), st.just(0), st.just("")),
    ),
    max_size=2,
).map(tuple)


UNSIGNED = st.integers(0, 2**40)


@st.composite
def profiles(draw, types=HEAP, values=UNSIGNED):
    """Any profile: recursion, inlined calls, unknown symbols, ids of one to four bytes, and labels."""
    ids = draw(st.lists(st.one_of(st.integers(1, 20), st.integers(100, 2**24)), min_size=1, max_size=8, unique=True))
    binaries = st.sampled_from([BINARY, BINARY._replace(filename="/lib/libc.so.6", build_id="", start=0x900000), None])
    locations = {
        number: Location(
            draw(binaries),
            draw(st.integers(0x900000, 0x900010)),
            tuple(draw(st.lists(lines, max_size=3))),
            draw(st.booleans()),
        )
        for number in ids
    }
    samples = draw(
        st.lists(
            st.tuples(st.lists(st.sampled_from(ids), max_size=6), st.tuples(*[values] * len(types)), labels),
            max_size=12,
        )
    )
    used = tuple(dict.fromkeys(place.binary for place in locations.values() if place.binary))
    made = profile(
        [(stack, held) for stack, held, _ in samples],
        locations,
        types,
        [tags for _, _, tags in samples],
        default_sample_type=draw(st.sampled_from(["", types[0].type])),
        period_type=ValueType("space", "bytes"),
        period=draw(st.integers(0, 10)),
        comments=tuple(draw(st.lists(st.sampled_from(["a", "b"]), max_size=2))),
    )
    return made._replace(binaries=used)
