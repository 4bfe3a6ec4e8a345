"""Runs commands through the supervisor, so that nothing that they start outlives pytest."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_gomem.base.commands import Ends, Output, Runner
from pytest_gomem.base.errors import SupervisorError
from pytest_gomem.supervisor.client import SupervisorClient
from pytest_gomem.supervisor.protocol import HelperRequest


def supervised(supervisor: Callable[[], SupervisorClient], parent: Path) -> Runner:
    """A runner for `base.commands.run_by`; meanwhile each command's output is in a folder below `parent`."""

    def run(command: Sequence[str], cwd: Path, env: Mapping[str, str], ends: Ends) -> Output | None:
        client = supervisor()
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, prefix="helper-") as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            try:
                helper = client.help(HelperRequest(list(command), dict(env), str(cwd), str(out), str(err)))
            except SupervisorError as error:
                if client.is_lost:
                    raise
                raise OSError(str(error)) from None
            try:
                if not ends(lambda seconds: helper.wait(seconds).exit is not None):
                    return None
                ended = helper.state().exit
            finally:
                helper.forget()
            assert ended is not None
            return -ended.signal if ended.signal else ended.code or 0, out.read_bytes(), err.read_bytes()

    return run
