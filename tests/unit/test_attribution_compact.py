"""Compact profiles: sums to the byte, always the same bytes, a cap, and culprits as from the whole profile."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_attribution_culprits import HANDLE, IN_CMD, KIB, MODULE, RATE, SERVE, dropped, heap, place, retained

from pytest_gomem.attribution.between import culprits_between
from pytest_gomem.attribution.compact import compact, left_out
from pytest_gomem.attribution.sampling import lines
from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.pprof.merge import merge
from pytest_gomem.pprof.model import Binary, Profile
from pytest_gomem.pprof.read import parse_profile, read_profile
from pytest_gomem.pprof.write import compressed

RECORDED = Path(__file__).parents[1] / "recorded"
ROOMY = 1 << 20
TYPES = ("alloc_objects", "alloc_space", "inuse_objects", "inuse_space")
AGENT = ("main.pytestGomemReply", "/srv/app/0_pytest_gomem_agent.go", 90)
READ = ("io.ReadAll", "/usr/local/go/src/io/io.go", 712)
COPY = ("example.org/lib.Copy", "/home/me/go/pkg/mod/example.org/lib@v1.2.0/copy.go", 7)

own = st.sampled_from([(f"main.f{n}", "/srv/app/main.go", 10 * n) for n in range(1, 6)])
frames = st.sampled_from([READ, COPY, SERVE]) | own
samples = st.tuples(
    st.lists(frames, min_size=1, max_size=5, unique=True).map(tuple),
    st.sampled_from([16, 64, 4096, 1 << 20]),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
)


def between(new, base, module=MODULE):
    return culprits_between("live_heap", (new,), (base,), module, there="in the baseline")


def packed(profile: Profile, most: int = ROOMY) -> Profile:
    return parse_profile(compact(profile, MODULE, most))


def files(profile: Profile) -> set[str]:
    return {line.function.filename for location in profile.locations.values() for line in location.lines}


def told(profile: Profile) -> dict[str, dict[str, tuple[int, float]]]:
    """What each line amounts to, by sample type, with its sigma."""
    return {
        kind: {
            line.site.function: (line.after, round(line.sigma, 3))
            for line in lines([profile], None, kind, MODULE, lambda *_: True)
            if line.after
        }
        for kind in TYPES
    }


@given(st.lists(samples, max_size=30))
def test_each_line_keeps_its_sums_and_their_uncertainty(found):
    """Whole, and where every stack ends at the line it is charged to; where lines go, the others keep theirs."""
    whole = merge([heap(*found)])
    for most in (ROOMY, len(compact(whole, MODULE, ROOMY)) - 1, 1):
        small = packed(whole, most)
        for kind, kept in told(small).items():
            assert kept.items() <= told(whole)[kind].items()
            assert small.comments or kept == told(whole)[kind]


@pytest.mark.parametrize("recording", sorted(RECORDED.glob("*/heap_debug1.txt")), ids=lambda path: path.parent.name)
def test_real_profiles_keep_their_sums(recording):
    """What nine Go releases wrote, read back from the compact form, which is no larger."""
    whole = read_profile(recording)
    data = compact(whole, MODULE, ROOMY)
    assert told(parse_profile(data)) == told(whole)
    assert len(data) <= len(compressed(whole))
    assert compact(parse_profile(data), MODULE, ROOMY) == data


def many(count: int) -> Profile:
    """Lines of which the first holds most, and the last least, by several ways each."""
    ways = [(f"main.way{n}", "/srv/app/ways.go", n) for n in range(8)]
    return heap(
        *(
            retained(4096, 1000 * (count - n), READ, (f"main.line{n}", "/srv/app/lines.go", n), way, HANDLE)
            for n in range(count)
            for way in ways
        )
    )


def test_the_same_profile_gives_the_same_bytes():
    """In whatever order its samples came, wherever the program was loaded and built, and whenever."""
    found = [retained(4096, count, (f"main.f{count}", "/srv/app/a.go", count), HANDLE) for count in (9, 40, 300)]
    first = compact(heap(*found), MODULE, ROOMY)
    binary = Binary(0x7F0000000000, 0x7F0000100000, 0, "[vdso]", "", False, False, False, False)
    other = heap(*found[::-1])._replace(time_nanos=5, duration_nanos=7, binaries=(binary,))
    assert compact(other, MODULE, ROOMY) == first
    assert (parse_profile(first).time_nanos, parse_profile(first).binaries) == (0, ())


def test_no_folder_of_the_machine_is_in_it():
    """File names are relative to the module, the standard library, or the module that they are of."""
    package = ("example.com/app/web.Serve", "/srv/app/web/web.go", 3)
    small = packed(heap(retained(4096, 500, COPY, READ, package, HANDLE)))
    assert files(small) == {"example.org/lib@v1.2.0/copy.go", "io/io.go", "web/web.go", "main.go"}


def test_a_baseline_of_bare_names_compares_with_whole_ones():
    """Earlier versions did not tell the folder of package main: its lines keep their likes all the same."""
    lines = [("main.f", "/srv/app/cmd/api/main.go", 10), ("main.f", "/srv/app/cmd/api/main.go", 20)]
    whole = heap(*(retained(KIB, 50_000, line) for line in lines))
    bare, named = (parse_profile(compact(whole, module, ROOMY)) for module in (MODULE, IN_CMD))
    assert [sorted(files(small)) for small in (bare, named)] == [["main.go"], ["cmd/api/main.go"]]
    grown = heap(retained(KIB, 50_000, lines[0]), retained(KIB, 60_000, lines[1]))
    found = [between(grown, base, IN_CMD) for base in (bare, named)]
    assert found[0] == found[1]
    assert [(culprit.file, culprit.line) for culprit in found[0].culprits] == [("cmd/api/main.go", 20)]


def test_what_measuring_allocates_is_left_out():
    """The agent's own stacks count for nobody."""
    small = packed(heap(retained(4096, 500), dropped(4096, 5000, READ, AGENT)))
    assert len(small.stacks) == 1


def test_small_stacks_end_at_the_line_they_are_charged_to():
    """Callers are what costs bytes; those of the large ones are told, by the names that a reader looks for."""
    other = ("main.rare", "/srv/app/main.go", 40)
    small = packed(heap(retained(4096, 50_000), dropped(4096, 50_000), retained(4096, 10, READ, other, HANDLE)))
    depths = sorted(len(stack) for stack in small.stacks)
    assert depths == [2, 2]
    assert told(small)["inuse_space"].keys() == {"main.(*leakyLog).add", "main.rare"}


def test_a_cap_keeps_the_largest_lines_and_says_what_is_gone():
    """As many as fit, to the byte of the cap; the bound is of the largest line that went."""
    whole = many(400)
    assert len(compact(whole, MODULE, ROOMY)) > 8000
    data = compact(whole, MODULE, 4096)
    assert 2048 < len(data) <= 4096
    kept, every = told(parse_profile(data))["inuse_space"], told(whole)["inuse_space"]
    assert kept == {name: every[name] for name in sorted(every, key=lambda name: -every[name][0])[: len(kept)]}
    gone = max(value for name, (value, _) in every.items() if name not in kept)
    assert left_out(parse_profile(data), "inuse_space") == gone
    assert left_out(whole, "inuse_space") == 0


def test_against_a_capped_base_nobody_is_named_for_what_it_may_have_held():
    """Two equal sides name nobody; a line above the bound is named as new; one below is said not to be known."""
    whole = many(400)
    base = packed(whole, 4096)
    same = between(whole, base)
    assert (same.culprits, same.growth) == ((), 0)
    bound = left_out(base, "inuse_space")
    new = ("main.fresh", "/srv/app/fresh.go", 1)

    def grown(size: int):
        return merge([whole, heap(retained(1 << 20, size >> 20, new, HANDLE))])

    assert [c.function for c in between(grown(3 * bound), base).culprits] == [new[0]]
    hidden = between(grown(bound // 2), base)
    assert hidden.culprits == ()
    assert f"lines of at most {format_value(bound, BYTES)} were left out in the baseline" in hidden.nothing


def test_culprits_are_those_of_the_whole_profile():
    """A line that grew is told with the same figures, and its callers in the new profile."""
    base, new = heap(retained(KIB, 50_000), rate=RATE), heap(retained(KIB, 60_000), rate=RATE)
    assert between(new, packed(base)) == between(new, base)


def test_a_profile_of_nothing():
    """An empty heap, and a stack without a name, are no trouble."""
    assert packed(heap()).stacks == []
    bare = heap(((), KIB, 50, 50))._replace(locations={1: place()})
    assert told(packed(bare)) == told(bare)
