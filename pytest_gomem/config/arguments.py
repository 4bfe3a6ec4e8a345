"""Checks what a test passes to our functions, and reports a mistake at the test's own line."""

from __future__ import annotations

import inspect
import math
import reprlib
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar, get_args, get_origin

from pytest_gomem.base.errors import ConfigError, ConfigErrors, Place
from pytest_gomem.base.files import from_here
from pytest_gomem.base.names import did_you_mean
from pytest_gomem.base.units import Unit, parse_quantity

P = ParamSpec("P")
T = TypeVar("T")

_OURS = __name__.partition(".")[0] + "."
_WORDS: Mapping[type, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bytes: "bytes",
    bool: "True or False",
    Mapping: "a mapping",
    Sequence: "a list",
    Collection: "a list",
    type(None): "None",
}


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """Check the arguments of each call by the function's signature and annotations.

    A call that does not fit raises a ConfigError at the caller's line, with the nearest name as its hint:
    "test_it.py:12 load(): unknown argument 'request'". A ConfigError of the body that names no file gets that line too.
    Calls from our own modules raise what they raise.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            _check_types(function, args, kwargs)
            try:
                return function(*args, **kwargs)
            except TypeError:
                _check_names(function, args, kwargs)
                raise
        except (ConfigError, ConfigErrors) as error:
            caller = sys._getframe(1)
            if str(caller.f_globals.get("__name__", "")).startswith(_OURS):
                raise
            place = Place(from_here(caller.f_code.co_filename), caller.f_lineno, f"{function.__name__}()")
            raise _located(error, place) from None

    return call


def _located(error: ConfigError | ConfigErrors, place: Place) -> ConfigError | ConfigErrors:
    if isinstance(error, ConfigErrors):
        return ConfigErrors([_at(each, place) for each in error.errors])
    return _at(error, place)


def _at(error: ConfigError, place: Place) -> ConfigError:
    if error.place.file:
        return error
    key = error.place.key
    if not key.startswith(place.key):
        key = f"{place.key}.{key}" if key else place.key
    return ConfigError(error.message, place.at(key), error.hint)


def _check_types(function: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]) -> None:
    signature, kinds = declared(function)
    for name, value in (*zip(signature.parameters, args, strict=False), *kwargs.items()):
        accepted = kinds.get(name)
        if accepted and not _fits(value, accepted):
            _check_names(function, args, kwargs)  # first: a value may only be in the wrong place
            words = " or ".join(dict.fromkeys(_WORDS.get(kind, f"a {kind.__name__}") for kind in accepted))
            raise ConfigError(f"{name}={reprlib.repr(value)} must be {words}")


def _check_names(function: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]) -> None:
    """Raise ConfigError if the call does not fit the signature; for calls that failed, since binding takes 5 us."""
    signature, _ = declared(function)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as mismatch:
        raise _mismatch(signature, kwargs, mismatch) from None


def _mismatch(signature: inspect.Signature, kwargs: Mapping[str, object], mismatch: TypeError) -> ConfigError:
    parameters = [name for name in signature.parameters if name != "self"]
    for name in kwargs:
        if name not in parameters:
            return ConfigError(f"unknown argument '{name}'", hint=did_you_mean(name, parameters))
    by_name = [name for name, p in signature.parameters.items() if p.kind is p.KEYWORD_ONLY]
    is_too_many = "too many" in str(mismatch)
    return ConfigError(str(mismatch), hint=f"pass by name: {', '.join(by_name)}" if by_name and is_too_many else "")


@cache
def declared(function: Callable[..., object]) -> tuple[inspect.Signature, Mapping[str, tuple[type, ...]]]:
    """The signature, and the types that each parameter accepts; parameters that take any object are left out."""
    signature = inspect.signature(function)
    names: dict[str, Any] = getattr(function, "__globals__", {})
    kinds = {name: _kinds(p.annotation, names) for name, p in signature.parameters.items() if _is_single(p)}
    return signature, {name: accepted for name, accepted in kinds.items() if accepted}


def _is_single(parameter: inspect.Parameter) -> bool:
    is_open = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return not is_open and parameter.annotation is not parameter.empty


def _kinds(annotation: str, names: dict[str, Any]) -> tuple[type, ...]:
    hint = eval(annotation, names)  # our own annotations, which `from __future__ import annotations` keeps as text
    members = (hint,) if get_origin(hint) in (None, *_WORDS) else get_args(hint)
    kinds = tuple(get_origin(member) or member for member in members)
    return () if object in kinds else kinds


def _fits(value: object, accepted: tuple[type, ...]) -> bool:
    if isinstance(value, bool):  # which Python takes for a number
        return bool in accepted
    return isinstance(value, accepted) or (float in accepted and isinstance(value, int))


def above_0(name: str, written: float | str, unit: Unit) -> float:
    """A quantity such as "10s", or a bare number, in base units; raises ConfigError unless it is above 0."""
    try:
        value = parse_quantity(written, unit).value
    except ValueError as error:
        raise ConfigError(f"{name}=: {error}") from None
    if not value > 0 or not math.isfinite(value):
        raise ConfigError(f"{name}={written!r} must be more than 0")
    return value


def at_least_1(name: str, value: int | None) -> None:
    """Raise ConfigError for a count below 1; None passes."""
    if value is not None and value < 1:
        raise ConfigError(f"{name}={value!r} must be a whole number of at least 1")
