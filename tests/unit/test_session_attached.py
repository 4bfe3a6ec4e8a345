"""A process that is not ours: nobody tells its end but that it is not there any more."""

from __future__ import annotations

import os
import subprocess
import sys

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.session.attached import AttachedProcess
from pytest_gomem.session.subject import unanswered

REFUSED = ObserveError("GET http://127.0.0.1:1/debug/pprof/heap?debug=1 got no answer: connection refused")


def attached(pid: int) -> AttachedProcess:
    return AttachedProcess(pid, None, None, 50.0, reset_peak=False)


def test_that_it_has_ended_goes_before_what_was_seen_of_it():
    """Waited for or not; of one that lives what was seen is the reason."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        one = attached(process.pid)
        assert unanswered(one, REFUSED) == Unavailable(str(REFUSED))
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        for _ in range(2):
            assert unanswered(one, REFUSED) == Unavailable(f"process {process.pid} has ended")
            assert one.ending_words() == "has ended"
            process.wait()
