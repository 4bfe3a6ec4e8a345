"""What a run that measures nothing loads of ours, and that the first test of ours is enough for a run to begin."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# After pytest.main() all of it is over: collection, tests, sessionfinish and unconfigure.
CODE = """
import sys
import pytest

status = pytest.main(sys.argv[1:])
with open("loaded", "w") as file:
    print(*sys.modules, file=file)
sys.exit(status)
"""
PLAIN = """
import pytest

@pytest.mark.parametrize("value", [1, 2])
def test_passed(value, tmp_path):
    assert value

def test_failed():
    assert False

@pytest.mark.skip
def test_skipped():
    pass
"""
YAML = """
version: 1
services:
  api: {command: [./api], args: ["--listen", "127.0.0.1:{port}"]}
budgets:
  defaults: {gc_cpu: "10%"}
  services: {api: {live_heap: {max: 64MiB, regression: 2%}}}
"""
ATTACHED = """
import os

import pytest

@pytest.mark.gomem(end_rss="1kB")
def test_broken(gomem):
    with gomem.measure(gomem.attach(pid=os.getpid())):
        pass

@pytest.mark.gomem(end_rss="100GB")
def test_kept(gomem):
    with gomem.measure(gomem.attach(pid=os.getpid())):
        pass
"""
# What every pytest run of every user pays for. A module more costs each of them some 0.2 ms: is it worth that?
ALWAYS = {
    "pytest_gomem",
    "pytest_gomem.plugin",
    "pytest_gomem.plugin.fixtures",
    "pytest_gomem.plugin.hookspecs",
    "pytest_gomem.plugin.options",
    "pytest_gomem.plugin.hooks",
    "pytest_gomem.plugin.use",
}
# Where there is a gomem.yaml, it is read with its budgets before any test is collected. All of `config` and `measure`
# is for that; beside them:
WITH_YAML = {
    *ALWAYS,
    "pytest_gomem.plugin.settings",
    "pytest_gomem.plugin.builtin",
    "pytest_gomem.plugin.session",
    "pytest_gomem.plugin.editor_schema",
    "pytest_gomem.plugin.outcomes",
    "pytest_gomem.plugin.run_folder",
    "pytest_gomem.plugin.planning",
    "pytest_gomem.plugin.measuring",
    "pytest_gomem.base",
    "pytest_gomem.base.errors",
    "pytest_gomem.base.names",
    "pytest_gomem.plugin.items",
    "pytest_gomem.judge",
    "pytest_gomem.judge.precedence",
    "pytest_gomem.plugin.reporting",
    "pytest_gomem.plugin.baselines",
    "pytest_gomem.cgroup",
    "pytest_gomem.cgroup.reading",
    "pytest_gomem.launch",
    "pytest_gomem.base.processes",
    "pytest_gomem.launch.toolchain",
    "pytest_gomem.observe",
    "pytest_gomem.observe.agent",
    "pytest_gomem.observe.agent.records",
    "pytest_gomem.observe.records",
    "pytest_gomem.observe.scheduling",
    "pytest_gomem.observe.smaps",
    "pytest_gomem.plugin.hook_calls",
    "pytest_gomem.base.printable",
    "pytest_gomem.base.unavailable",
    "pytest_gomem.base.units",
    "pytest_gomem.plugin.selection",
    "pytest_gomem.plugin.messages",
}
READING_YAML = ("pytest_gomem.config", "pytest_gomem.measure")
OF_YAML = {"yaml", "cython_runtime", "encodings", "mmap"}
# By pytest itself, for the name of a plugin in its header.
OF_HEADER = {"email.feedparser", "email.parser"}


def run(folder, *args):
    """A real pytest with its own plugins alone, and no option of ours: what others load would hide what we do."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    return subprocess.run(
        [sys.executable, "-c", CODE, "-p", "no:cacheprovider", *args],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


WHOLE = pytest.mark.parametrize(
    ("args", "says"),
    [(("--collect-only",), "4 tests collected"), ((), "1 failed, 2 passed, 1 skipped")],
    ids=["collected", "run"],
)


def loaded_by_us(folder, args, says):
    """The modules of ours, and the others that plain pytest does not load for the same project."""
    found = []
    for plugin in ((), ("-p", "gomem")):
        done = run(folder, *plugin, *args)
        assert says in done.stdout
        names = (folder / "loaded").read_text().split()
        found.append({name for name in names if not name.startswith("_")})  # private ones come with their public ones
    without, beside = found
    ours = {name for name in beside if name.partition(".")[0] == "pytest_gomem"}
    assert not ours & without
    return ours, beside - without - ours


@WHOLE
def test_run_without_anything_of_ours(tmp_path, args, says):
    """A project that does not use the plugin loads a few modules of it, and nothing beside, to the end of the run."""
    (tmp_path / "test_it.py").write_text(PLAIN)
    ours, others = loaded_by_us(tmp_path, args, says)
    assert ours == ALWAYS
    assert others <= OF_HEADER


@WHOLE
def test_run_without_a_test_of_ours(tmp_path, args, says):
    """Where there is a gomem.yaml it is read; what launches, observes, judges and reports is for tests of ours."""
    (tmp_path / "test_it.py").write_text(PLAIN)
    (tmp_path / "gomem.yaml").write_text(YAML)
    ours, others = loaded_by_us(tmp_path, args, says)
    assert {name for name in ours if not name.startswith(READING_YAML)} == WITH_YAML
    assert {name.partition(".")[0] for name in others - OF_HEADER} <= OF_YAML


@pytest.mark.parametrize("mode", [(), ("-p", "xdist", "-n", "1")], ids=["alone", "xdist"])
def test_first_test_of_ours_begins(tmp_path, mode):
    """Without gomem.yaml, options and baselines a test with a marker is measured, judged and told all the same."""
    (tmp_path / "test_it.py").write_text(ATTACHED)
    done = run(tmp_path, "-p", "gomem", *mode)
    assert "1 failed, 1 passed" in done.stdout
    assert "end_rss is" in done.stdout
    assert "= gomem =" in done.stdout
