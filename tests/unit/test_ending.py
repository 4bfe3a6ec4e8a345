"""The words for how a process ended."""

from __future__ import annotations

import signal

import pytest

from pytest_gomem.launch.ending import describe, lost_port
from pytest_gomem.supervisor.protocol import ExitRecord

STACKS = "\n\ngoroutine 34 [running]:\nmain.handle()\n\t/src/main.go:12 +0x1d\n" * 20


def exited(code, log=""):
    return describe(ExitRecord(t=0.0, code=code, signal=None, max_rss=None, cpu=0.0, oom=""), log)


def signalled(number, log="", oom="", killed=False):
    return describe(ExitRecord(0.0, None, int(number), None, 0.0, oom, killed), log)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("panic: boom" + STACKS, "panicked: boom (exit status 2)"),
        (
            "panic: runtime error: index out of range [5] with length 3 [recovered]\n\tpanic: again" + STACKS,
            "panicked: runtime error: index out of range [5] with length 3 [recovered] (exit status 2)",
        ),
        (
            "fatal error: all goroutines are asleep - deadlock!" + STACKS,
            "died of a fatal runtime error: all goroutines are asleep - deadlock! (exit status 2)",
        ),
        (
            "runtime: goroutine stack exceeds 1000000000-byte limit\nsp=0x1\nfatal error: stack overflow" + STACKS,
            "died of a fatal runtime error: goroutine stack exceeds 1000000000-byte limit (exit status 2)",
        ),
        (
            "runtime: failed to create new OS thread (have 7 already; errno=11)\n"
            "runtime: may need to increase max user processes (ulimit -u)\nfatal error: newosproc" + STACKS,
            "could not start another thread: runtime: failed to create new OS thread (have 7 already; errno=11) "
            "(exit status 2); raise the limit on threads: ulimit -u, or pids.max of the container "
            "(docker run --pids-limit)",
        ),
        ("runtime: program exceeds 10000-thread limit\nfatal error: thread exhaustion" + STACKS,
         "died of a fatal runtime error: program exceeds 10000-thread limit (exit status 2)"),
        ("SIGQUIT: quit\nPC=0x46" + STACKS, "died (SIGQUIT): quit (exit status 2)"),
        ("usage: api [flags]\n", "ended with exit status 2"),
        ("level=error msg=\"panic: boom\"\n  panic: indented\n", "ended with exit status 2"),
    ],
)  # fmt: skip
def test_status_2(log, words):
    """Status 2 is a crash only if the runtime's own words stand in the log, at the beginning of a line."""
    assert exited(2, log) == words


def test_the_last_crash_counts():
    """A panic that was survived and logged long before is not what the process died of."""
    log = "panic: survived" + STACKS + "request served\n" * 100 + "panic: deadly" + STACKS
    assert exited(2, log) == "panicked: deadly (exit status 2)"


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_another_status_is_the_program_s_own(code):
    """os.Exit with a status is told as it is, whatever was logged."""
    assert exited(code, "panic: logged" + STACKS) == f"ended with exit status {code}"


def test_crash_signals_are_told_with_their_cause():
    """With GOTRACEBACK=crash a panic ends in SIGABRT."""
    assert signalled(signal.SIGABRT, "panic: boom" + STACKS) == "was ended by SIGABRT after: panic: boom"
    assert signalled(signal.SIGSEGV) == "was killed by SIGSEGV"


def test_a_thread_that_cgo_cannot_start():
    """It aborts; the signal alone would say nothing of the limit."""
    log = "runtime/cgo: pthread_create failed: Resource temporarily unavailable\nSIGABRT: abort\nPC=0x7f" + STACKS
    for words in (exited(2, log), signalled(signal.SIGABRT, log)):
        assert words.startswith("could not start another thread: runtime/cgo: pthread_create failed: Resource temp")
        assert "ulimit -u" in words


def test_oom_kill_needs_proof():
    """SIGKILL is an OOM kill with a counter's word for it, and otherwise expressly none."""
    proof = "oom_kill in /sys/fs/cgroup/memory.events rose by 1"
    assert signalled(signal.SIGKILL, oom=proof) == f"was killed by the kernel for lack of memory (SIGKILL; {proof})"
    assert "no sign of an OOM kill" in signalled(signal.SIGKILL)


def test_a_logged_panic_does_not_explain_a_kill():
    """What was logged before has nothing to do with a signal that somebody sent."""
    for number in (signal.SIGKILL, signal.SIGTERM):
        assert "boom" not in signalled(number, "panic: boom" + STACKS)


def test_our_own_kill_is_not_blamed_on_others():
    """A SIGKILL at the end of a stop's grace is told as that."""
    assert signalled(signal.SIGKILL, killed=True) == "did not end when asked to, and was killed (SIGKILL)"


def test_signal_without_a_name():
    """A real-time signal has only a number."""
    assert signalled(40) == "was killed by signal 40"


@pytest.mark.parametrize(
    ("log", "lost"),
    [
        ("2026/01/02 listen tcp 127.0.0.1:8080: bind: address already in use\n", True),
        ("Error: listen EADDRINUSE: address already in use :::8080", True),
        ("listening on 127.0.0.1:8080\n", False),
        ("listen tcp :80: bind: permission denied", False),
    ],
)
def test_lost_port(log, lost):
    """A port that was taken is told from other failures to listen."""
    assert lost_port(log) is lost
