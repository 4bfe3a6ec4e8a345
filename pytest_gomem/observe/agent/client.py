"""Asks the agent inside a service, with a typed method per command, and reads its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_gomem.base.clock import Silence
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.agent.answers import NO_LIMIT, Answers, gogc_of, memory_limit_of
from pytest_gomem.observe.agent.channel import Channel
from pytest_gomem.observe.agent.records import AgentInfo, Flight, Injected, Peak, PeakProfile


def read_peak(path: Path) -> PeakProfile:
    """The file that AgentClient.start_peak() keeps, also after the service was killed: a line of JSON, then a profile.

    Raises ObserveError when there is none: no GC cycle ended since the start or the last reset.
    """
    try:
        head, newline, profile = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        raise ObserveError("no peak profile: no GC cycle ended while the agent looked for one") from None
    except OSError as error:
        raise ObserveError(f"the peak profile cannot be read: {error}") from None
    try:
        peak = peak_of(json.loads(head))
    except (KeyError, TypeError, ValueError) as error:
        raise ObserveError(f"{path} is not a peak profile: {type(error).__name__}: {error}") from None
    if not newline or not profile:
        raise ObserveError(f"{path} is not a peak profile: it ends before the profile")
    return PeakProfile(peak, profile)


def peak_of(fields: Mapping[str, Any]) -> Peak:
    """The record of the agent's JSON; raises KeyError on a field that is missing."""
    return Peak(fields["live"], fields["rss"] or None, fields["cycle"], fields["kept"], fields["forced"])


PROTOCOL = 1
_COLLECTING = 60.0  # seconds: two cycles of a large heap on a busy machine take some


class AgentClient(Answers):
    """The agent on `socket_path`; each method raises ObserveError without an answer in `timeout` s.

    Methods that force collections have at least 60 s.

    folder: where its socket is, private to the service.
    The service itself writes the files (CPU profile, peak), so it must be able to write there. Except for the peak's,
    a file that exists already is refused.
    """

    def __init__(self, socket_path: Path, timeout: float = 10.0) -> None:
        self.folder = socket_path.parent
        self._channel = Channel(socket_path, timeout)
        super().__init__(self._channel)
        self._collecting = max(timeout, _COLLECTING)

    def wait(self, timeout: float) -> AgentInfo:
        """Wait for a service that was just started, at most `timeout` seconds; refuses an agent of another release."""
        self._channel.open(timeout)
        info = self.ping()
        if info.protocol != PROTOCOL:
            raise ObserveError(f"the agent speaks protocol {info.protocol}, not {PROTOCOL}: build the service anew")
        return info

    @property
    def silence(self) -> Silence:
        """Whether the agent let a time limit pass; then it is not asked again."""
        return self._channel.silence

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._channel.close()

    def ping(self) -> AgentInfo:
        """Who answers."""
        return self._read(lambda fields: AgentInfo(**fields), "ping")

    def profile(self, name: str, *, gc: bool = False) -> bytes:
        """A runtime/pprof profile, gzip-compressed pprof; gc=True forces two cycles first, which empties sync.Pools."""
        if gc:
            return self._channel.ask("profile", name, "gc", timeout=self._collecting)
        return self._channel.ask("profile", name)

    def goroutines(self) -> bytes:
        """The stacks of all goroutines, as a panic prints them, at most 64 MiB; `observe.stacks` reads them.

        The world is stopped meanwhile, on a busy machine 1 s per 10 000 goroutines: it waits 60 s at least.
        """
        return self._channel.ask("goroutines", timeout=self._collecting)

    def gc(self, cycles: int = 2) -> None:
        """Force cycles, one or two: a sync.Pool is empty only after the second."""
        self._channel.ask("gc", *(("once",) if cycles == 1 else ()), timeout=self._collecting)

    def free(self) -> None:
        """Force two cycles and return free memory to the system (debug.FreeOSMemory)."""
        self._channel.ask("free", timeout=self._collecting)

    def dump_heap(self, path: Path, seconds: float) -> None:
        """Force two cycles and write a heap dump to an existing file; it is complete when this returns.

        The world is stopped meanwhile. The dump is the whole heap, secrets included. After `seconds` nobody waits for
        it any more, but the service still writes.
        """
        self._channel.ask("heapdump", str(path), timeout=seconds)

    def set_gc_percent(self, percent: int | None) -> int | None:
        """debug.SetGCPercent, None is off; returns what was set before."""
        return self._read(gogc_of, "setgcpercent", str(-1 if percent is None else percent))

    def set_memory_limit(self, limit: int | None) -> int | None:
        """debug.SetMemoryLimit in bytes, None is no limit; returns what was set before."""
        return self._read(memory_limit_of, "setmemorylimit", str(NO_LIMIT if limit is None else limit))

    def start_cpu_profile(self, path: Path) -> None:
        """Write a CPU profile to a new file until stop_cpu_profile()."""
        self._channel.ask("cpu", "start", str(path))

    def stop_cpu_profile(self) -> None:
        """The file is complete when this returns."""
        self._channel.ask("cpu", "stop")

    def start_trace(self, path: Path, most: int, seconds: float) -> None:
        """Write an execution trace to a new file, until traced() or one of these limits; bytes, 0 for no limit.

        Refused while another trace is on, which the program itself may have started.
        """
        self._channel.ask("trace", "start", str(path), str(most), repr(float(seconds)))

    def start_flight(self, most: int, pause: float | None = None, path: Path | None = None) -> None:
        """Keep the last `most` bytes of an execution trace in the memory of the service. Needs Go 1.25.

        pause: seconds; a GC cycle that stops the world longer leaves the trace in the file `path`.
        """
        watch = () if pause is None or path is None else (repr(float(pause)), str(path))
        self._channel.ask("flight", "start", str(most), *watch)

    def write_flight(self, path: Path) -> None:
        """Write what the flight recorder has now to a file, in place of an earlier one."""
        self._channel.ask("flight", "write", str(path), timeout=self._collecting)

    def stop_flight(self) -> Flight:
        """Forget what is recorded; raises ObserveError if a trace that it should keep could not be written."""
        return self._read(lambda fields: Flight(**fields), "flight", "stop")

    def start_peak(self, path: Path) -> None:
        """Keep the heap profile of the highest cycle in `path`; read it by read_peak(), also after the service died."""
        self._channel.ask("peak", "start", str(path))

    def reset_peak(self) -> None:
        """Forget the peak and remove its file."""
        self._channel.ask("peak", "reset")

    def hold_peak(self) -> None:
        """Skip cycles until look_peak(); waits for a profile that is being written."""
        self._channel.ask("peak", "hold", timeout=self._collecting)

    def look_peak(self) -> None:
        """Look at the last cycle, and again at each from now on; a new peak is then in the file."""
        self._channel.ask("peak", "look", timeout=self._collecting)

    def peak(self) -> Peak:
        """The peak so far; raises ObserveError if its profile could not be written."""
        return self._read(peak_of, "peak", "get")

    def retain(self, size: int) -> None:
        """Hold `size` more resident bytes, instead of those of an earlier call."""
        self._channel.ask("inject", "retain", str(size))

    def churn(self, share: float) -> Injected:
        """Allocate `share` of the bytes and objects that the service allocates from now on; 0 ends it.

        After a call with 0, the share of all allocation until now is exact, to an object.
        """
        return self._read(lambda fields: Injected(**fields), "inject", "churn", repr(share))

    def end_injected(self) -> Injected:
        """Stop allocating, and release what was retained."""
        return self._read(lambda fields: Injected(**fields), "inject", "stop")
