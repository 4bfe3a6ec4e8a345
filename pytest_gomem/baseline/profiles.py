"""What is kept with baselines: the files of heap profiles, and the handover from the process that runs a test."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_gomem.attribution.compact import compact
from pytest_gomem.base.errors import ConfigError, ObserveError, Place
from pytest_gomem.base.files import write_whole
from pytest_gomem.baseline.snapshot import Snapshot
from pytest_gomem.diagnosis.evidence import Observed
from pytest_gomem.diagnosis.goroutines import kept_goroutines
from pytest_gomem.instruments.peak_profile import PEAK
from pytest_gomem.pprof.model import Profile, ProfileError
from pytest_gomem.pprof.read import parse_profile
from pytest_gomem.session.capture import HEAP

_SUFFIXES = {HEAP: ".pb.gz", PEAK: ".peak.pb.gz"}
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
class Recorded:
    """What an observed round recorded of a window: compact profiles, empty for none, and as in `Snapshot` the rest."""

    heap: bytes = b""
    peak: bytes = b""
    modules: Mapping[str, str] = field(default_factory=dict)
    goroutines: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Handover:
    """What is kept with the baselines of a run's windows, in a folder that its processes share.

    most: the maximum bytes of each profile.
    """

    folder: Path
    most: int

    def put(self, nodeid: str, windows: Mapping[str, Observed]) -> None:
        """Save what was recorded of a test, by window; replaces that of an earlier attempt.

        Raises ObserveError for an invalid profile, OSError if it cannot be written.
        """
        for old in self.folder.glob(f"{_digest(nodeid)}-*"):
            old.unlink()
        for window, evidence in windows.items():
            path = self._path(nodeid, window)
            for kind, suffix in _SUFFIXES.items():
                if (data := self._compact(evidence, kind)) is not None:
                    write_whole(path.with_suffix(suffix), data)
            said = {"modules": dict(evidence.modules), "goroutines": kept_goroutines(evidence)}
            write_whole(path.with_suffix(".json"), json.dumps(said))

    def _compact(self, evidence: Observed, kind: str) -> bytes | None:
        try:
            profile, *_ = evidence.profiles(kind, "")
        except ObserveError:  # without the agent there is none of the peak
            return None
        return compact(profile, evidence.module, self.most)

    def take(self, nodeid: str, window: str) -> Recorded | None:
        """What was saved of a window, if anything."""
        path = self._path(nodeid, window)
        if not path.with_suffix(".json").exists():
            return None
        heap, peak = (_bytes(path.with_suffix(suffix)) for suffix in _SUFFIXES.values())
        return Recorded(heap, peak, **json.loads(path.with_suffix(".json").read_bytes()))

    def _path(self, nodeid: str, window: str) -> Path:
        return self.folder / f"{_digest(nodeid)}-{_digest(window)}"


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


@dataclass(frozen=True)
class ProfileFolder:
    """The folder of profiles for the baselines below `baselines`."""

    folder: Path
    baselines: Path
    handover: Handover

    def keep(self, nodeid: str, window: str, snapshot: Snapshot) -> Snapshot:
        """The snapshot with what was recorded of the window; the profiles are written.

        A file is named by test, window and conditions, so a new profile replaces the old one. Raises ConfigError if it
        cannot be written.
        """
        recorded = self.handover.take(nodeid, window)
        if recorded is None:
            return snapshot
        heap = self._written(self._path(nodeid, window, snapshot), recorded.heap)
        peak = self._written(self._path(nodeid, window, snapshot, "-peak"), recorded.peak)
        return replace(
            snapshot,
            profile=heap,
            peak_profile=peak,
            modules=recorded.modules,
            goroutines=recorded.goroutines,
        )

    def _written(self, path: Path, data: bytes) -> str:
        """The name of the written file in a baseline; "" for no data."""
        if not data:
            return ""
        try:
            write_whole(path, data)
        except OSError as error:
            raise ConfigError(f"the heap profile cannot be written: {error}", Place(str(path))) from None
        return self._named(path)

    def lacks(self, nodeid: str, window: str, kept: Snapshot) -> bool:
        """Whether the baseline lacks some of what was recorded: a profile may be missing, damaged or elsewhere."""
        recorded = self.handover.take(nodeid, window)
        if recorded is None:
            return False
        told = ((recorded.modules, kept.modules), (recorded.goroutines, kept.goroutines))
        files = ((recorded.heap, kept.profile, ""), (recorded.peak, kept.peak_profile, "-peak"))
        return any(new and not old for new, old in told) or any(
            new and not self._is_whole(self._path(nodeid, window, kept, kind), old) for new, old, kind in files
        )

    def _is_whole(self, path: Path, named: str) -> bool:
        """Whether the profile is there and intact. named: in the baseline."""
        try:
            read_profile(path)
        except ObserveError:
            return False
        return named == self._named(path)

    def _path(self, nodeid: str, window: str, snapshot: Snapshot, kind: str = "") -> Path:
        module, _, test = nodeid.partition("::")
        words = re.sub(r"[^\w.-]+", "_", f"{test}-{window}")[:80]
        identity = _digest(repr((nodeid, window, sorted(snapshot.conditions.items()))))
        return self.folder / module.removesuffix(".py") / f"{words}-{identity[:8]}{kind}.pb.gz"

    def _named(self, path: Path) -> str:
        """Its name in a baseline."""
        return Path(os.path.relpath(path, self.baselines)).as_posix()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
