"""Runs tests with the lowest version of each dependency that pyproject.toml declares, in an environment of its own.

Run by `make lowest`, not by pytest: whoever has an older psutil or pytest must not be the first to find out. The tests
are the unit tests, and real services that are built, loaded, judged and reported on.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
TESTS = (
    "tests/unit",
    "tests/integration/test_load.py",
    "tests/integration/test_observing.py",
    "tests/plugin/test_verdicts.py",
    "tests/plugin/test_reports.py",
    "tests/plugin/test_built_services.py",
)


def lowest() -> Iterator[str]:
    """`psutil==6` of `psutil>=6`, for the dependencies and those of every extra."""
    for words in requires("pytest-gomem") or ():
        requirement = Requirement(words)
        for bound in requirement.specifier:
            yield f"{requirement.name}=={bound.version}"


def main() -> int:
    """The exit status of pytest there."""
    with tempfile.TemporaryDirectory(prefix="gomem-lowest-") as folder:
        constraints, environment = Path(folder) / "constraints.txt", Path(folder) / "venv"
        constraints.write_text("\n".join(lowest()))
        venv.create(environment, with_pip=True)
        python = str(environment / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--constraint", str(constraints)]
        subprocess.run([*pip, "--editable", f"{ROOT}[dev]"], check=True)
        pytest = [python, "-m", "pytest", "-n", "2", "--dist", "worksteal", "-m", "not alone"]
        return subprocess.run([*pytest, "--hypothesis-profile=quick", "-q", *sys.argv[1:], *TESTS], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
