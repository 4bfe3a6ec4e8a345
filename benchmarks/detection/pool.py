"""Owns the pool: the rounds of each variant of a workload, or of each workload, as recorded, in one compact file."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "pool.json.gz"
BASE = "base"
REQUESTS = 3000

WORK = {
    "objects": 40,
    "size": 1024,
    "last": 1024,
    "nodes": 0,
    "keep": 20,
}  # with the buffer 125 kB a request, 91 objects
LIVE = 20 * 1024 * REQUESTS  # bytes that the requests keep
PEAK = 327_600_000  # resident at the peak, of which the buffer is the most
BUFFER = 220 << 20


@dataclass(frozen=True)
class Variant:
    """What one variant does. work: parameters of each /work; leak: bytes kept besides; buffer: bytes held at once.

    burn: milliseconds of each second spent in collections. changes: the metrics it was made to change.
    """

    name: str
    changes: tuple[str, ...] = ()
    work: Mapping[str, int] = ()  # type: ignore[assignment]
    leak: int = 0
    buffer: int = BUFFER
    gogc: int = 100
    burn: int = 0

    @property
    def given(self) -> dict[str, Any]:
        """For the recording test."""
        return {
            "work": "&".join(f"{name}={value}" for name, value in {**WORK, **dict(self.work)}.items()),
            "leak": self.leak,
            "buffer": self.buffer,
            "gogc": self.gogc,
            "burn": self.burn,
        }


VARIANTS = (
    Variant(BASE),
    *(Variant(f"live heap +{share}%", ("live_heap",), leak=LIVE * share // 100) for share in (1, 2, 5)),
    # The size classes next to +1, +2 and +5% of what a request allocates, the buffer included: 1.0, 1.9 and 4.6%.
    *(
        Variant(f"bytes per op +{share}%", ("alloc_bytes_per_op",), {"last": last})
        for share, last in ((1, 2304), (2, 3456), (5, 6784))
    ),
    Variant("one more object per op", ("allocs_per_op",), {"nodes": 1}),
    *(Variant(f"peak +{share}%", ("peak_rss",), buffer=BUFFER + PEAK * share // 100) for share in (5, 10)),
    Variant("GOGC 150", ("gc_cycles", "gc_cpu"), gogc=150),
    Variant("GC burden 50 ms/s", ("gc_cpu",), burn=50),
)


@dataclass(frozen=True)
class Pool:
    """rounds: by variant what each of its rounds measured, in the order they ran; about: machine, Go, date."""

    about: Mapping[str, Any]
    rounds: Mapping[str, Sequence[Mapping[str, float]]]

    def write(self, path: Path) -> None:
        """As columns: by variant and metric the values of all rounds; seven digits are enough for any judge."""
        columns = {}
        for variant, rounds in self.rounds.items():
            names = [name for name in rounds[0] if all(name in one for one in rounds)] if rounds else []
            columns[variant] = {name: [_short(one[name]) for one in rounds] for name in names}
        text = json.dumps({"about": dict(self.about), "variants": columns}, separators=(",", ":"))
        path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))

    @classmethod
    def read(cls, path: Path) -> Pool:
        """The pool that was written."""
        data = json.loads(gzip.decompress(path.read_bytes()))
        rounds = {
            variant: [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
            for variant, columns in data["variants"].items()
        }
        return cls(data["about"], rounds)


def _short(value: float) -> float:
    return int(value) if float(value).is_integer() else float(f"{value:.7g}")
