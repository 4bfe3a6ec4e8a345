"""The verdict on a death spiral, in words that say what to do."""

from __future__ import annotations

from pytest_gomem.base.units import BYTES, RATIO, Quantity, format_value
from pytest_gomem.judge.verdict import Verdict, unasked
from pytest_gomem.measure.death_spiral import DEATH_SPIRAL, LEAST_ROOM, DeathSpiral
from pytest_gomem.stats.decision import Status

_LIMIT = Quantity(LEAST_ROOM, RATIO, f"{LEAST_ROOM:.0%}")


def spiral_verdicts(found: DeathSpiral | None) -> tuple[Verdict, ...]:
    """The verdict, which fails; none without a death spiral, or with one that is in doubt."""
    if found is None or found.doubt:
        return ()
    return (
        Verdict(
            unasked(DEATH_SPIRAL),
            _LIMIT,
            DEATH_SPIRAL,
            found.effective_gogc,
            Status.FAIL,
            over=(LEAST_ROOM - found.effective_gogc) / LEAST_ROOM,
            reason=f"{spiral_words(found)}: raise the limit, or hold less",
        ),
    )


def spiral_notes(found: DeathSpiral | None) -> tuple[str, ...]:
    """Why what looks like a death spiral is no verdict."""
    return (f"{spiral_words(found)}; this fails nothing: {found.doubt}",) if found is not None and found.doubt else ()


def spiral_words(found: DeathSpiral) -> str:
    """Such as "death spiral: Go's GC CPU limiter was on in cycle 812 (900 in the window), and ...."."""
    live, room = (format_value(size, BYTES) for size in (found.live_heap, found.effective_gogc * found.live_heap))
    limit = f" under GOMEMLIMIT={found.gomemlimit}" if found.gomemlimit not in ("", "off") else ""
    return (
        f"death spiral: the collector took half of the CPU or more (Go's GC CPU limiter was on in cycle {found.cycle}, "
        f"{found.cycles} ended in the window), and had {room} of room above {live} that live{limit} (an effective GOGC "
        f"of {found.effective_gogc:.1%})"
    )
