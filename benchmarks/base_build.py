"""How long the base side of a comparison takes to build once the head is built, of a module of 60 packages.

Two commits, one package of which differs. Without -trimpath a commit's own folder has the whole module compiled anew;
with it, what is equal comes out of Go's cache. Each way has a module of its own, that no cache knows.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from common import small_asked, table, verdict, workshop

from pytest_gomem.config.gomem_yaml import load_config
from pytest_gomem.config.services import ServiceConfig
from pytest_gomem.launch.build import build_once
from pytest_gomem.launch.sides import Against, BaseSide, HeadSide, Origin
from pytest_gomem.launch.toolchain import find_toolchain

PACKAGES, FUNCTIONS = 60, 150
MOST = 0.5  # of the time without -trimpath
FUNCTION = """
func F{0}(words map[string][]int, key string) (sum int) {{
	for at, n := range words[key] {{
		if n%{0} == at {{
			words[key+"{0}"] = append(words[key], n)
		}}
		sum += n * {0}
	}}
	return sum
}}
"""


def git(folder: Path, *words: str) -> None:
    """Run git there, as nobody in particular."""
    me = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", *words], cwd=folder, env={**os.environ, **me}, check=True, capture_output=True)


def write_module(folder: Path, packages: int) -> None:
    """A module whose main calls one function of each of its packages; the folder's name makes it a new one."""
    head = f"const Made = {str(folder)!r}\n".replace("'", '"')
    names = [f"p{number}" for number in range(packages)]
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "code.go").write_text(
            f"package {name}\n\n{head}" + "".join(map(FUNCTION.format, range(1, FUNCTIONS)))
        )
    imports = "".join(f'import "example.com/many/{name}"\n' for name in names)
    calls = "".join(f'\tprintln({name}.F1(nil, ""))\n' for name in names)
    (folder / "main.go").write_text(f"package main\n\n{imports}\nfunc main() {{\n{calls}}}\n")
    (folder / "go.mod").write_text("module example.com/many\n\ngo 1.21\n")


def seconds(side: Origin, config: ServiceConfig, out: Path) -> float:
    """How long the side takes from its files to its binary."""
    began = time.perf_counter()
    with side.source(config) as source:
        assert source.build is not None
        build_once(config.name, source.build, source.base_dir, out)
    return time.perf_counter() - began


def both_sides(room: Path, packages: int, flags: str) -> tuple[float, float]:
    """Seconds that the head takes to build, and the base side after it."""
    repository = room / "many"
    write_module(repository, packages)
    git(repository, "init", "--quiet")
    for change in ("", "\nvar Changed int\n"):
        code = repository / "p1" / "code.go"
        code.write_text(code.read_text() + change)
        git(repository, "add", "--all")
        git(repository, "commit", "--quiet", "--message", "a change")
    path = repository / "gomem.yaml"
    path.write_text(f"version: 1\nservices: {{many: {{build: {{package: ., flags: {flags}}}}}}}\n")
    config, against = load_config(path, {}).services["many"], Against("HEAD~1")
    return seconds(HeadSide(against), config, room / "bin"), seconds(BaseSide(against, room), config, room / "bin")


def main() -> int:
    """Print both ways beside each other; 1 where the shared cache saves too little."""
    packages = 8 if small_asked(__doc__) else PACKAGES
    os.environ["GOCACHE"] = subprocess.check_output([find_toolchain().go, "env", "GOCACHE"], text=True).strip()
    with workshop() as folder:
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        both_sides(folder / "warm", 2, "[]")  # the standard library has its own files with -trimpath
        apart = both_sides(folder / "apart", packages, "[-trimpath=false]")
        shared = both_sides(folder / "shared", packages, "[]")
    ratio = shared[1] / apart[1]
    rows = [
        (name, f"{new:.2f} s", f"{base:.2f} s")
        for name, (new, base) in (("-trimpath=false", apart), ("shared cache", shared))
    ]
    table(f"building both sides of a module of {packages} packages", ("", "head", "base side"), rows)
    print(f"the base side takes {ratio:.0%} of its time without a shared cache")
    return verdict([f"more than {MOST:.0%}"] if ratio > MOST else [])


if __name__ == "__main__":
    sys.exit(main())
