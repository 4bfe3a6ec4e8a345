"""Starts a service process in its own session, with little memory before exec, as the supervisor's child."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import psutil

LAUNCH_MARK = "PYTEST_GOMEM_LAUNCH"

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_SPAWN_TIMEOUT = 5.0
_LOOK = 0.0003
_WAIT_FOR_LIVING = 0.05
_NOT_EXECUTED = (126, 127)  # exit statuses of setsid(1) for a program that could not be executed
_PID_MAX = 1 << 22  # include/linux/threads.h
_SCRIPT, _ELF = b"#!", b"\x7fELF"


@dataclass(frozen=True)
class Spawned:
    """A started process; own_peak: its ru_maxrss does not include the process that forked it."""

    pid: int
    own_peak: bool


@lru_cache(maxsize=1)
def become_subreaper() -> bool:
    """Ask Linux to make every orphan below us our child; False if the system cannot."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


@lru_cache(maxsize=1)
def small_forker() -> str | None:
    """Path of setsid(1), which is so small that its child's ru_maxrss is the child's own; None if there is none.

    A child's ru_maxrss starts at the memory of the process that forked it (fs/exec.c, setmax_mm_hiwater_rss). So a
    child of this Python process would always have at least some 10 MB. setsid --fork ends at once and leaves its 1.6 MB
    child to us, the subreaper. BusyBox has a setsid without --fork. One that does not answer is not used.
    """
    path = shutil.which("setsid") if sys.platform == "linux" else None
    if path is None:
        return None
    try:
        help_text = subprocess.run(
            [path, "--help"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_SPAWN_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return path if b"--fork" in help_text.stdout else None


def spawn(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: str,
    stdout: int,
    stderr: int,
    inherited: Sequence[int] = (),
    before_exec: Callable[[], None] | None = None,
) -> Spawned:
    """Start a program as leader of a new session; raises OSError if it cannot be started.

    inherited: more descriptors that it gets, under the same numbers. before_exec: called between fork and exec, in the
    process that becomes the program or setsid; its OSError ends the launch. `env` holds the LAUNCH_MARK. If setsid
    fails, its message is in `stderr`.
    """
    forker = small_forker()
    if forker is None or not become_subreaper():
        process = _popen(argv, env, cwd, stdout, stderr, inherited, before_exec, new_session=True)
        # The supervisor's own wait4 reaps it: Popen polls forgotten processes, and would take the status away.
        process.returncode = 0
        return Spawned(process.pid, own_peak=False)
    _refuse_shell_script(argv[0])
    known = {child.pid for child in psutil.Process().children()}
    setsid = _popen([forker, "--fork", *argv], env, cwd, stdout, stderr, inherited, before_exec, new_session=False)
    if _status(setsid, forker):
        raise OSError(f"{forker} could not start {argv[0]}")
    pid = _adopted(known, os.fsencode(f"{LAUNCH_MARK}={env[LAUNCH_MARK]}"), setsid.pid)
    _await_exec(pid, forker, argv[0])
    return Spawned(pid, own_peak=True)


def _status(setsid: subprocess.Popen[bytes], forker: str) -> int:
    try:
        return setsid.wait(_SPAWN_TIMEOUT)
    except subprocess.TimeoutExpired:
        setsid.kill()
        setsid.wait()
        raise OSError(f"{forker} did not fork within {_SPAWN_TIMEOUT:.0f} s") from None


def _popen(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: str,
    stdout: int,
    stderr: int,
    inherited: Sequence[int],
    before_exec: Callable[[], None] | None,
    *,
    new_session: bool,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=new_session,
            pass_fds=inherited,
            preexec_fn=before_exec,  # noqa: PLW1509 - the supervisor has one thread
        )
    except subprocess.SubprocessError:  # before_exec has raised; subprocess does not say what
        raise OSError("it could not join its memory cgroup") from None


def _refuse_shell_script(program: str) -> None:
    """Raise OSError for a file that the kernel cannot run, which setsid's execvp(3) would give to /bin/sh."""
    head = _head(program)
    if head is not None and not head.startswith((_SCRIPT, _ELF)):
        raise _not_runnable(program)


def _is_foreign(program: str) -> bool:
    """Whether it is an ELF file for another class, byte order or machine; an emulator may run it."""
    head, ours = _head(program), _head("/proc/self/exe")
    if head is None or ours is None or not head.startswith(_ELF):
        return False
    return head[4:6] + head[18:20] != ours[4:6] + ours[18:20]


def _head(program: str) -> bytes | None:
    try:
        with Path(program).open("rb") as file:
            return file.read(20)
    except OSError:
        return None  # setsid reports a missing file; a file that we cannot read may be executable


def _not_runnable(program: str) -> OSError:
    words = "neither a program for this machine nor a script that begins with #!"
    return OSError(errno.ENOEXEC, words, program)


def _looks() -> Iterator[None]:
    deadline = time.monotonic() + _SPAWN_TIMEOUT
    while time.monotonic() < deadline:
        yield
        time.sleep(_LOOK)


def _adopted(known: set[int], mark: bytes, setsid: int) -> int:
    """The pid of the session leader with our mark that has become our child since `known` was taken.

    A dead one has no environment. It is taken if no living one appears for a while; of several, such as other services'
    daemons, the one with the next pid after the process that forked it. If a program ends within its first milliseconds
    and leaves a daemon with our mark, the daemon is taken.
    """
    begun = time.monotonic()
    for _ in _looks():
        fresh = [child.pid for child in psutil.Process().children() if child.pid not in known]
        leaders = [pid for pid in fresh if os.getsid(pid) == pid]
        for pid in leaders:
            if _carries(pid, mark):
                return pid
        dead = [pid for pid in leaders if _name_and_state(pid)[1] == "Z"]
        if dead and time.monotonic() - begun > _WAIT_FOR_LIVING:
            return min(dead, key=lambda pid: (pid - setsid) % _PID_MAX)
    raise OSError("the started process did not appear among the supervisor's children")


def _carries(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except PermissionError:
        return True  # a setuid program: only its own user may read it
    except OSError:
        return False


def _await_exec(pid: int, forker: str, program: str) -> None:
    """Wait until setsid has become the program; raises OSError if the kernel refused to run it."""
    before = os.fsencode(f"{forker}\0--fork\0")
    for _ in _looks():
        name, state = _name_and_state(pid)
        if name == "sh" != Path(program).name and _is_foreign(program):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise _not_runnable(program)
        if state == "Z":
            if name == Path(forker).name and _exit_status(pid) in _NOT_EXECUTED:
                os.waitpid(pid, 0)
                raise OSError(f"{program} could not be executed")
            return
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if command and not command.startswith(before):
            return


def _exit_status(pid: int) -> int | None:
    """The exit status of a child, which stays a zombie."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return ended.si_status if ended is not None and ended.si_code == os.CLD_EXITED else None


def _name_and_state(pid: int) -> tuple[str, str]:
    """The process's name (15 bytes) and state letter from /proc/PID/stat, of a pid that is not reaped yet."""
    stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    end = stat.rindex(")")
    return stat[stat.index("(") + 1 : end], stat[end + 2]
