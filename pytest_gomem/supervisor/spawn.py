"""Starts a service process: its own session, little memory before exec, adopted by the supervisor."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import psutil

LAUNCH_MARK = "PYTEST_GOMEM_LAUNCH"

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_SPAWN_TIMEOUT = 5.0
_LOOK = 0.0003
_WAIT_FOR_LIVING = 0.05
_NOT_EXECUTED = (126, 127)  # what setsid(1), as a shell, ends with then
_PID_MAX = 1 << 22  # include/linux/threads.h
_SCRIPT, _ELF = b"#!", b"\x7fELF"


@dataclass(frozen=True)
class Spawned:
    """A started process; own_peak: its ru_maxrss holds nothing of the process that forked it."""

    pid: int
    own_peak: bool


@lru_cache(maxsize=1)
def become_subreaper() -> bool:
    """Ask Linux to hand us every orphan below us; False where the system cannot."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


@lru_cache(maxsize=1)
def small_forker() -> str | None:
    """Path of setsid(1), whose fork is small enough that the child's ru_maxrss is its own; None where there is none.

    A child's ru_maxrss starts at the memory of the process that forked it (fs/exec.c, setmax_mm_hiwater_rss), so a
    child of this Python process would never be seen below some 10 MB. setsid --fork dies at once and leaves its
    1.6 MB child to us, the subreaper. BusyBox has a setsid without --fork; one that does not answer is none.
    """
    path = shutil.which("setsid") if sys.platform == "linux" else None
    if path is None:
        return None
    try:
        told = subprocess.run(
            [path, "--help"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_SPAWN_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return path if b"--fork" in told.stdout else None


def spawn(
    argv: Sequence[str], env: Mapping[str, str], cwd: str, stdout: int, stderr: int, inherited: Sequence[int] = ()
) -> Spawned:
    """Start a program as leader of a new session; raises OSError when it cannot be started.

    inherited: further descriptors that it gets, under the same numbers. `env` carries the LAUNCH_MARK. When it is
    setsid that fails, its words are in `stderr`.
    """
    forker = small_forker()
    if forker is None or not become_subreaper():
        process = _popen(argv, env, cwd, stdout, stderr, inherited, new_session=True)
        # The supervisor's own wait4 reaps it: Popen, which polls forgotten processes, would take the status away.
        process.returncode = 0
        return Spawned(process.pid, own_peak=False)
    _refuse_shell_script(argv[0])
    known = {child.pid for child in psutil.Process().children()}
    setsid = _popen([forker, "--fork", *argv], env, cwd, stdout, stderr, inherited, new_session=False)
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
    *,
    new_session: bool,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(argv),
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=new_session,
        pass_fds=inherited,
    )


def _refuse_shell_script(program: str) -> None:
    """Raise OSError for a file that the kernel cannot run, which setsid's execvp(3) would feed to /bin/sh instead."""
    head = _head(program)
    if head is not None and not head.startswith((_SCRIPT, _ELF)):
        raise _not_runnable(program)


def _is_foreign(program: str) -> bool:
    """Whether it is an ELF file for another class, byte order or machine than ours; an emulator may yet run it."""
    head, ours = _head(program), _head("/proc/self/exe")
    if head is None or ours is None or not head.startswith(_ELF):
        return False
    return head[4:6] + head[18:20] != ours[4:6] + ours[18:20]


def _head(program: str) -> bytes | None:
    try:
        with Path(program).open("rb") as file:
            return file.read(20)
    except OSError:
        return None  # what is missing setsid will say; what may not be read may yet be run


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

    One that is dead already has no environment any more. It is taken when no living one shows itself for a while, and
    of several, as another service's daemons may be, the one whose number follows that of the process that forked it.
    So of a program that ends within the first milliseconds and leaves a daemon with our mark, the daemon is taken.
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
    """Wait until setsid has become the program; raises OSError when the kernel refused to run it."""
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
    """Of a child that stays a zombie."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return ended.si_status if ended is not None and ended.si_code == os.CLD_EXITED else None


def _name_and_state(pid: int) -> tuple[str, str]:
    """The kernel's name of the process (15 bytes) and its state letter, from /proc/PID/stat; an unreaped pid."""
    stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    end = stat.rindex(")")
    return stat[stat.index("(") + 1 : end], stat[end + 2]
