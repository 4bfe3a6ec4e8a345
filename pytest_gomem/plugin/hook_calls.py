"""Calls our hooks plugin by plugin, so that a failing plugin is named and harms no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_gomem.base.errors import ConfigError, GomemError, Place

if TYPE_CHECKING:
    import pytest

_T = TypeVar("_T")


@dataclass(frozen=True)
class PluginCall:
    """A hook as one plugin implements it."""

    hook: str
    plugin: str
    place: Place
    _caller: Any

    def __call__(self, **arguments: object) -> Any:
        """Call it. Raises ConfigError with the plugin and the line for what it raises; our own errors unchanged."""
        try:
            return self._caller(**arguments)
        except GomemError:
            raise
        except Exception as error:
            said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise ConfigError(f"{self.hook} of plugin {self.plugin} raised {said}", _last_line(error)) from error

    def rubbish(self, kind: type, given: object) -> ConfigError:
        """The error for a result that is not a sequence of `kind`."""
        message = f"{self.hook} of plugin {self.plugin} returned {given!r:.80}"
        return ConfigError(message, self.place, f"return a list of {kind.__name__} objects")


def each_call(config: pytest.Config, hook: str) -> Iterator[PluginCall]:
    """The hook of each plugin that implements it, in pytest's order.

    Hook wrappers wrap each of the calls; without any call to wrap they run once.
    """
    manager = config.pluginmanager
    every = getattr(config.hook, hook).get_hookimpls()[::-1]
    implementations = [one for one in every if not (one.wrapper or one.hookwrapper)]
    for one in implementations or every[:1]:
        others = [other.plugin for other in implementations if other.plugin is not one.plugin]
        code = getattr(one.function, "__code__", None)
        place = Place(code.co_filename, code.co_firstlineno) if code else Place()
        name = str(manager.get_name(one.plugin) or one.plugin)
        yield PluginCall(hook, name, place, manager.subset_hook_caller(hook, others))


def gathered(config: pytest.Config, hook: str, kind: type[_T]) -> Iterator[tuple[_T, ...]]:
    """What each plugin returns, in call order; raises ConfigError for what is not a sequence of `kind`."""
    for call in each_call(config, hook):
        for given in call():
            if not isinstance(given, Iterable) or isinstance(given, (str, bytes)):
                raise call.rubbish(kind, given)
            found = tuple(given)
            for one in found:
                if not isinstance(one, kind):
                    raise call.rubbish(kind, one)
            yield found


def _last_line(error: BaseException) -> Place:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return Place(trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else Place()
