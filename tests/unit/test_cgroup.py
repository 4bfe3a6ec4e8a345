"""Memory cgroups without a kernel that has them: where groups are looked for, the figures, and how v2 is prepared."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from pytest_gomem.base.errors import GroupError
from pytest_gomem.cgroup import group, owner, v2, ways
from pytest_gomem.cgroup.group import Group
from pytest_gomem.cgroup.hierarchy import Hierarchy, hierarchies
from pytest_gomem.cgroup.reading import V1, V2, figure, kernel_part
from pytest_gomem.cgroup.ways import Ways

RECORDED = Path(__file__).parents[1] / "recorded" / "cgroup"
MIB = 1 << 20
HYBRID = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
36 31 0:33 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
40 31 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
CONTAINER = "31 23 0:28 /docker/0a /sys/fs/cgroup\\040here ro - cgroup2 cgroup rw\n"


class TestHierarchies:
    @pytest.fixture
    def proc(self, tmp_path):
        def proc(mounts, groups):
            (tmp_path / "mountinfo").write_bytes(mounts.encode("latin-1"))
            (tmp_path / "cgroup").write_text(groups)
            return tmp_path

        return proc

    def test_v2_comes_before_v1(self, proc):
        """Each with the folder of this process's own group."""
        root = Path("/sys/fs/cgroup")
        found = hierarchies(proc(HYBRID, "4:memory:/job/7\n3:cpu:/\n0::/\n"))
        assert found == [
            Hierarchy(2, root / "unified", root / "unified"),
            Hierarchy(1, root / "memory", root / "memory/job/7"),
        ]

    @pytest.mark.parametrize(("said", "own"), [("/docker/0a/x", "x"), ("/docker/0a", "."), ("/", ".")])
    def test_a_part_of_the_hierarchy_is_mounted(self, proc, said, own):
        """As in a container, with the namespace of the host or one of its own."""
        (found,) = hierarchies(proc(CONTAINER, f"0::{said}\n"))
        assert found.own == Path("/sys/fs/cgroup here") / own

    def test_other_mounts_may_have_any_name(self, proc):
        """A path in no encoding, and a file system without a source."""
        other = "90 1 0:5 / /media/caf\xe9 rw shared:9 - tmpfs  rw,size=1k\n"
        assert hierarchies(proc(other + HYBRID, "0::/\n")) == hierarchies(proc(HYBRID, "0::/\n")) != []

    def test_none_is_mounted(self, proc):
        """Then there is no way."""
        assert hierarchies(proc("", "0::/\n")) == []


class TestFigures:
    @pytest.fixture
    def read(self, tmp_path):
        """What a recorded group says."""

        def read(version, state, names):
            folder = tmp_path / version / state
            shutil.copytree(RECORDED / version / state, folder)
            (folder / "cgroup.procs").touch()
            one = Group(folder, 128 * MIB, names)
            try:
                return one.read()
            finally:
                one.close()

        return read

    @pytest.mark.parametrize(("version", "names"), [("v1", V1), ("v2", V2)])
    def test_of_a_program_that_holds_64_mib(self, read, version, names):
        """Its memory is anonymous, and all is in the peak."""
        reading = read(version, "holding", names)
        assert 64 * MIB < reading.anon == reading.anon_peak < reading.current <= reading.peak < 80 * MIB
        assert 0 < reading.kernel < MIB
        assert reading.oom_kills == 0
        assert reading.shmem == 0
        assert reading.file >= 0

    @pytest.mark.parametrize(("version", "names"), [("v1", V1), ("v2", V2)])
    def test_of_a_program_that_was_killed(self, read, version, names):
        """The peak is the limit, and what is left at the end is no sample of the program's memory."""
        reading = read(version, "killed", names)
        assert reading.oom_kills >= 1
        assert reading.peak == 32 * MIB
        assert (reading.anon, reading.anon_peak) == (0, None)

    def test_names_are_whole(self):
        """`anon` is not `anon_thp`, nor the end of another name."""
        stat = b"anon_thp 1\ninactive_anon 2\nanon 3\n"
        assert figure(stat, "anon") == 3
        assert figure(stat, "file") is None
        assert figure(None, "anon") is None

    def test_kernel_memory_before_linux_5_18(self):
        """It has no sum."""
        assert kernel_part(b"anon 1\nkernel_stack 10\nslab 5\nslab_reclaimable 4\n") == 15
        assert kernel_part(b"anon 1\n") is None


class Kernel:
    """What cgroup v2 does when its files are written, on plain folders."""

    def __init__(self, root):
        self.root = root
        self.refuse = {}
        self.folder(root, controllers="cpu memory")

    def folder(self, path, controllers="", procs=(), enabled=""):
        path.mkdir(exist_ok=True)
        (path / "cgroup.controllers").write_text(controllers)
        (path / "cgroup.subtree_control").write_text(enabled)
        (path / "cgroup.procs").write_text(" ".join(map(str, procs)))
        if path != self.root:
            (path / "cgroup.type").write_text("domain\n")
        return path

    def write(self, file, value):
        if file in self.refuse:
            raise OSError(self.refuse[file], os.strerror(self.refuse[file]), str(file))
        if file.name == "cgroup.procs":
            self._move(file, value)
        elif value == "+memory":
            if file.parent != self.root and group.processes(file.parent):
                raise OSError(errno.EBUSY, "Device or resource busy", str(file))
            file.write_text("memory")
            for below in group.groups_below(file.parent):
                (below / "cgroup.controllers").write_text("memory")
        else:
            file.write_text("")

    def _move(self, file, pid):
        for procs in self.root.rglob("cgroup.procs"):
            procs.write_text(" ".join(one for one in procs.read_text().split() if one != pid))
        file.write_text(f"{file.read_text() if file.exists() else ''} {pid}")


@pytest.mark.parametrize(("names", "unlimited"), [(V1, "9223372036854771712"), (V2, "max")])
def test_the_lowest_limit_above(tmp_path, names, unlimited):
    """Of the groups that a group lies in, up to the root, whose folder on v2 has none."""
    for folder, limit in ((".", unlimited), ("pod", "300"), ("pod/container", "200"), ("pod/container/ours", "500")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / names.limit).write_text(f"{limit}\n")
    assert group.lowest_above(tmp_path / "pod/container/ours", names) == 200
    assert group.lowest_above(tmp_path / "pod/container", names) == 300
    assert group.lowest_above(tmp_path, names) is None


class TestPreparing:
    @pytest.fixture
    def kernel(self, tmp_path, monkeypatch):
        kernel = Kernel(tmp_path / "cgroup")
        monkeypatch.setattr(v2, "write", kernel.write)
        monkeypatch.setattr(Path, "rmdir", shutil.rmtree)
        return kernel

    def test_processes_move_into_a_leaf_and_back(self, kernel):
        """A group with processes cannot have the controller below it."""
        own = kernel.folder(kernel.root / "session", "memory", procs=(7, 8))
        prepared = v2.prepare(kernel.root, own, owner.own_name())
        assert prepared.folder == own / owner.own_name()
        assert group.processes(own) == []
        assert group.processes(own / v2.LEAF) == [7, 8]
        assert (prepared.folder / "cgroup.subtree_control").read_text() == "memory"
        prepared.release()
        assert (own / v2.LEAF).exists(), "another supervisor may still have groups"
        prepared.folder.rmdir()
        prepared.release()
        assert group.processes(own) == [7, 8]
        assert group.groups_below(own) == []

    def test_the_next_supervisor_finds_itself_in_the_leaf(self, kernel):
        """It makes its groups beside those of the first."""
        own = kernel.folder(kernel.root / "session", "memory", procs=(7,))
        v2.prepare(kernel.root, own, "pytest-gomem-1-1-1")
        prepared = v2.prepare(kernel.root, own / v2.LEAF, owner.own_name())
        assert prepared.folder.parent == own
        assert group.processes(own / v2.LEAF) == [7]

    def test_nothing_moves_where_nothing_is_in_the_way(self, kernel):
        """In the root, whose processes are in nobody's way, or where the controller is enabled already."""
        (kernel.root / "cgroup.procs").write_text("1 2")
        v2.prepare(kernel.root, kernel.root, owner.own_name())
        assert group.processes(kernel.root) == [1, 2]
        own = kernel.folder(kernel.root / "slice", "memory", enabled="memory")
        v2.prepare(kernel.root, own, owner.own_name())
        assert not (own / v2.LEAF).exists()

    def test_the_controller_is_brought_from_above(self, kernel):
        """Where the groups above do not hand it down yet."""
        own = kernel.folder(kernel.root / "session")
        v2.prepare(kernel.root, own, owner.own_name())
        assert "memory" in (kernel.root / "cgroup.subtree_control").read_text()

    def test_what_is_refused_is_undone(self, kernel):
        """And the error names the file."""
        own = kernel.folder(kernel.root / "session", "memory", procs=(7,))
        kernel.refuse[own / "cgroup.subtree_control"] = errno.EACCES
        with pytest.raises(PermissionError) as refused:
            v2.prepare(kernel.root, own, owner.own_name())
        assert refused.value.filename == str(own / "cgroup.subtree_control")
        assert group.processes(own) == [7]
        assert group.groups_below(own) == []

    def test_no_memory_controller(self, kernel):
        """As in the v2 part of a machine whose memory controller is v1's."""
        (kernel.root / "cgroup.controllers").write_text("")
        with pytest.raises(OSError, match="no memory controller"):
            v2.prepare(kernel.root, kernel.folder(kernel.root / "session"), owner.own_name())


class TestOwners:
    def test_only_folders_of_dead_ones_are_left_over(self, tmp_path):
        """A pid counts with its start, and only in its own namespace."""
        pid, started, namespace = owner.own_name().split("-")[2:]
        alive = owner.own_name()
        dead = f"pytest-gomem-{pid}-{int(started) - 1}-{namespace}"
        foreign = f"pytest-gomem-{pid}-{int(started) - 1}-{int(namespace) + 1}"
        for name in (alive, dead, foreign, "other", "pytest-gomem-x"):
            (tmp_path / "job" / name / "1").mkdir(parents=True)
        assert owner.remove_leftovers(tmp_path) == [tmp_path / "job" / dead]
        left = {path.name for path in (tmp_path / "job").iterdir()}
        assert left == {alive, foreign, "other", "pytest-gomem-x"}


class TestRefusals:
    @pytest.mark.parametrize(
        ("number", "advice"),
        [(errno.EROFS, "docker run --privileged"), (errno.EACCES, "systemd-run --user --scope -p Delegate=yes pytest")],
    )
    def test_path_error_and_what_would_permit_it(self, monkeypatch, number, advice):
        """And that the limit can be simulated."""

        def refuse():
            raise OSError(number, os.strerror(number), "/sys/fs/cgroup/x")

        monkeypatch.setattr(ways, "_ways", lambda: iter([("cgroup v2", refuse)]))
        with pytest.raises(GroupError) as refused:
            Ways().make(8 * MIB)
        text = str(refused.value)
        assert f"cgroup v2: {os.strerror(number)}: /sys/fs/cgroup/x" in text
        assert advice in text
        assert "mode: simulated" in text

    def test_nothing_is_mounted(self, monkeypatch):
        """It says so."""
        monkeypatch.setattr(ways, "hierarchies", list)
        with pytest.raises(GroupError, match="no hierarchy with a memory controller is mounted"):
            Ways().make(8 * MIB)

    def test_too_small(self):
        """The program would be killed before its first line."""
        with pytest.raises(GroupError, match="at least 4 MiB"):
            Ways().make(MIB)
