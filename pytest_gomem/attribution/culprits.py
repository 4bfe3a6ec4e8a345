"""Finds the lines of Go that allocated the memory that a metric counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from pytest_gomem.attribution.causes import Cause
from pytest_gomem.attribution.groups import LEAST, largest_groups
from pytest_gomem.attribution.living import GROWTH
from pytest_gomem.attribution.modules import ModuleChange, change_on_stack
from pytest_gomem.attribution.origin import Site, Through
from pytest_gomem.attribution.sampling import SIGMAS, Line, counts_made, counts_objects, lines, sigma_of_all
from pytest_gomem.base.units import BYTES, COUNT, format_value
from pytest_gomem.config.budgets import PER_FUNCTION
from pytest_gomem.config.memory_limit import MEMORY_LIMIT
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.measure.death_spiral import DEATH_SPIRAL
from pytest_gomem.pprof.group import as_called, package_of
from pytest_gomem.pprof.model import Profile

# The figures of the collector: the more is allocated, the more often it runs.
GC_METRICS = frozenset(
    {
        *("gc_cycles", "gc_rate", "gc_interval", "gc_cpu", "gc_cpu_capacity", "gc_assist_cpu"),
        *(f"gc_pause_{which}" for which in ("max", "p99", "p50", "mean", "total")),
        *(f"gc_stop_{which}" for which in ("max", "p99", "p50")),
    }
)
OF_LIMIT = ("cgroup_peak", "cgroup_anon_peak", "memory_headroom", MEMORY_LIMIT)  # the last is that of a kill
SAMPLE_OF: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("live_heap", "peak_heap", "peak_rss", "end_rss", DEATH_SPIRAL, *OF_LIMIT, *sorted(GROWTH)), "inuse_space"
        ),
        "heap_objects": "inuse_objects",
        **dict.fromkeys(("total_alloc", "alloc_bytes_per_op", "alloc_rate", *sorted(GC_METRICS)), "alloc_space"),
        **dict.fromkeys(("allocs", "allocs_per_op"), "alloc_objects"),
        **{name: name for name in sorted(PER_FUNCTION)},
    }
)
AT_PEAK = ("peak_rss", "peak_heap", *OF_LIMIT)  # their memory may be gone when the window closes
_RESIDENT = ("peak_rss", "end_rss", *OF_LIMIT)
_NONE = 0.0005  # share that is still live; below it counts as none
MOST_NAMED = 5  # lines of one metric


@dataclass(frozen=True)
class Culprit:
    """A line of Go and how much it allocated of what `metric` counts: bytes or objects.

    before, after: estimates, the sums that `go tool pprof` shows; before is None without an earlier profile.
    interval: half the width of the 2 sigma interval of the change, rounded up; the truth lies in it 19 times in 20.
    share: the change as a share of what all lines that grew have grown by.
    callers: at most 3 nearest callers in the user's own module, in the stack that grew most.
    is_between: `before` is the other side of a comparison, not an earlier moment.
    reason: what it does, in words. causes: why, if known. leaf: the function that allocates, if it is another one.
    through: the third-party line nearest to the allocation, if the line itself is the user's own. module_change: of a
    module that the stack passes through between the line and the allocation. sample_type: what it counts, if that is
    not what the metric counts.
    """

    function: str
    file: str
    line: int
    metric: str
    before: int | None
    after: int
    interval: int
    share: float
    reason: str
    callers: tuple[Site, ...] = ()
    is_between: bool = False
    causes: tuple[Cause, ...] = ()
    leaf: str = ""
    through: Through | None = None
    module_change: ModuleChange | None = None
    sample_type: str = ""

    @property
    def counted(self) -> str:
        """What it counts, as a sample type of heap profiles."""
        # A report of another version may name metrics that this one does not know.
        return self.sample_type or SAMPLE_OF.get(self.metric, "inuse_space")

    @property
    def change(self) -> int:
        """How much more there is than before; all of it without an earlier profile."""
        return self.after - (self.before or 0)


@dataclass(frozen=True)
class Findings:
    """The culprits, the largest change first; `functions` and `growth` are of all that grew, named or not.

    nothing: why there are no culprits; "" if there are. total_change: of all lines, less what others shrank by;
    total_sigma: its standard deviation. Both in what the metric counts, without what the measuring itself allocates.
    is_lost: the profiles do not show what is to be explained. note: what the culprits are, if that is not clear.
    """

    metric: str
    culprits: tuple[Culprit, ...]
    functions: int
    growth: int
    nothing: str = ""
    total_change: int = 0
    total_sigma: float = 0.0
    is_lost: bool = False
    note: str = ""

    @property
    def shown(self) -> int:
        """How many functions the culprits are in."""
        return len({culprit.function for culprit in self.culprits})

    @property
    def share(self) -> float:
        """The share of the growth that the culprits explain."""
        return sum(culprit.share for culprit in self.culprits)


def find_culprits(
    metric: str,
    after: Sequence[Profile],
    before: Sequence[Profile] | None,
    module: GoModule,
    counts: Callable[[Profile, bytes], bool] = lambda profile, stack: True,
    cycles: int | None = None,
    changes: Sequence[ModuleChange] = (),
) -> Findings:
    """The lines that allocated more than before by at least 2 sigma, and by 10% of all that grew.

    metric: a key of SAMPLE_OF. after: the heap profile of each round; changes are means of the rounds, whose rates may
    differ. before: for each of them an earlier one of the same process; without them everything is new. module: the
    user's own. A stack is charged to the line of that module nearest to the allocation, so a library's allocations are
    charged to its caller; without such a line, to the nearest third-party line.
    counts: whether to count a profile's stack, such as those of a budget's functions.
    cycles: the GC cycles between the two profiles, if known. changes: of modules, which culprits may pass through.
    Raises ProfileError when one of them is no heap profile, ValueError if there are not as many before as after.
    """
    found = lines(after, before, SAMPLE_OF[metric], module, counts)
    grown = sorted((line for line in found if line.change > 0), key=lambda line: (-line.change, line.site))
    growth = sum(line.change for line in grown)
    functions = len({line.site.function for line in grown})
    sure = [line for line in grown if line.change >= SIGMAS * line.sigma]
    # What the standard library allocates of its own, as for each request, is nobody's fault.
    sure.sort(key=lambda line: module.is_standard(package_of(line.site.function)))
    named = [line for line in sure if line.change >= LEAST * growth][:MOST_NAMED]
    culprits = tuple(
        replace(
            _culprit(metric, line, growth, before is not None, cycles),
            module_change=change_on_stack(line.main_chain, changes, module),
        )
        for line in named
    )
    nothing = ""
    if not culprits:
        nothing = (
            too_small(growth, functions, SAMPLE_OF[metric]) if sure else _nothing(metric, after, functions, growth)
        )
        nothing += largest_groups(found, (), growth, SIGMAS)
    return Findings(
        metric, culprits, functions, growth, nothing, sum(line.change for line in found), sigma_of_all(found)
    )


def _culprit(metric: str, line: Line, growth: int, has_before: bool, cycles: int | None) -> Culprit:
    return Culprit(
        *line.site,
        metric,
        line.before if has_before else None,
        line.after,
        math.ceil(SIGMAS * line.sigma),
        line.change / growth,
        _reason(line, has_before),
        line.main_chain.sites[1:],
        causes=(*_age(line, has_before, cycles), *callee(line)),
        leaf=leaf_of(line),
        through=line.main_chain.through,
    )


def _age(line: Line, has_before: bool, cycles: int | None) -> Iterator[Cause]:
    """How old the objects are: those that came between the profiles are at most that many GC cycles old."""
    if has_before and cycles and not counts_made(line.sample_type):
        still = f"{_portion(line.still_held)} of what the line allocated meanwhile is still live"
        yield Cause("age", f"what came is at most {cycles} GC cycle{'s' * (cycles > 1)} old, and {still}")


def leaf_of(line: Line) -> str:
    """The function that allocates, "" if the line itself does."""
    function = line.main_chain.leaf.function
    return function if function != line.site.function else ""


def within(line: Line) -> str:
    """Such as " in bufio.NewReaderSize"; "" if the line itself allocates, or the third-party line that it calls."""
    leaf, through = leaf_of(line), line.main_chain.through
    return "" if not leaf or (through and through.function == leaf) else f" in {as_called(leaf)}"


def callee(line: Line) -> Iterator[Cause]:
    """The function that allocates, if the line itself does not."""
    if leaf_of(line):
        leaf = line.main_chain.leaf
        place = f" ({leaf.file}:{leaf.line})" if leaf.file else ""
        yield Cause("callee", f"{leaf.function}{place} allocates it on its behalf")


def _reason(line: Line, has_before: bool) -> str:
    """How much the line has allocated, and where, in words."""
    amount = amount_text(line.change, line.sample_type)
    if not counts_made(line.sample_type):
        since = ", not there when the window opened" if has_before else ""
        return f"allocated {amount} of the live heap{within(line)}{since}"
    since = "in the window" if has_before else "since the process started"
    share = _portion(line.still_held)
    verb = "are" if counts_objects(line.sample_type) else "is"
    return f"allocated {amount}{within(line)} {since}, of which {share} {verb} still live"


def _portion(share: float) -> str:
    if share < _NONE:
        return "less than 0.1%" if share else "none"
    return "all" if share > 1 - _NONE else f"{share:.1%}"


def amount_text(value: float, sample_type: str) -> str:
    """Bytes or objects as text: "235 MB", "1.20M objects"."""
    return f"{format_value(value, COUNT)} objects" if counts_objects(sample_type) else format_value(value, BYTES)


def within_noise(growth: int, functions: int, sample_type: str) -> str:
    """Why there are no culprits although something grew; the caller appends what makes the noise."""
    return f"{_spread_over(growth, functions, sample_type)}, is within the noise"


def too_small(growth: int, functions: int, sample_type: str) -> str:
    """Why there are no culprits although lines grew beyond the noise."""
    return f"no single line has 10% of {_spread_over(growth, functions, sample_type)}"


def _spread_over(growth: int, functions: int, sample_type: str) -> str:
    where = "1 function" if functions == 1 else f"{functions} functions"
    return f"the growth of {amount_text(growth, sample_type)}, in {where}"


def every(profiles: Sequence[Profile]) -> str:
    """Such as "a profile that takes one sample in 524 kB", at the coarsest rate of several."""
    rate = f"one sample in {format_value(max(profile.period for profile in profiles), BYTES)}"
    return f"a profile that takes {rate}" if len(profiles) == 1 else f"{len(profiles)} profiles that take {rate}"


def _nothing(metric: str, after: Sequence[Profile], functions: int, growth: int) -> str:
    """Why there are no culprits, and for resident memory where else it may be."""
    sample_type = SAMPLE_OF[metric]
    if not any(any(profile.values[profile.sample_index(sample_type)]) for profile in after):
        text = f"there is no {sample_type} in {every(after)}"
        if not any(profile.period for profile in after):
            text = "the service's memory profiler is off: its MemProfileRate is 0"
    elif not functions:
        text = "no line has allocated more"
        if not counts_made(sample_type):
            text = "no line has more of the live heap than before"
    else:
        text = f"{within_noise(growth, functions, sample_type)} of {every(after)}"
    beyond = f"; {metric} also counts what no heap profile shows: stacks, freed pages, C, mapped files"
    return text + (beyond if metric in _RESIDENT else "")
