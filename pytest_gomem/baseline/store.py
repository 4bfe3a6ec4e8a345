"""The folder of baselines: one file for each test module, read once, and changed as a whole under a lock."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.files import write_whole
from pytest_gomem.base.locks import locked_folder
from pytest_gomem.baseline.layout import MEND, read, written
from pytest_gomem.baseline.snapshot import Tests, Windows

_SUFFIX = ".json"


class Store:
    """The baselines below one folder, which need not exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, Tests] = {}

    def exists(self) -> bool:
        """Whether anything was recorded here."""
        return self.folder.is_dir()

    def path(self, module: str) -> Path:
        """The file of a test module, the part of a test's id before the first "::"."""
        return self.folder / f"{module.removesuffix('.py')}{_SUFFIX}"

    def modules(self) -> Iterator[str]:
        """The test modules with a file, in alphabetical order."""
        for path in sorted(self.folder.rglob(f"*{_SUFFIX}")):
            yield f"{path.relative_to(self.folder).as_posix().removesuffix(_SUFFIX)}.py"

    def tests(self, module: str) -> Tests:
        """The baselines of a module, {} if there are none; raises ConfigError for an unreadable file."""
        if module not in self._read:
            self._read[module] = self._load(module)
        return self._read[module]

    def windows(self, nodeid: str) -> Windows:
        """The baselines of a test; raises as `tests` does."""
        module, _, test = nodeid.partition("::")
        return self.tests(module).get(test, {})

    def _load(self, module: str) -> Tests:
        path = self.path(module)
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            return {}
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise ConfigError(f"the baselines cannot be read: {error.reason}", Place(str(path), line), MEND) from None
        except OSError as error:
            raise ConfigError(f"the baselines cannot be read: {error}", Place(str(path))) from None
        return read(path, text)

    def change(self, module: str, changed: Callable[[Tests], Tests]) -> None:
        """Replace a module's baselines by the result of `changed`; a file without tests is removed.

        Removes profiles that no baseline of the module refers to any more. Waits for other writers and keeps their
        changes. Raises ConfigError, and leaves the file unchanged, if it cannot be read or written.
        """
        path = self.path(module)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with locked_folder(path.parent):
                before = self._load(module)
                tests = changed(before)
                if tests:
                    write_whole(path, written(tests))
                else:
                    path.unlink(missing_ok=True)
                self._remove(profiles_of(before) - profiles_of(tests))
        except OSError as error:
            raise ConfigError(f"the baselines cannot be written: {error}", Place(str(path))) from None
        with contextlib.suppress(KeyError):
            del self._read[module]

    def _remove(self, profiles: Iterable[str]) -> None:
        """Remove these files, and the folders that they leave empty."""
        for name in profiles:
            path = self.folder / name
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # the first folder that is not empty
                for folder in path.parents:
                    folder.rmdir()


def profiles_of(tests: Tests) -> set[str]:
    """The profiles that these baselines refer to."""
    snapshots = (one for windows in tests.values() for kept in windows.values() for one in kept)
    return {file for snapshot in snapshots for file in snapshot.profiles}
