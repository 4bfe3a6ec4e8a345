"""The files of failed tests in the folder of --gomem-artifacts, and the logs of a set-up that failed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_gomem.base.errors import GomemError, SupervisorError
from pytest_gomem.base.files import write_whole
from pytest_gomem.base.printable import printable_lines
from pytest_gomem.report.course_picture import course_pictures
from pytest_gomem.session.measurement import artifact_stem

if TYPE_CHECKING:
    from pytest_gomem.session.measurement import Measurement
    from pytest_gomem.session.service import Service

_LOG_LINES = 20


@dataclass(frozen=True)
class Artifacts:
    """The files of one test. folder: None if none are kept."""

    folder: Path | None
    nodeid: str

    def save(self, windows: Sequence[tuple[Measurement, Measurement, Measurement | None]]) -> list[str]:
        """Keep the log, the profiles and the courses of each window; returns what went wrong.

        windows: each with the measurements that have its profiles, on the head and on the base.
        """
        if self.folder is None:
            return []
        try:
            for number, (measurement, profiled, compared) in enumerate(windows):
                pictures = dict(course_pictures(self.nodeid, measurement.record)) if measurement.closed else {}
                measurement.save_artifacts(self.folder, self.nodeid, number, profiled, compared, pictures)
        except GomemError as error:  # report what failed the test
            return [str(error)]
        return []

    def of_set_up(self, services: Iterable[Service]) -> Iterator[str]:
        """The end of each service's log, and where all of it is kept, if the set-up has failed."""
        for number, service in enumerate(one for one in services if one.process.has_log):
            with contextlib.suppress(SupervisorError):  # gone with its log: pytest shows the error of the set-up
                end = printable_lines(service.shown_log(tail=_LOG_LINES))
                text = f"service '{service.name}' had started; the end of its log:\n{end}"
                yield "\n".join((text, *self._log_kept(service, number)))

    def _log_kept(self, service: Service, number: int) -> list[str]:
        if self.folder is None:
            return []
        path = self.folder / f"{artifact_stem(self.nodeid, service.name, 'setup', number)}.log"
        try:
            write_whole(path, service.shown_log())
        except OSError as error:
            return [f"--gomem-artifacts: cannot write {error.filename}: {error.strerror}"]
        return [f"all of it: {path}"]
