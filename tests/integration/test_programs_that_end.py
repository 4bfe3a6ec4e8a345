"""Programs that end: whatever way a real one takes, it is unharmed, and its window tells what can be known of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from agent_programs import PROGRAMS, module

from pytest_gomem.base.errors import Place, ServiceDied
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.config.fields import located
from pytest_gomem.config.services import BuildSpec, parse_service
from pytest_gomem.diagnosis.explanation import ByProfiles
from pytest_gomem.instruments.registry import observing
from pytest_gomem.launch.build import build_once, why_no_agent, why_no_end
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.launch.overlay import HOOKS, end_hook
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.session.gomem import Gomem
from pytest_gomem.session.judging import Judging
from pytest_gomem.session.plan import Role, RoundPlan
from pytest_gomem.session.run import Run, RunSettings

pytestmark = [
    pytest.mark.usefixtures("go"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
MIB = 1 << 20
MEASURED, OBSERVED = (
    RoundPlan(),
    RoundPlan(role=Role.OBSERVED, instruments=lambda window: observing(1, watches_peak=True, takes_stacks=True)),
)


@pytest.fixture(scope="module")
def ended(shared_folder):
    """Runs tests/programs/ending with these arguments; its measurement, and the error that a test would get."""
    run = Run(RunSettings(None, Registry(builtin_metrics()), shared_folder / "ended", ByProfiles()))
    gomems = []

    def ended(*args, plan=MEASURED, allow_exit=(0,), **keys):
        written = {"build": f"{PROGRAMS}/ending", **keys}
        gomem = Gomem(run, Judging("test"), plan=plan)
        gomems.append(gomem)
        config = parse_service(located(written, Place("gomem.yaml")), "ending", PROGRAMS)
        try:
            return gomem.run_config(config, said=Overrides(args=args), allow_exit=allow_exit, ops=1), None
        except ServiceDied as error:
            return gomem.measurements[-1], error

    yield ended
    for gomem in gomems:
        gomem.close()
    run.close()


def reason(measurement, metric):
    found = measurement.results[metric]
    assert isinstance(found, Unavailable), found
    return found.reason


@pytest.mark.parametrize("how", ["return", "exit"])
def test_its_last_figures_are_exact(ended, how):
    """MemStats are read when main returns and in os.Exit: all that was allocated, to the piece; its status stays."""
    found, error = ended("--mb=40", f"--how={how}")
    assert (error is None) == (how == "return")
    assert error is None or "exit status 3" in str(error)
    assert 40 * MIB < found["total_alloc"] < 40.5 * MIB
    assert found["total_alloc"] == pytest.approx(found["alloc_bytes_per_op"])
    assert 40 < found["allocs"] < 2000
    assert found["goroutines"] == 1
    cycles = found.record.cycles
    assert [cycle.number for cycle in cycles] == list(range(1, round(found["gc_cycles"]) + 1))
    assert found["gc_cycles"] >= 3
    assert found["live_heap"] == cycles[-1].heap_live
    assert found["live_heap"] % MIB > 0, "by gctrace it would be whole MiB"
    assert cycles[-1].heap_live in found.record.series["heap_live"].v
    assert (
        found.record.notes == () if error is None else found.record.notes == ("the process ended with exit status 3",)
    )
    assert all(check.agrees for check in found.record.cross_checks)


def test_settings_are_those_in_force_at_the_end(ended):
    """What the program has set itself, not what it was started with."""
    found, _ = ended("--gogc=33", gc={"gogc": 200, "gomemlimit": "1GiB"})
    assert found.record.gc.requested["gogc"] == "200"
    assert (found.record.gc.effective["gogc"], found.record.gc.effective["gomemlimit"]) == ("33", "1GiB")


def test_a_program_that_collects_nothing_has_no_live_heap(ended):
    """Only a cycle tells what is alive; all else is there."""
    found, _ = ended()
    assert (found["gc_cycles"], found["gc_pause_total"], found["gc_cpu"]) == (0, 0, 0)
    assert "no GC cycle ended" in reason(found, "live_heap")
    assert found["peak_heap"] == found["total_alloc"] < MIB


@pytest.mark.parametrize(
    ("how", "words"),
    [("panic", "panicked: as asked"), ("kill", "killed by SIGKILL"), ("deadlock", "all goroutines are asleep")],
)
def test_of_a_program_that_is_cut_short_gctrace_and_settings_are_left(ended, how, words):
    """The agent could not answer and says so; the runtime's own deaths stay as they are, a deadlock too."""
    found, error = ended("--mb=40", f"--how={how}")
    assert words in str(error)
    assert "no answer came" in reason(found, "total_alloc")
    assert words in reason(found, "total_alloc")
    live = found.results["live_heap"]
    assert isinstance(live, Reading)
    assert (live.source, live.value % MIB) == ("gctrace", 0)
    assert 0 < live.value <= 40 * MIB
    assert found.record.gc.effective["gogc"] == "100"
    assert found.record.conditions["agent"] == "yes"


def test_it_ends_while_collections_run(ended):
    """Four goroutines collect without pause: the end waits for none of them."""
    for _ in range(5):
        found, error = ended("--how=collecting")
        assert error is None
        assert found["goroutines"] == 5
        assert len(found.record.cycles) == found["gc_cycles"]


def test_a_child_is_no_part_of_it(ended):
    """A child with its environment gets nothing of the agent's, prints as ever, and adds nothing to its heap."""
    found, error = ended("--mb=20", "--how=child")
    assert error is None
    assert 20 * MIB < found["total_alloc"] < 20.5 * MIB
    printed = [line for line in found.service.log().splitlines() if line.startswith("PYTEST")]
    assert [line.partition("=")[0] for line in printed] == ["PYTEST_GOMEM_LAUNCH"]


@pytest.mark.parametrize("how", ["exit", "kill"])
def test_an_observed_program_leaves_its_profiles(ended, how):
    """The peak's profile outlives a kill; that of the whole program needs an end that the agent sees."""
    found, _ = ended("--mb=20", "--wait=1s" if how == "kill" else "--wait=0s", f"--how={how}", plan=OBSERVED)
    artifacts = found.profiles.artifacts()
    assert "peak_profile" in artifacts
    assert found.record.instruments["peak_profile"]["cycles_to_peak"] >= 1
    heap = found.profiles.of("heap_profile").profile
    if how == "kill":
        assert "no answer came" in heap.reason
        return
    made = dict(zip((kind.type for kind in heap.sample_types), map(sum, heap.values), strict=True))
    assert heap.period == 1
    assert 20 * MIB < made["alloc_space"] < 30 * MIB, "watching the peak allocates too"
    assert 10 * MIB < made["inuse_space"] < 12 * MIB
    assert artifacts["base_profile"].profile.stacks == []
    assert b"main.main" in artifacts["goroutines"].raw


def test_a_measured_program_keeps_no_profile(ended):
    """Nothing is taken in a measured round."""
    found, _ = ended("--mb=20")
    assert found.profiles.artifacts() == {}
    assert "can no longer be asked" in found.profiles.heap.raw.reason


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"agent": False}, "gomem.yaml says agent: false"),
        ({"build": {"package": f"{PROGRAMS}/ending", "flags": ["-ldflags=main=-s"]}}, "-ldflags name packages"),
    ],
)
def test_where_the_end_is_not_seen_it_says_why(ended, keys, why):
    """Without the agent, or without its hook, gctrace is left."""
    found, error = ended("--mb=20", **keys)
    assert error is None
    assert why in reason(found, "total_alloc")
    assert found["gc_cycles"] >= 2
    assert found.results["live_heap"].source == "gctrace"


# Building the hook in


def test_the_users_linker_flags_stay(tmp_path):
    """The agent's flag is added to the last -ldflags, which is the one that counts."""
    main = 'package main\n\nvar words = "none"\n\nfunc main() { println(words) }\n'
    flags = ("-ldflags=-X main.words=untold", "-ldflags", "-s -X 'main.words=as told'")
    source, env = module(tmp_path / "src", main), {"GOFLAGS": "'-ldflags=-X main.words=outdone' -trimpath"}
    binary = build_once("app", BuildSpec(".", flags=flags, env=env), source, tmp_path, agent=True, ends=True)
    assert (why_no_agent(binary), why_no_end(binary)) == ("", "")
    record = tmp_path / "record"
    given = {**os.environ, "PYTEST_GOMEM_RECORD": f"{record}\nsettings\n\nmemstats"}
    done = subprocess.run([binary], env=given, capture_output=True, text=True, check=True)
    assert done.stderr == "as told\n"
    assert b"memstats\nok " in record.read_bytes()


@pytest.fixture
def root(tmp_path, go):
    """A GOROOT with nothing but the exit hooks of this Go."""
    known = Path(subprocess.run([go, "env", "GOROOT"], capture_output=True, text=True).stdout.strip(), HOOKS)
    hooks = tmp_path / HOOKS
    hooks.parent.mkdir(parents=True)
    hooks.write_text(known.read_text())
    return tmp_path


@pytest.mark.parametrize(
    ("goflags", "options", "added"),
    [
        ("", [], "-checklinkname=0"),
        ("-mod=mod", ["-tags=x", "-ldflags", "-s -w"], "-s -w -checklinkname=0"),
        ("'-ldflags=-X a=b' -v", ["-trimpath"], "-X a=b -checklinkname=0"),
        ("-ldflags=-s", ["--ldflags=-w"], "-w -checklinkname=0"),
    ],
)
def test_one_flag_is_added_to_those_that_count(root, goflags, options, added):
    """Those of the command line go before those of GOFLAGS, as Go has it."""
    assert end_hook({"GOROOT": str(root), "GOFLAGS": goflags}, options) == ("", (f"-ldflags={added}",))


def test_why_there_is_no_hook(root):
    """A Go release without known hooks must not be called as if it had them, and no flag of the user's is lost."""

    def why(goflags="", *options):
        found, added = end_hook({"GOROOT": str(root), "GOFLAGS": goflags}, options)
        assert bool(found) != bool(added)
        return found

    assert why() == ""
    assert "-ldflags name packages" in why("", "-ldflags=all=-s")
    assert "GOFLAGS cannot be read" in why("'-ldflags=-s")
    hooks = root / HOOKS
    hooks.write_text(hooks.read_text().replace("RunOnFailure bool", "Codes []int"))
    assert "unknown" in why()
    hooks.unlink()
    assert "from Go 1.23 on" in why()
