"""Adds up the samples of a heap profile by line of Go, with how uncertain the sums are.

The runtime samples each allocation of s bytes with probability p = 1 - exp(-s / rate), and runtime/pprof divides the
samples by p (scaleHeapSample in src/runtime/pprof/protomem.go). Of N allocations n ~ Binomial(N, p) are sampled. The
estimate n / p has the variance N (1 - p) / p; n (1 - p) / p^2 is an unbiased estimate of it. So n samples stand for
n s / p bytes, with a sigma of s / p * sqrt(n (1 - p)). For objects much smaller than the rate that is
sqrt(rate * bytes), a relative 1 / sqrt(n). Objects much larger are all sampled, and nothing is uncertain. The runtime
separates objects of different sizes, also on one line; their variances add. A low n also gives too low a sigma: with
n + 1 instead, the interval holds for few samples too.

Between two profiles of one process, only what came or went is uncertain: what both hold was sampled once. No profile
says how much came and went, but what was made since, and what is held, are bounds.

Several rounds do the same work in processes of their own. The mean of R estimates has the sum of their variances,
divided by R^2. Each round has as many objects as the mean of all of them says: one at a coarse rate may have no sample.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_gomem.attribution.origin import Chain, Origins, Site
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.pprof.model import Label, Profile

SIGMAS = 2  # of every interval: the truth lies in it 19 times in 20
SMALLEST = 8  # bytes, the runtime's smallest size class


@dataclass
class _Sampled:
    """Sampled objects of one size, not scaled: made between the profiles, held before, held after."""

    made: float = 0.0
    before: float = 0.0
    after: float = 0.0

    @property
    def turnover(self) -> float:
        """At most how many of those held came or went in between."""
        new = min(self.made, self.after)
        gone = self.before - (self.after - new)
        return max(new + gone, abs(self.after - self.before))


@dataclass
class Tally:
    """Samples of two profiles of one process, or of one alone: then `before` is 0 and all is new.

    before, after: sums as `go tool pprof` shows them, of the sample type: bytes, or objects.
    """

    sample_type: str
    rate: int
    before: int = 0
    after: int = 0
    _sizes: defaultdict[int, _Sampled] = field(default_factory=lambda: defaultdict(_Sampled))

    @property
    def change(self) -> int:
        """How much more there is than before, an estimate."""
        return self.after - self.before

    @property
    def sigma(self) -> float:
        """The standard deviation of `change`, if anything too large."""
        return _spread([self]).sigma

    @property
    def turnover(self) -> Iterator[tuple[int, float]]:
        """By size, how many sampled objects make `change` uncertain: those made, or those that came or went."""
        for size, sampled in self._sizes.items():
            yield size, abs(sampled.made) if counts_made(self.sample_type) else sampled.turnover

    @property
    def made_and_kept(self) -> tuple[float, float]:
        """What was made since, and how much more is held, both in what the sample type counts."""
        sizes = [(self._value(size) / _probability(size, self.rate), each) for size, each in self._sizes.items()]
        made = sum(value * sampled.made for value, sampled in sizes)
        return made, sum(value * (sampled.after - sampled.before) for value, sampled in sizes)

    @property
    def unseen(self) -> float:
        """What may be there without a sample, with a probability of 1 in 20: -ln(0.05) samples."""
        if self.rate <= 1:
            return 0.0
        size = min((size for size in self._sizes if size), default=SMALLEST)
        return -math.log(0.05) * (self.rate / size if counts_objects(self.sample_type) else self.rate)

    def add(self, sample: Sample, is_before: bool) -> None:
        """Count a sample of the later or the earlier profile."""
        sampled = self._sizes[sample.size]
        sign = -1 if is_before else 1
        sampled.made += sign * sample.made
        if is_before:
            self.before += sample.value
            sampled.before += sample.held
        else:
            self.after += sample.value
            sampled.after += sample.held

    def _value(self, size: int) -> int:
        return 1 if counts_objects(self.sample_type) else size

    def variance_of(self, size: int, objects: float) -> float:
        """How uncertain the sum is if there are so many objects of this size."""
        probability = _probability(size, self.rate)
        return self._value(size) ** 2 * objects * (1 - probability) / probability


class _Spread(NamedTuple):
    """The variance of a mean of rounds, and how many samples it comes from."""

    variance: float = 0.0
    samples: float = 0.0

    @property
    def sigma(self) -> float:
        return math.sqrt(self.variance * (1 + 1 / self.samples)) if self.samples else 0.0


def _spread(rounds: Sequence[Tally]) -> _Spread:
    objects: defaultdict[int, float] = defaultdict(float)
    samples = 0.0
    for one in rounds:
        for size, sampled in one.turnover:
            objects[size] += sampled / _probability(size, one.rate)
            samples += sampled
    variances = (one.variance_of(size, count / len(rounds)) for one in rounds for size, count in objects.items())
    return _Spread(sum(variances) / len(rounds) ** 2, samples)


@dataclass
class Line:
    """The samples of one line in several rounds; its figures are their means. stacks: the change of each chain."""

    site: Site
    rounds: Sequence[Tally]
    stacks: Counter[Chain] = field(default_factory=Counter)

    @property
    def sample_type(self) -> str:
        """What the profiles count."""
        return self.rounds[0].sample_type

    @property
    def before(self) -> int:
        """The estimate in the earlier profiles; 0 if there are none."""
        return round(sum(one.before for one in self.rounds) / len(self.rounds))

    @property
    def after(self) -> int:
        """The estimate in the later profiles."""
        return round(sum(one.after for one in self.rounds) / len(self.rounds))

    @property
    def change(self) -> int:
        """How much more there is than before."""
        return self.after - self.before

    @property
    def sigma(self) -> float:
        """The standard deviation of `change`, if anything too large."""
        return _spread(self.rounds).sigma

    @property
    def still_held(self) -> float:
        """The growth of what is held as a share of what was made since; 0 if nothing was."""
        made, kept = map(sum, zip(*(one.made_and_kept for one in self.rounds), strict=True))
        return min(max(kept / made, 0.0), 1.0) if made > 0 else 0.0

    @property
    def main_chain(self) -> Chain:
        """The chain of callers that grew most."""
        return max(self.stacks, key=lambda chain: (self.stacks[chain], chain[:2], chain.through or ()))

    def add(self, at: int, chain: Chain, sample: Sample, is_before: bool) -> None:
        """Count a sample of this chain of callers in the round of that index."""
        self.rounds[at].add(sample, is_before)
        self.stacks[chain] += -sample.value if is_before else sample.value


def sigma_of_all(found: Iterable[Line]) -> float:
    """The standard deviation of the sum of these lines' changes."""
    spreads = [_spread(line.rounds) for line in found]
    return _Spread(sum(one.variance for one in spreads), sum(one.samples for one in spreads)).sigma


def counts_made(sample_type: str) -> bool:
    """Whether these samples count what was allocated, not what is held."""
    return sample_type.startswith("alloc_")


def counts_objects(sample_type: str) -> bool:
    """Whether these samples count objects, not bytes."""
    return sample_type.endswith("_objects")


def lines(
    after: Sequence[Profile],
    before: Sequence[Profile] | None,
    sample_type: str,
    module: GoModule,
    counts: Callable[[Profile, bytes], bool],
) -> list[Line]:
    """Each line that samples are charged to, in no order; raises ProfileError for another kind of profile.

    after: one of each round. before: for each of them an earlier one of the same process; ValueError if not as many.
    counts: whether to count a profile's stack.
    """
    earlier: Sequence[Profile | None] = [None] * len(after) if before is None else before
    origins = Origins(module, [*after, *(before or ())])
    found: dict[Site, Line] = {}
    for at, (new, old) in enumerate(zip(after, earlier, strict=True)):
        for profile, is_before in ((new, False), (old, True)):
            if profile is None:
                continue
            rows = zip(profile.stacks, origins.chains(profile), samples_of(profile, sample_type), strict=True)
            for stack, chain, sample in rows:
                if chain is None or not sample.size or not counts(profile, stack):
                    continue  # size 0: the runtime also writes empty records
                site = chain.sites[0]
                if site not in found:
                    found[site] = Line(site, [Tally(sample_type, one.period) for one in after])
                found[site].add(at, chain, sample, is_before)
    return list(found.values())


def samples_taken(after: Profile, before: Profile) -> float:
    """How many samples the runtime has taken between two heap profiles of one process."""
    later, earlier = (sum(s.made for s in samples_of(profile, "alloc_space")) for profile in (after, before))
    return later - earlier


class Sample(NamedTuple):
    """A sample's value, its objects' size in bytes, and how many were sampled: of all made, of those held."""

    value: int
    size: int
    made: float
    held: float


def samples_of(profile: Profile, sample_type: str) -> Iterator[Sample]:
    """Each sample of a heap profile, in order; raises ProfileError for another kind of profile."""
    columns = (profile.values[profile.sample_index(name)] for name in (sample_type, "alloc_space", "inuse_space"))
    for value, made, held, size in zip(*columns, _sizes(profile), strict=True):
        once = _probability(size, profile.period) / size if size else 0.0
        yield Sample(value, size, made * once, held * once)


def _sizes(profile: Profile) -> Iterator[int]:
    """The size of each sample's objects: its label "bytes", or else their mean."""
    objects, space = (profile.values[profile.sample_index(f"alloc_{what}")] for what in ("objects", "space"))
    labels: Iterable[tuple[Label, ...]] = profile.labels or [()] * len(objects)
    for own, count, total in zip(labels, objects, space, strict=True):
        label = next((label.number for label in own if label.key == "bytes"), 0)
        yield label or (total // count if count else 0)


def _probability(size: int, rate: int) -> float:
    """The probability that an object of this size is sampled; 1 at a rate of 1 or less, as in scaleHeapSample."""
    return -math.expm1(-size / rate) if rate > 1 else 1.0
