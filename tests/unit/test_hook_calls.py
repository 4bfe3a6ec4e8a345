"""Calling a hook plugin by plugin: who wraps it is around each call, and is called where there is nothing to wrap."""

from __future__ import annotations

from types import SimpleNamespace

import pluggy
import pytest

from pytest_gomem.plugin.hook_calls import each_call, gathered

spec, impl = pluggy.HookspecMarker("p"), pluggy.HookimplMarker("p")


class Spec:
    @spec
    def given(self): ...


class Plain:
    @impl
    def given(self):
        return [1]


class Wrapping:
    def __init__(self) -> None:
        self.calls = 0

    @impl(wrapper=True)
    def given(self):
        self.calls += 1
        found = yield
        return [*found, [2]]


class WrappingOldStyle:
    def __init__(self) -> None:
        self.calls = 0

    @impl(hookwrapper=True)
    def given(self):
        self.calls += 1
        yield


def config(*plugins: object) -> SimpleNamespace:
    manager = pluggy.PluginManager("p")
    manager.add_hookspecs(Spec)
    for number, plugin in enumerate(plugins):
        manager.register(plugin, f"plugin{number}")
    return SimpleNamespace(pluginmanager=manager, hook=manager.hook)


@pytest.mark.parametrize("kind", [Wrapping, WrappingOldStyle])
def test_a_wrapper_around_nothing_is_called_once(kind):
    """It may do all of the work itself; of several each is called once, since they wrap one another."""
    alone = kind()
    (call,) = each_call(config(alone), "given")
    call()
    assert (alone.calls, call.plugin) == (1, "plugin0")
    both = kind(), kind()
    for call in each_call(config(*both), "given"):
        call()
    assert [one.calls for one in both] == [1, 1]


def test_a_wrapper_is_around_each_of_the_calls():
    """So it sees what each plugin returns, as it would if pytest called them."""
    wrapping = Wrapping()
    every = config(Plain(), wrapping, Plain())
    assert list(gathered(every, "given", int)) == [(1,), (2,), (1,), (2,)]
    assert wrapping.calls == 2
    assert list(each_call(config(), "given")) == []
