"""Third-party code: whose line is charged, which of it is named, under which file, and how it finds its like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_attribution_culprits import HANDLE, KIB, MODULE, SERVE, heap, retained

from pytest_gomem.attribution.between import culprits_between
from pytest_gomem.attribution.compact import compact
from pytest_gomem.attribution.culprits import find_culprits
from pytest_gomem.attribution.modules import ModuleChange, module_changes
from pytest_gomem.attribution.origin import Origins, Through
from pytest_gomem.launch.build import BinaryInfo
from pytest_gomem.launch.go_module import GoModule, module_of
from pytest_gomem.pprof.read import parse_profile

REDIS = "github.com/redis/go-redis/v9"
WITH_REDIS = GoModule("example.com/app", "example.com/app", (REDIS, "example.com/dep", "plain"))
CACHE = "/home/me/go/pkg/mod"
LEAF = ("bufio.NewReaderSize", "/usr/local/go/src/bufio/bufio.go", 57)
RUNTIME = ("runtime.makeslice", "/usr/local/go/src/runtime/slice.go", 116)
GOEXIT = ("runtime.goexit", "/usr/local/go/src/runtime/asm_amd64.s", 1700)


def redis(name, file, line, version="v9.12.0"):
    return f"{REDIS}{name}", f"{CACHE}/{REDIS}@{version}/{file}", line


CONN = redis("/internal/pool.NewConnWithBufferSize", "internal/pool/conn.go", 85)
CLIENT = redis(".NewClient", "redis.go", 761)
WRAP = ("example.com/dep.Wrap", f"{CACHE}/example.com/dep@v1.0.0/dep.go", 7)


def first(*stack, module=WITH_REDIS):
    return find_culprits("live_heap", (heap(retained(KIB, 100, *stack)),), None, module).culprits[0]


@pytest.mark.parametrize("module", [WITH_REDIS, GoModule("example.com/app")])
def test_the_third_party_line_nearest_to_the_allocation_is_told(module):
    """Not the outermost one, not one above the user's line, and not the standard library's."""
    culprit = first(LEAF, CONN, CLIENT, HANDLE, WRAP, SERVE, module=module)
    assert (culprit.function, culprit.leaf) == (HANDLE[0], LEAF[0])
    path = REDIS if module is WITH_REDIS else f"{REDIS}/internal/pool"
    assert culprit.through == Through(CONN[0], f"{REDIS}@v9.12.0/internal/pool/conn.go", 85, path)
    assert first(LEAF, HANDLE, WRAP, module=module).through is None


@pytest.mark.parametrize("module", [WITH_REDIS, GoModule("example.com/app")])
def test_a_goroutine_of_a_library_is_charged_to_the_library(module):
    """Its line nearest to the allocation, not the standard library's leaf, and not what started it."""
    culprit = first(LEAF, CONN, CLIENT, GOEXIT, module=module)
    assert (culprit.function, culprit.file, culprit.line) == (CONN[0], f"{REDIS}@v9.12.0/internal/pool/conn.go", 85)
    assert (culprit.leaf, culprit.through, culprit.callers) == (LEAF[0], None, ())
    assert first(RUNTIME, LEAF, GOEXIT, module=module).function == LEAF[0]


@pytest.mark.parametrize(
    ("frame", "file"),
    [
        (CONN, f"{REDIS}@v9.12.0/internal/pool/conn.go"),
        ((CONN[0], f"{REDIS}@v9.12.0/internal/pool/conn.go", 85), f"{REDIS}@v9.12.0/internal/pool/conn.go"),
        ((CONN[0], f"/srv/cache/{REDIS}@v9.12.0/internal/pool/conn.go", 1), f"{REDIS}@v9.12.0/internal/pool/conn.go"),
        ((CONN[0], f"/srv/app/vendor/{REDIS}/internal/pool/conn.go", 85), f"vendor/{REDIS}/internal/pool/conn.go"),
        ((CONN[0], "/home/me/fork/internal/pool/conn.go", 85), f"{REDIS}/internal/pool/conn.go"),
        (("github.com/Azure/sdk.Get", f"{CACHE}/github.com/!azure/sdk@v1/get.go", 1), "github.com/Azure/sdk@v1/get.go"),
        (("plain/sub.F", "/home/me/plain/sub/f.go", 1), "plain/sub/f.go"),
    ],
)
def test_files_of_other_modules_are_named_by_path_and_version(frame, file):
    """Without the folders of this machine, with or without -trimpath, wherever Go keeps modules."""
    own = ("example.com/app/web.g", "/srv/app/web/other.go", 1)
    after = heap(retained(KIB, 100, frame), retained(KIB, 200, own))
    found = find_culprits("live_heap", (after,), None, WITH_REDIS).culprits
    assert {culprit.file for culprit in found} == {file, "web/other.go"}


def test_a_line_finds_its_like_in_another_version():
    """Lines are matched within their function: the version in its file name makes it no other line."""
    base = heap(retained(KIB, 800, redis("/internal/pool.NewConn", "internal/pool/conn.go", 80, "v9.11.0"), GOEXIT))
    head = heap(retained(KIB, 900, redis("/internal/pool.NewConn", "internal/pool/conn.go", 85), GOEXIT))
    (culprit,) = culprits_between("live_heap", (head,), (base,), WITH_REDIS, there="on the base side").culprits
    assert culprit.before > 0
    assert culprit.change < culprit.after / 2
    assert culprit.file == f"{REDIS}@v9.12.0/internal/pool/conn.go"


def test_growth_all_over_a_library_names_the_module():
    """Where no line has a tenth of the growth, neither of the user's nor of the library's."""
    many = [
        retained(
            8 * KIB,
            100,
            LEAF,
            redis(f"/internal/pool.F{n}", "internal/pool/f.go", n),
            *([(f"main.f{n}", "/srv/app/main.go", n)] if n % 2 else [GOEXIT]),
        )
        for n in range(12)
    ]
    rest = [retained(8 * KIB, 100, (f"main.g{n}", "/srv/app/main.go", n)) for n in range(3)]
    found = find_culprits("live_heap", (heap(*many, *rest),), None, WITH_REDIS)
    assert found.culprits == ()
    assert found.nothing.endswith(f", in 15 functions; of the third-party modules {REDIS} has most: 80%")


NEWER = ModuleChange(REDIS, "v9.11.0", "v9.12.0")
NEW_DEP = ModuleChange("example.com/dep", "", "v1.0.0")
NEW_GO = ModuleChange("go", "go1.25", "go1.26")


@pytest.mark.parametrize(
    ("stack", "changes", "named"),
    [
        ([LEAF, CONN, WRAP, HANDLE], [NEW_DEP, NEWER, NEW_GO], NEWER),
        ([LEAF, CONN, WRAP, HANDLE], [NEW_DEP, NEW_GO], NEW_DEP),
        ([LEAF, CONN, HANDLE, WRAP], [NEW_DEP], None),
        ([LEAF, CONN, HANDLE, WRAP], [NEW_DEP, NEW_GO], NEW_GO),
        ([CONN, HANDLE], [NEW_GO], None),
        ([LEAF, CONN, GOEXIT], [NEWER], NEWER),
        ([LEAF, GOEXIT], [NEW_GO], NEW_GO),
        ([HANDLE], [NEWER, NEW_DEP, NEW_GO], None),
    ],
)
def test_a_changed_module_is_named_where_the_stack_passes_through_it(stack, changes, named):
    """The one nearest to the allocation, not above the charged line; Go itself only for what its library allocates."""
    profile = heap(retained(KIB, 100, *stack))
    (alone,) = find_culprits("live_heap", (profile,), None, WITH_REDIS, changes=changes).culprits
    (two,) = culprits_between("live_heap", (profile,), (heap(),), WITH_REDIS, there="there", changes=changes).culprits
    assert alone.module_change == two.module_change == named


_versions = st.dictionaries(st.sampled_from(["go", "a.b/c", "a.b/c/v2", "d.e/f"]), st.sampled_from(["v1", "v2"]))


@given(_versions, _versions)
def test_changes_are_all_that_differs(after, before):
    """New and gone modules too, each once and by path; of a build whose modules are unknown nothing is known."""
    changes = module_changes(after, before)
    if not after or not before:
        assert changes == ()
        return
    assert [change.module for change in changes] == sorted(
        path for path in after.keys() | before.keys() if after.get(path) != before.get(path)
    )
    assert all((c.before, c.after) == (before.get(c.module, ""), after.get(c.module, "")) for c in changes)
    assert all(mirrored.before == c.after for mirrored, c in zip(module_changes(before, after), changes, strict=True))


def test_changes_in_words():
    """With Go by its name."""
    assert NEWER.text == "github.com/redis/go-redis/v9 changed from v9.11.0 to v9.12.0"
    assert NEW_DEP.text == "example.com/dep v1.0.0 is new"
    assert ModuleChange("example.com/dep", "v1.0.0", "").text == "example.com/dep v1.0.0 is gone"
    assert NEW_GO.text == "Go changed from go1.25 to go1.26"


def test_the_program_itself_is_none_of_its_modules():
    """Go stamps its version with each commit; what others made it of is what counts."""
    info = BinaryInfo("go1.26.8", WITH_REDIS, modules=(("example.com/app", "v0.0.0-1+dirty"), (REDIS, "v9.12.0")))
    assert info.versions == {"go": "go1.26.8", REDIS: "v9.12.0"}
    assert BinaryInfo().versions == {}


_frames = st.sampled_from([LEAF, RUNTIME, CONN, CLIENT, WRAP, HANDLE, SERVE, GOEXIT])


@given(st.lists(st.lists(_frames, min_size=1, max_size=5), min_size=1, max_size=6))
def test_a_cut_stack_is_charged_as_the_whole_one(stacks):
    """What a baseline keeps of a stack ends at the line that the whole one is charged to, and names the same."""

    def told(profile):
        return {
            (chain.sites[0], chain.leaf, chain.through, chain.modules)
            for chain in Origins(WITH_REDIS, [profile]).chains(profile)
            if chain
        }

    whole = heap(*(retained(KIB, 10, *stack) for stack in stacks), rate=1)
    kept = parse_profile(compact(whole, WITH_REDIS, 1 << 20))
    assert told(kept) == told(whole)
    cut = parse_profile(compact(whole, WITH_REDIS, len(compact(whole, WITH_REDIS, 1 << 20)) - 1))
    assert told(cut) <= told(whole)


_elements = st.text("abc.", min_size=1, max_size=3).filter(lambda word: word.strip(".") == word)
_paths = st.lists(_elements, min_size=1, max_size=4).map("/".join)


@given(_paths, st.lists(_paths, max_size=5))
def test_a_package_is_of_the_longest_path_above_it(package, paths):
    """By whole elements; a package of an unknown module with a domain is a module for itself."""
    module = module_of(package, paths)
    if module in paths:
        assert f"{package}/".startswith(f"{module}/")
        assert not any(len(path) > len(module) and f"{package}/".startswith(f"{path}/") for path in paths)
    else:
        assert module == (package if "." in package.split("/")[0] else "")


def test_code_without_a_name_is_nobodys():
    """A library of C is no module, whatever dots its file has; and the standard library has its own vendored ones."""
    for package in ("[libc.so.6]", "<unknown>", "vendor/golang.org/x/net/http/httpguts", "net/http"):
        assert WITH_REDIS.third_party(package) == ""
    assert MODULE.third_party("gopkg.in/yaml.v3") == "gopkg.in/yaml.v3"


@pytest.mark.parametrize(
    ("stack", "within"),
    [
        ([LEAF, CONN, CLIENT, HANDLE], " in bufio.NewReaderSize"),
        ([LEAF, CONN, GOEXIT], " in bufio.NewReaderSize"),
        ([CONN, CLIENT, HANDLE], ""),
        ([CONN, GOEXIT], ""),
        ([HANDLE], ""),
    ],
)
def test_the_reason_says_what_allocates(stack, within):
    """Unless it is the line itself, or the third-party line that is told before it."""
    profile = heap(retained(KIB, 1000, *stack), rate=1)
    for metric, words in (
        ("live_heap", f"allocated 1.02 MB of the live heap{within}"),
        ("total_alloc", f"allocated 1.02 MB{within} since the process started, of which all is still live"),
    ):
        assert find_culprits(metric, (profile,), None, WITH_REDIS).culprits[0].reason == words
    base = heap(retained(KIB, 500, *stack), rate=1)
    for metric, words in (
        ("live_heap", f"allocated 512 kB more of the live heap{within} than there"),
        ("total_alloc", f"allocates 512 kB more{within} than there"),
    ):
        (culprit,) = culprits_between(metric, (profile,), (base,), WITH_REDIS, there="there").culprits
        assert culprit.reason == words
