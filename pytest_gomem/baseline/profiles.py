"""The heap profiles of baselines: their files, and the handover from the process that runs a test."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_gomem.attribution.compact import compact
from pytest_gomem.base.errors import ConfigError, ObserveError, Place
from pytest_gomem.base.files import write_whole
from pytest_gomem.baseline.snapshot import Snapshot
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.pprof.model import Profile, ProfileError
from pytest_gomem.pprof.read import parse_profile

_UPDATE = "gomem baseline update records it anew"


def read_profile(path: Path) -> Profile:
    """A kept profile; raises ObserveError with what is wrong with it."""
    named = f"the baseline's heap profile, {os.path.relpath(path)},"
    try:
        return parse_profile(path.read_bytes())
    except FileNotFoundError:
        raise ObserveError(f"{named} is missing: {_UPDATE}") from None
    except OSError as error:
        raise ObserveError(f"{named} cannot be read: {error.strerror or error}") from None
    except ProfileError as error:
        raise ObserveError(f"{named} is damaged ({error}): {_UPDATE}") from None


@dataclass(frozen=True)
class Handover:
    """Compact profiles of a run's windows, in a folder that its processes share.

    most: the maximum bytes of each.
    """

    folder: Path
    most: int

    def put(self, nodeid: str, heaps: Mapping[str, tuple[Profile, GoModule]]) -> None:
        """Save the profiles of a test by window, with the module of its service; replaces those of an earlier attempt.

        Raises ObserveError for an invalid profile, OSError if it cannot be written.
        """
        for old in self.folder.glob(f"{_digest(nodeid)}-*"):
            old.unlink()
        for window, (profile, module) in heaps.items():
            write_whole(self._path(nodeid, window), compact(profile, module, self.most))

    def take(self, nodeid: str, window: str) -> bytes | None:
        """The saved profile of a window, if any."""
        path = self._path(nodeid, window)
        return path.read_bytes() if path.exists() else None

    def _path(self, nodeid: str, window: str) -> Path:
        return self.folder / f"{_digest(nodeid)}-{_digest(window)}.pb.gz"


@dataclass(frozen=True)
class ProfileFolder:
    """The folder of profiles for the baselines below `baselines`."""

    folder: Path
    baselines: Path
    handover: Handover

    def keep(self, nodeid: str, window: str, snapshot: Snapshot) -> str:
        """Keep the window's profile; returns its file, relative to the baselines, "" for none.

        It is named by test, window and conditions, so a new profile replaces the old one. Raises ConfigError if it
        cannot be written.
        """
        data = self.handover.take(nodeid, window)
        if data is None:
            return ""
        path = self._path(nodeid, window, snapshot)
        try:
            write_whole(path, data)
        except OSError as error:
            raise ConfigError(f"the heap profile cannot be written: {error}", Place(str(path))) from None
        return self._named(path)

    def lacks(self, nodeid: str, window: str, kept: Snapshot) -> bool:
        """Whether there is a new profile, and the kept one is missing, damaged or in another folder."""
        if self.handover.take(nodeid, window) is None:
            return False
        path = self._path(nodeid, window, kept)
        try:
            read_profile(path)
        except ObserveError:
            return True
        return kept.profile != self._named(path)

    def _path(self, nodeid: str, window: str, snapshot: Snapshot) -> Path:
        module, _, test = nodeid.partition("::")
        words = re.sub(r"[^\w.-]+", "_", f"{test}-{window}")[:80]
        identity = _digest(repr((nodeid, window, sorted(snapshot.conditions.items()))))
        return self.folder / module.removesuffix(".py") / f"{words}-{identity[:8]}.pb.gz"

    def _named(self, path: Path) -> str:
        """Its name in a baseline."""
        return Path(os.path.relpath(path, self.baselines)).as_posix()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
