"""Holds JUnit files of measured tests against junit-10.xsd, as pytest's own tests do: `make junit-schema`.

Those of pytest and of `gomem report`, which have the same cases and properties.

It needs the network and pip: the schema comes with the source of pytest, and xmlschema reads it.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from pytest_gomem.commands.cli import main as main_of_gomem

PROGRAMS = Path(__file__).parents[1] / "programs"
PYTEST = "pytest==8.4.2"
SCHEMA = "testing/example_scripts/junit-10.xsd"
YAML = """\
version: 1
services:
  api:
    build: {programs}/server
    args: ["--listen", "127.0.0.1:{{port}}"]
    ready: {{http: /healthz}}
"""
TESTS = """\
import pytest


@pytest.mark.gomem(peak_rss="1kB", rounds=1)
def test_broken(go_service):
    go_service.get("/healthz")


def test_kept(go_service):
    go_service.get("/healthz")
"""


def junit(folder: Path) -> Iterator[Path]:
    """The file that pytest writes by default, and that of the JSON report."""
    (folder / "gomem.yaml").write_text(YAML.format(programs=PROGRAMS))
    (folder / "test_it.py").write_text(TESTS)
    file = folder / "junit.xml"
    command = [sys.executable, "-m", "pytest", "-q", f"--junit-xml={file}", "--gomem-json=report.json"]
    done = subprocess.run(command, cwd=folder)
    assert done.returncode == 1, "one test breaks its limit"
    assert "test_it.py::test_kept::gomem.peak_rss" in file.read_text()
    yield file
    made = folder / "made.xml"
    status = main_of_gomem(["report", str(folder / "report.json"), "--junit", str(made)], sys.stdout, sys.stderr)
    assert status == 0
    assert told(made) == told(file)
    yield made


def told(file: Path) -> list[object]:
    """Cases, messages and properties; seconds differ in their last digit."""
    root = ElementTree.parse(file).getroot()
    cases = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    messages = [failure.get("message") for failure in root.iter("failure")]
    return [cases, messages, sorted(one.attrib.items() for one in root.iter("property"))]


def main() -> None:
    """Raises xmlschema's own error for a file that does not obey."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        pip = [sys.executable, "-m", "pip"]
        subprocess.run([*pip, "download", "-q", "--no-deps", "--no-binary", "pytest", PYTEST, "-d", made], check=True)
        subprocess.run([*pip, "install", "-q", "--target", str(folder / "libraries"), "xmlschema"], check=True)
        (source,) = folder.glob("pytest-*.tar.gz")
        with tarfile.open(source) as archive:
            schema = archive.extractfile(f"{source.name.removesuffix('.tar.gz')}/{SCHEMA}")
            assert schema is not None
            (folder / "junit-10.xsd").write_bytes(schema.read())
        sys.path.insert(0, str(folder / "libraries"))
        import xmlschema

        for file in junit(folder):
            xmlschema.XMLSchema(str(folder / "junit-10.xsd")).validate(str(file))
            print(f"{file.name} obeys junit-10.xsd")


if __name__ == "__main__":
    main()
