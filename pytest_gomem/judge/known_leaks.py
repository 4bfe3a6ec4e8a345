"""Finds the leaks that gomem_accepted.yaml knows among goroutines that stay and holders of memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pytest_gomem.base.names import matches, means_test
from pytest_gomem.config.known_leaks import GOROUTINES, HOLDER, KnownLeak
from pytest_gomem.measure.left_goroutines import LeftGoroutines, Uncounted, Why, means
from pytest_gomem.retention.model import Holder


@dataclass(frozen=True)
class FoundLeak:
    """What an entry of gomem_accepted.yaml means in one window.

    test, kind, glob, reason, owner, expires: as the entry has them. count: goroutines that stay, or holders; 0 if it
    means none. retained, share: of the holders, see `Holder`; 0 for goroutines. is_over: its last day has passed, so
    nothing is accepted.
    """

    test: str
    kind: str
    glob: str
    count: int
    reason: str
    owner: str
    expires: date
    retained: int = 0
    share: float = 0.0
    is_over: bool = False


@dataclass(frozen=True)
class KnownLeaks:
    """The entries that mean one test, and the day on which they are applied."""

    entries: tuple[KnownLeak, ...] = ()
    today: date = date.min

    @classmethod
    def of_test(cls, entries: Iterable[KnownLeak], nodeid: str, today: date) -> KnownLeaks:
        """Those of all that mean this test."""
        return cls(tuple(entry for entry in entries if means_test(entry.test, nodeid)), today)

    def accepted_goroutines(self) -> tuple[str, ...]:
        """The globs of goroutines that do not count today, in the order of the file."""
        alive = (entry for entry in self._of(GOROUTINES) if not entry.has_expired(self.today))
        return tuple(dict.fromkeys(entry.glob for entry in alive))

    def among_goroutines(self, left: LeftGoroutines) -> tuple[FoundLeak, ...]:
        """Each entry on goroutines with how many stay that it means; of an expired one they have leaked."""
        return tuple(self._found(entry, self._count(entry, left)) for entry in self._of(GOROUTINES))

    def _count(self, entry: KnownLeak, left: LeftGoroutines) -> int:
        if entry.has_expired(self.today):
            return sum(means(entry.glob, one.stack) for one in left.leaked.values())
        return left.uncounted.get(Uncounted(Why.ACCEPTED, entry.glob), 0)

    def among_holders(self, holders: Sequence[Holder]) -> tuple[tuple[Holder, ...], tuple[FoundLeak, ...]]:
        """The holders, the known ones marked and behind the others, and each entry on holders with what it means."""
        marked, found = list(holders), list[FoundLeak]()
        for entry in self._of(HOLDER):
            meant = [at for at, holder in enumerate(marked) if not holder.known and holds(entry.glob, holder)]
            theirs = [marked[at] for at in meant]
            retained, share = sum(one.retained for one in theirs), sum(one.share for one in theirs)
            found.append(replace(self._found(entry, len(theirs)), retained=retained, share=share))
            if not entry.has_expired(self.today):
                known = f"known until {entry.expires} ({entry.owner}: {entry.reason})"
                for at in meant:
                    marked[at] = replace(marked[at], known=known)
        return tuple(sorted(marked, key=lambda holder: bool(holder.known))), tuple(found)

    def _of(self, kind: str) -> Iterator[KnownLeak]:
        return (entry for entry in self.entries if entry.kind == kind)

    def _found(self, entry: KnownLeak, count: int) -> FoundLeak:
        return FoundLeak(
            entry.test,
            entry.kind,
            entry.glob,
            count,
            entry.reason,
            entry.owner,
            entry.expires,
            is_over=entry.has_expired(self.today),
        )


def holds(glob: str, holder: Holder) -> bool:
    """Whether a glob is the root of a holder, its variable, or the whole path: "global main.cache* -> []uint8"."""
    path = " -> ".join([holder.root, *(step.type for step in holder.path)])
    return any(matches(glob, name) for name in (holder.root, holder.name, path, *holder.roots) if name)


def over_notes(leaks: Iterable[FoundLeak]) -> Iterator[str]:
    """What leaks again because the day of its entry is over."""
    for leak in leaks:
        if leak.is_over and leak.count:
            by = f"{leak.owner}: {leak.reason}"
            yield f"{leak.count} of the goroutines were accepted until {leak.expires} ({by}), and that date has passed"


def unused(
    entries: Iterable[KnownLeak], found: Sequence[tuple[str, bool, Sequence[FoundLeak]]], today: date, *, whole: bool
) -> tuple[tuple[KnownLeak, str], ...]:
    """The entries that have nothing left to accept, each with the reason to remove it.

    found: of each test its id, whether it ran to its end, and what its entries mean. An entry is kept if nobody looked,
    as where no limit is on leaked_goroutines or no heap dump was taken. whole: see `acceptances.vanished`.
    """
    rows = []
    for entry in entries:
        meant = [one for one in found if means_test(entry.test, one[0])]
        known = whole or all(nodeid == entry.test for nodeid, _, _ in meant)
        if known and all(complete for _, complete, _ in meant) and (why := _why(entry, meant, today)):
            rows.append((entry, why))
    return tuple(rows)


def _why(entry: KnownLeak, meant: Sequence[tuple[str, bool, Sequence[FoundLeak]]], today: date) -> str:
    theirs = [leak for _, _, leaks in meant for leak in leaks if (leak.test, leak.kind, leak.glob) == entry.key]
    if not theirs or any(leak.count for leak in theirs):
        return ""
    what = "goroutine that stays" if entry.kind == GOROUTINES else "holder"
    over = f", and it was accepted until {entry.expires}" if entry.has_expired(today) else ""
    return f"no {what} matches '{entry.glob}'{over}"
