"""Describes how a process ended, and chooses the part of its log that messages show."""

from __future__ import annotations

import re
import signal

from pytest_gomem.supervisor.protocol import ExitRecord

# What the runtime prints before it exits with status 2 (runtime/panic.go: printpanics, fatalthrow).
_LAST_WORDS = re.compile(
    r"^(panic: .*|fatal error: .*|runtime: goroutine stack exceeds .*|runtime: program exceeds .*|SIG[A-Z]+: .*"
    r"|runtime: failed to create new OS thread.*|runtime/cgo: pthread_create failed.*)$",
    re.MULTILINE,
)
_NO_THREAD = re.compile(r"runtime: failed to create new OS thread|runtime/cgo: pthread_create failed")
_MORE_THREADS = "raise the limit on threads: ulimit -u, or pids.max of the container (docker run --pids-limit)"
_PORT_TAKEN = re.compile(r"address already in use|EADDRINUSE|Only one usage of each socket address", re.IGNORECASE)
_VERBS = {
    "panic": "panicked",
    "fatal error": "died of a fatal runtime error",
    "runtime": "died of a fatal runtime error",
}
_PANIC_STATUS = 2
_SAME_CRASH = 200  # characters between the lines of one crash; the stacks after them are far longer
_CRASHES = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS)


def describe(ended: ExitRecord, log: str) -> str:
    """One sentence, such as "panicked: runtime error: index out of range (exit status 2)"."""
    if ended.signal is not None:
        return _signalled(ended, log)
    words = _last_words(log) if ended.code == _PANIC_STATUS or not ended.is_known else None
    status = f"exit status {ended.code}" if ended.is_known else "its exit status is known only to its parent"
    if words is None:
        return f"ended with {status}" if ended.is_known else f"ended ({status})"
    if _NO_THREAD.match(words):
        return f"could not start another thread: {words} ({status}); {_MORE_THREADS}"
    kind, _, rest = words.partition(": ")
    return f"{_VERBS.get(kind, f'died ({kind})')}: {rest} ({status})"


def _signalled(ended: ExitRecord, log: str) -> str:
    name = signal.Signals(ended.signal).name if ended.signal in set(signal.Signals) else f"signal {ended.signal}"
    if ended.oom:
        return f"was killed by the kernel for lack of memory ({name}; {ended.oom})"
    if ended.killed:
        return f"did not end when asked to, and was killed ({name})"
    if ended.signal == signal.SIGKILL:
        return f"was killed by {name}, which some process sent: there is no sign of an OOM kill"
    words = _last_words(log) if ended.signal in _CRASHES else None
    if words and _NO_THREAD.match(words):
        return f"could not start another thread: {words} ({name}); {_MORE_THREADS}"
    return f"was killed by {name}" if words is None else f"was ended by {name} after: {words}"


def _last_words(log: str) -> str | None:
    """The first line of the last crash in the log; earlier ones were survived, or only logged."""
    found = list(_LAST_WORDS.finditer(log))
    if not found:
        return None
    cause = found[-1]
    for earlier in reversed(found[:-1]):
        # A crash in several steps, such as a stack overflow, names its cause first.
        if cause.start() - earlier.end() > _SAME_CRASH:
            break
        cause = earlier
    return cause[0]


def lost_port(log: str) -> bool:
    """Whether the log says that a port was already taken."""
    return _PORT_TAKEN.search(log) is not None


_FIRST, _LAST = 10, 30
_LONGEST_LINE = 1000


def last_lines(log: str, lines: int = _FIRST + _LAST) -> str:
    """The end of a log."""
    return "\n".join(log.splitlines()[-lines:])


def both_ends(log: str) -> str:
    """The first 10 and last 30 lines, long ones without their middle; a failed start often names its cause first."""
    lines = [_without_middle(line) for line in log.splitlines()]
    left_out = len(lines) - _FIRST - _LAST
    if left_out > 1:
        lines[_FIRST:-_LAST] = [f"... {left_out} lines are left out here ..."]
    return "\n".join(lines)


def _without_middle(line: str) -> str:
    half = _LONGEST_LINE // 2
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{line[:half]} ... {len(line) - 2 * half} characters are left out here ... {line[-half:]}"
