"""Owns the words for how a process ended: status, signal, panic, fatal runtime error, OOM kill."""

from __future__ import annotations

import re
import signal

from pytest_gomem.keeper.protocol import ExitRecord

# What the runtime prints before it exits with status 2 (runtime/panic.go: printpanics, fatalthrow).
_LAST_WORDS = re.compile(
    r"^(panic: .*|fatal error: .*|runtime: goroutine stack exceeds .*|SIG[A-Z]+: .*)$", re.MULTILINE
)
_PORT_TAKEN = re.compile(r"address already in use|EADDRINUSE|Only one usage of each socket address", re.IGNORECASE)
_PANIC_STATUS = 2


def describe(ended: ExitRecord, log: str) -> str:
    """One sentence, such as "panicked: runtime error: index out of range (exit status 2)"."""
    if ended.signal is not None:
        return _signalled(ended, log)
    words = _last_words(log) if ended.code == _PANIC_STATUS else None
    status = f"exit status {ended.code}"
    if words is None:
        return f"ended with {status}"
    kind, _, rest = words.partition(": ")
    verb = {"panic": "panicked", "fatal error": "died of a fatal runtime error"}.get(kind, f"died ({kind})")
    return f"{verb}: {rest} ({status})"


def _signalled(ended: ExitRecord, log: str) -> str:
    name = signal.Signals(ended.signal).name if ended.signal in set(signal.Signals) else f"signal {ended.signal}"
    if ended.oom:
        return f"was killed by the kernel for lack of memory ({name}; {ended.oom})"
    words = _last_words(log)
    if words is not None:
        return f"was ended by {name} after: {words}"
    if ended.signal == signal.SIGKILL:
        return f"was killed by {name} (no OOM-kill counter rose: it was sent by some process)"
    return f"was killed by {name}"


def _last_words(log: str) -> str | None:
    found = _LAST_WORDS.findall(log)
    # The first: a panic while panicking repeats itself, and the cause stands above.
    return found[0] if found else None


def lost_port(log: str) -> bool:
    """Whether the log says that a port was already taken."""
    return _PORT_TAKEN.search(log) is not None
