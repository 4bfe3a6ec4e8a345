"""Shows memory limits on cgroup v2, in a user-mode-linux of Debian, and automemlimit on v1 and v2: `make cgroup-uml`.

For machines that have v1, or none. It needs root, the network for a Go module, and some 600 MB of memory and disk;
what is missing of Debian's packages it installs. `--record` also writes tests/recorded/cgroup.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pytest_gomem.cgroup.group import Group
from pytest_gomem.cgroup.hierarchy import hierarchies
from pytest_gomem.cgroup.reading import STAT, V1, V2
from pytest_gomem.cgroup.ways import Ways
from pytest_gomem.supervisor.client import KeptChild, LaunchRequest, SupervisorClient

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RECORDED = ROOT / "tests" / "recorded" / "cgroup"
TESTS = [
    "tests/integration/test_memory_groups.py",
    "tests/plugin/test_memory_limits.py",
]
MIB = 1 << 20
DEADLINE = 1800.0  # seconds for all that runs inside
PATIENCE = 60.0
PACKAGES = {
    "linux.uml": "user-mode-linux",
    "mkfs.ext4": "e2fsprogs",
    "ip": "iproute2",
    "busctl": "systemd",
    "dbus-daemon": "dbus-user-session",
}
FILES = {STAT, *(name for names in (V1, V2) for name in (names.limit, names.current, names.peak, names.events))} | {
    V1.kernel,
    "cgroup.controllers",
}
RESULTS = Path("/mnt")  # where the folder of results is inside
DISK = Path("/media")
LEAK_YAML = """\
version: 1
services:
  api:
    binary: {binary}
    args: ["--listen", "127.0.0.1:{{port}}"]
    ready: {{http: /healthz, timeout: 60s}}
    memory_limit: 256MiB
"""
LEAK_TESTS = """\
def test_get(go_service):
    for _ in range(500):
        go_service.get("/leak?n=1000000")


def test_load(go_service):
    go_service.load("/leak?n=1000000", requests=500)
"""
# The file system of the machine below is read-only; temporary files are on a disk, whose page cache can be
# reclaimed.
INIT = """\
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t ext4 /dev/ubda {disk}
mount -t tmpfs run /run
mkdir -p /dev/shm
mount -t tmpfs shm /dev/shm
mount -t hostfs none {results} -o {folder}
mount -t hostfs none {go_cache} -o {go_cache}
ip link set lo up
export TMPDIR={disk} PATH={path} HOME={disk} GOCACHE={go_cache} GOMODCACHE={go_modules}
export PYTHONPATH={root} PYTHONDONTWRITEBYTECODE=1
mkdir /sys/fs/cgroup/session
echo $$ > /sys/fs/cgroup/session/cgroup.procs
cd {root}
timeout {deadline} {python} {script} --inside {record} > {results}/told 2>&1
echo $? > {results}/status
sync
/sbin/poweroff -f
"""


def main(argv: list[str]) -> int:
    """Run outside, or with --inside there; 0 if all checks held."""
    record = "--record" in argv
    if "--as-user" in argv:
        print(launched(Path("/"), ["/bin/cat", "/proc/self/cgroup"], 64 * MIB))
        return 0
    if "--inside" in argv:
        return inside(record=record)
    installed()
    with tempfile.TemporaryDirectory(prefix="gomem-cgroup-") as name:
        folder = Path(name)
        built(HERE / "automemlimit", folder / "automemlimit")
        for program in ("hold", "limited"):
            built(ROOT / "tests" / "programs" / program, folder / program)
        if any(hierarchy.version == 1 for hierarchy in hierarchies()):
            held("v1", lambda: sees_the_limit(folder))
            if record:
                recorded(folder, RECORDED / "v1")
        status = booted(folder, record=record)
        if record:
            shutil.copytree(folder / "recorded", RECORDED / "v2", dirs_exist_ok=True)
        return status


def installed() -> None:
    """Have Debian's packages."""
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if missing:
        subprocess.run(["apt-get", "install", "-y", "-qq", *missing], check=True)


def built(module: Path, binary: Path) -> None:
    """Build a Go program."""
    subprocess.run(["go", "build", "-o", str(binary), "."], cwd=module, check=True)


def booted(folder: Path, *, record: bool) -> int:
    """Run this script inside, print what it says, and return its exit status."""
    init, disk = folder / "init", folder / "disk"
    asked = subprocess.run(["go", "env", "GOCACHE", "GOMODCACHE"], capture_output=True, text=True, check=True)
    cache, modules = asked.stdout.split()
    script = INIT.format(
        results=RESULTS,
        disk=DISK,
        folder=folder,
        go_cache=cache,
        path=os.environ["PATH"],
        go_modules=modules,
        root=ROOT,
        deadline=DEADLINE,
        python=sys.executable,
        script=Path(__file__).resolve(),
        record="--record" if record else "",
    )
    init.write_text(script)
    init.chmod(0o755)
    with disk.open("wb") as file:
        file.truncate(2048 * MIB)
    subprocess.run(["mkfs.ext4", "-q", str(disk)], check=True)
    boot = ["linux.uml", "mem=1500M", "rootfstype=hostfs", "ro", "root=/dev/root", "rootflags=/", f"ubd0={disk}"]
    command = [*boot, f"init={init}", "con=null", "con0=null,fd:1", "quiet"]
    # uml makes its memory a file in TMPDIR, and a folder in HOME.
    env = {**os.environ, "TMPDIR": str(folder), "HOME": str(folder)}
    with (folder / "console").open("wb") as console:
        kernel = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, env=env, start_new_session=True)
        try:
            kernel.wait(DEADLINE + 60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(kernel.pid, signal.SIGKILL)
    told, status = folder / "told", folder / "status"
    if not status.exists():
        print((folder / "console").read_text()[-5000:], told.read_text() if told.exists() else "")
        return 1
    print(told.read_text())
    return int(status.read_text())


def inside(*, record: bool) -> int:
    """All that is to be shown on v2."""
    session = Path("/sys/fs/cgroup/session")
    tests = [sys.executable, "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider", *TESTS]
    status = subprocess.run(tests).returncode
    held("v2", lambda: sees_the_limit(RESULTS))
    held("v2", lambda: survives_page_cache(RESULTS))
    held("v2", lambda: names_a_leak(RESULTS))
    held("v2", lambda: is_killed_in_spite_of_swap(RESULTS))
    held("v2", by_systemd)
    if record:
        recorded(RESULTS, RESULTS / "recorded")
    left = [path for path in session.rglob("*") if path.is_dir()]
    assert left == [], f"groups stay behind: {left}"
    assert (session / "cgroup.subtree_control").read_text().strip() == ""
    assert str(os.getpid()) in (session / "cgroup.procs").read_text().split()
    print("v2: nothing stays behind, and the processes are where they were")
    return status


def held(version: str, check: Callable[[], str]) -> None:
    """Print what a check has shown."""
    print(f"{version}: {check()}", flush=True)


def sees_the_limit(folder: Path) -> str:
    """Automemlimit in a service takes its memory_limit."""
    with_limit = launched(folder, [str(folder / "automemlimit")], 256 * MIB)
    assert with_limit == str(256 * MIB), with_limit
    return f"automemlimit sees {with_limit} bytes"


def survives_page_cache(folder: Path) -> str:
    """600 MB written and read through a limit of 256 MiB."""
    file = DISK / "page-cache"
    script = f"dd if=/dev/zero of={file} bs=1M count=600 && cat {file} > /dev/null; echo $?; rm {file}"
    said = launched(folder, ["/bin/sh", "-c", script], 256 * MIB)
    assert said.splitlines()[-1] == "0", said
    return "600 MB of page cache in a group of 256 MiB kill nothing"


def names_a_leak(folder: Path) -> str:
    """A service that leaks under 256 MiB fails its tests as killed at the limit, with the line of Go."""
    project = DISK / "leak"
    project.mkdir()
    (project / "gomem.yaml").write_text(LEAK_YAML.format(binary=folder / "limited"))
    (project / "test_leak.py").write_text(LEAK_TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "--color=no", "--gomem-json=report.json"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    report = json.loads((project / "report.json").read_text())
    told = []
    for test in report["tests"]:
        (window,) = test["windows"]
        verdict, culprit = window["verdicts"][0], window["culprits"][0]
        assert (verdict["kind"], verdict["status"], culprit["function"]) == ("oom", "fail", "main.remember"), window
        assert window["oom"]["by"] == "cgroup v2", window
        told.append(test["nodeid"].rpartition("::")[2])
    assert len(told) == 2, done.stdout
    return f"a leak under 256 MiB is named by {' and '.join(told)}"


def is_killed_in_spite_of_swap(folder: Path) -> str:
    """A limit that the group could swap its way out of would never bite."""
    swap = DISK / "swap"
    subprocess.run(["dd", "if=/dev/zero", f"of={swap}", "bs=1M", "count=128"], check=True, capture_output=True)
    swap.chmod(0o600)
    subprocess.run(["mkswap", str(swap)], check=True, capture_output=True)
    subprocess.run(["swapon", str(swap)], check=True)
    supervisor = SupervisorClient()
    try:
        limit = {"max": 32 * MIB, "mode": "auto"}
        request = LaunchRequest([str(folder / "hold"), "--mb", "64"], dict(os.environ), "/", memory_limit=limit)
        state = supervisor.launch(request).wait(PATIENCE)
        assert state.exit is not None
        assert "oom_kill" in state.exit.oom, state
        assert state.group is not None
        assert state.group.swap == "no swap (memory.swap.max is 0)", state
    finally:
        supervisor.close()
        subprocess.run(["swapoff", str(swap)], check=True)
    return "64 MiB in a group of 32 MiB are killed, though 128 MiB of swap are free"


def by_systemd() -> str:
    """A user whose session belongs to root, as over ssh: systemd --user moves the supervisor into a scope."""
    slice_, runtime = Path("/sys/fs/cgroup/user.slice"), Path("/run/user/65534")
    manager, session = slice_ / "manager", slice_ / "session"
    for group in (slice_, manager, session):
        group.mkdir()
        for file in () if group is session else (group, group / "cgroup.procs", group / "cgroup.subtree_control"):
            shutil.chown(file, "nobody")
        if group is slice_:
            for enabled in (group.parent, group):
                (enabled / "cgroup.subtree_control").write_text("+memory +pids")
    runtime.mkdir(parents=True)
    Path("/run/systemd/system").mkdir(parents=True)  # the sign of a machine that systemd has booted
    shutil.chown(runtime, "nobody")
    env = {"XDG_RUNTIME_DIR": str(runtime), "PATH": os.environ["PATH"], "HOME": "/run", "PYTHONPATH": str(ROOT)}
    systemd = as_nobody(["/lib/systemd/systemd", "--user", "--log-level=err"], manager, env)
    try:
        awaited(runtime / "systemd" / "private")
        script = [sys.executable, str(Path(__file__).resolve()), "--as-user"]
        user = as_nobody(script, session, env)
        told = user.communicate(timeout=PATIENCE)[0]
        assert user.returncode == 0, told
        scope = next(line for line in told.splitlines() if ".scope/" in line)
    finally:
        systemd.terminate()
        systemd.wait(PATIENCE)
    left = [path for path in slice_.rglob("*.scope") if "pytest-gomem" in path.name]
    assert left == [], left
    for group in (*sorted((path for path in slice_.rglob("*") if path.is_dir()), reverse=True), slice_):
        group.rmdir()
    return f"without permission, by a scope of systemd: {scope}"


def as_nobody(command: list[str], group: Path, env: dict[str, str]) -> subprocess.Popen[str]:
    """Start a command as nobody, who may read everything and write nothing, in a group."""
    rights = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    user = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", *rights]
    join = ["/bin/sh", "-c", f'echo 0 > {group}/cgroup.procs; exec "$@"', "sh"]
    return subprocess.Popen([*join, *user, *command], env=env, stdout=subprocess.PIPE, text=True)


def awaited(path: Path) -> None:
    """Wait until there is a file."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.1)


def launched(folder: Path, argv: list[str], limit: int) -> str:
    """What a program says under a limit; it must not be killed there."""
    supervisor = SupervisorClient()
    try:
        request = LaunchRequest(argv, dict(os.environ), str(folder), memory_limit={"max": limit, "mode": "cgroup"})
        child: KeptChild = supervisor.launch(request)
        state = child.wait(PATIENCE)
        assert state.exit is not None
        assert state.exit.code == 0, (state, child.log()[0])
        assert state.group_last is not None
        assert state.group_last.oom_kills == 0
        print(f"  peak {(state.group_last.peak or 0) / MIB:.1f} MiB, anonymous {state.group_last.anon_peak}")
        return child.log()[0].strip()
    finally:
        supervisor.close()


def recorded(folder: Path, target: Path) -> None:
    """Write the files of a group with a program in it, and those of one where it was killed."""
    ways = Ways()
    try:
        for name, limit in (("holding", 128), ("killed", 32)):
            group = ways.make(limit * MIB)
            ran(group, [str(folder / "hold"), "--mb", "64"])
            kept(group, target / name)
            group.clear()
    finally:
        ways.close()


def ran(group: Group, command: list[str]) -> None:
    """A program in a group, until it holds its memory or has ended."""
    program = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=group.join)  # noqa: PLW1509 - one thread
    assert program.stdout is not None
    program.stdout.readline()


def kept(group: Group, target: Path) -> None:
    """Copy the files that have figures."""
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(group.path.iterdir()):
        if file.name in FILES:
            (target / file.name).write_bytes(file.read_bytes())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
