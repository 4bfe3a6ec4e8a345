"""Owns the error of a profile that cannot be read or used."""

from __future__ import annotations

from pytest_gomem.base.errors import ObserveError


class ProfileError(ObserveError):
    """Bytes that are no profile, a profile that contradicts itself, or a question it cannot answer."""
