"""Owns the profile of a span of time: what a later profile of a process has more than an earlier one."""

from __future__ import annotations

from pytest_gomem.pprof.errors import ProfileError
from pytest_gomem.pprof.merge import merge, scale
from pytest_gomem.pprof.read import parse_profile
from pytest_gomem.pprof.write import compressed


def delta(before: bytes, after: bytes) -> bytes:
    """The difference of two profiles of one process, gzipped, as `/debug/pprof/allocs?seconds=` gives it.

    What is held may come out negative: more was freed than kept. Raises ProfileError where one is no profile, or the
    later one is not later.
    """
    earlier, later = parse_profile(before), parse_profile(after)
    lasted = later.time_nanos - earlier.time_nanos
    if lasted < 0:
        raise ProfileError("the later profile of the two is the older one")
    changed = merge([later, scale(earlier, -1)])
    return compressed(changed._replace(time_nanos=later.time_nanos, duration_nanos=lasted))
