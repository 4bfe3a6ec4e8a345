"""The benchmarks still run: a small instance of each, as a user would start it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("go")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAMED = {
    "agent_cost": ("binary", "bytes allocated", "0 lost", "spike of 200 MB and 5 ms: named 1 of 1"),
    "agent_cpu": ("extra CPU per request", "streaming"),
    "article": ("encoders", "alloc_bytes_per_op", "unsafe"),
    "trace_cost": ("CPU of net/http requests", "flight recorder of 8 MiB", "support", "the binary grows by"),
    "base_build": ("head", "base side", "of its time without a shared cache"),
    "bill": ("guilty row", "garbage under GOGC=400", "most unexplained"),
    "bisect_commits": ("wall time", "the right commit: 1 of 1", "+2% of live heap"),
    "peak_profile": ("guilty line named first", "killed at its peak"),
    "split_stderr": ("with the split", "without a whole line"),
    "a_a": ("peak_rss", "live_heap", "alloc_bytes_per_op", "allocs_per_op", "memory_headroom", "of stated noise"),
    "against": ("heap", "judged worse", "cost of a comparison"),
    "broken_input": ("clear messages", "pytest -n 2"),
    "culprits": ("test_encode_fresh", "1 of 1", "callee: 1 of 1"),
    "diagnosis_cost": ("tests that pass, 1 pairs", "a budget that breaks", "observed rounds a side", "limit is kept"),
    "dump_cost": ("0.10 M", "stop", "memory", "global main.open (*main.shop)", "every limit is kept"),
    "faults": (
        "health drips its header: service",
        "exits in a get: service 'api': ended with exit status 3",
        "is gone: it was killed by SIGKILL",
        "processes left",
        "every limit is kept",
    ),
    "function_budgets": ("test_exact", "1 pass", "1 fail", "the price of a sample"),
    "detection/equal": (
        "false alarms, and the rate at most",
        "two levels, 50% above",
        "early, a baseline",
        "decoding, and a leak",
    ),
    "detection/judge": ("false alarms", "benchstat", "one run +5%", "power", "cost of a comparison"),
    "detection/live": ("live runs", "base", "live heap +5%"),
    "detection/record": ("shift of the median", "one more object per op"),
    "detection/scatter": ("in sigmas of the prior", "kept lines", "degrees of freedom"),
    "first_run": ("examples/go_service", "green", "1 of 1"),
    "fuzz_dumps": ("mutants", "answered", "refused", "panics", "peak of the process"),
    "fuzz_profiles": ("cases", "accepted", "refused in our words", "peak of a process"),
    "fuzz_traces": ("mutants", "answered", "refused", "peak of a process"),
    "gc_cpu": ("against a CPU profile", "starvation", "by gctrace"),
    "growth": ("the interval holds the truth", "cache that fills", "a leak of 40 sigmas", "every limit is kept"),
    "gctrace_under_logging": ("accepted gctrace lines", "lost", "misread"),
    "supervisor_cost": ("of a core", "peer", "200 Hz"),
    "headroom": ("every limit is kept",),
    "leaks": ("global main.latest (*main.recent)", "first holder right: 1 of 1"),
    "look_alikes": ("0 of 1", "every limit is kept"),
    "no_process_left": ("SIGKILL", "SIGTERM", "SIGINT", "none left"),
    "manual_gc": ("from one collection by hand to the next", "idle program", "looking costs"),
    "memory_limit": ("killed at 40 MiB", "1 of 1", "burst", "of page cache", "every limit is kept"),
    "page": ("the page of 25 tests", "written in", "every limit is kept"),
    "peak_of_small_program": ("go_service", "gomem.run", "own VmHWM", "of the limit"),
    "program_end": ("peak, agent", "beyond what the program is known to allocate", "every limit is kept"),
    "planted": ("page", "main.go:70", "named first: 1 of 1"),
    "profiles": ("inuse_space", "alloc_space", "of its time", "of its memory"),
    "pull_request": ("services/api/store/store.go", "GitLab: the code quality report", "every limit is kept"),
    "real_modules/named": ("jwt", "named first", "1 of 1", "quiet"),
    "real_server": ("server.StoreMsg x 2000", "the messages of the stream", "every limit is kept"),
    "report_memory": ("records on disk", "peer: records in memory", "kB a test more than pytest itself"),
    "sampler_rate": ("pure Python", "GIL held", "of 50 Hz"),
    "shared_service": ("test_small_after_release", "test_small_after_kept", "unavailable", "with the agent"),
    "spike": ("seen whole", "of the spike"),
    "trace_reader": ("the cost of reading a trace", "compared with go tool trace", "every limit is kept"),
    "startup": ("of 10 ms", "of 150 ms"),
    "startup_garbage": ("64 MiB, agent", "64 MiB, no agent", "found in 1 of 1", "0 of 1 comparisons fail"),
    "tune": ("grid's best", "answers' lines"),
}
# Their limits are on moments, also of a small instance: what else runs on the machine would be in them.
TIMED = (
    "agent_cost",
    "base_build",
    "gctrace_under_logging",
    "peak_profile",
    "sampler_rate",
    "shared_service",
    "spike",
)


def test_all_are_here():
    """No benchmark is left to be forgotten."""
    scripts = {path for path in BENCHMARKS.rglob("*.py") if "__main__" in path.read_text()}
    assert scripts == {BENCHMARKS / f"{name}.py" for name in NAMED}


@pytest.mark.parametrize("script", [pytest.param(n, marks=pytest.mark.alone) if n in TIMED else n for n in NAMED])
def test_small_instance(script, shared_folder):
    """It ends with exit status 0, so that no limit of its own is missed, and prints the figures it is there for.

    Without the options that our own tests get: some are about what a failure costs and names by default.
    """
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), "--small"]
    done = subprocess.run(
        command,
        env={**os.environ, "GOMEM_BENCHMARK_PROGRAMS": str(shared_folder), "PYTEST_ADDOPTS": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    for figure in NAMED[script]:
        assert figure in done.stdout, figure
