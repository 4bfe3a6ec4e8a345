"""Owns the check of a whole profile, for those who keep it; the other verbs refuse what they come upon."""

from __future__ import annotations

from pytest_gomem.pprof.errors import ProfileError
from pytest_gomem.pprof.model import Profile, location_ids


def validate(profile: Profile) -> None:
    """Raises ProfileError when samples, values and labels are not equally many, or a stack names an unknown location.

    Reading has checked the tables before: ids of 0, ids used twice, and references between functions, locations and
    strings.
    """
    if len(profile.values) != len(profile.sample_types):
        raise ProfileError(f"{len(profile.values)} columns of values for {len(profile.sample_types)} sample types")
    for kind, column in zip(profile.sample_types, profile.values, strict=True):
        if len(column) != len(profile.stacks):
            raise ProfileError(f"{len(column)} values of {kind.type} for {len(profile.stacks)} samples")
    if profile.labels is not None and len(profile.labels) != len(profile.stacks):
        raise ProfileError(f"labels of {len(profile.labels)} samples, of {len(profile.stacks)}")
    for stack in set(profile.stacks):
        for number in location_ids(stack):
            profile.location(number)
