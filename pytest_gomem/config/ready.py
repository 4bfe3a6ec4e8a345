"""How a service shows that it is ready: what `ready` in gomem.yaml may say, and its defaults."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from pytest_gomem.base.names import did_you_mean
from pytest_gomem.base.units import SECONDS
from pytest_gomem.config import json_schema as schema
from pytest_gomem.config.fields import Fields, Located, Mistakes, filled, flag, quantity, text
from pytest_gomem.config.tokens import ports_named

READY_TIMEOUT = 10.0
URL = re.compile(r"https?://\S+")
READY_KEYS: schema.Keys = {
    "http": schema.filled("A path that answers 2xx on the port, or a whole URL", r"^(/|https?://\S+$)"),
    "tcp": {"description": "true: the port accepts connections", "const": True},
    "log": schema.filled("A regular expression that is found in its output"),
    "port": schema.filled("Name of the port to ask; else the unnamed one, else the first"),
    "timeout": schema.quantity("Then the launch fails; 10s if it is not said", SECONDS),
}
_KINDS = ("http", "tcp", "log")
READY = schema.mapping(
    "How it shows that it is ready; else its first port accepts connections",
    READY_KEYS,
    allOf=[{"not": {"type": "object", "required": list(pair)}} for pair in combinations(_KINDS, 2)],
)


@dataclass(frozen=True)
class Ready:
    """How a service shows that it is ready.

    kind: "http" (target, a path or a full URL, answers), "tcp" (the port accepts), "log" (target, a regular expression,
    is found in the output) or "started" (nothing to wait for). port: a port's name, "" for the default one.
    timeout: seconds.
    """

    kind: Literal["http", "tcp", "log", "started"]
    target: str = ""
    port: str = ""
    timeout: float = READY_TIMEOUT


def default_ready(texts: Iterable[str]) -> Ready:
    """The default: the first port that the texts name accepts; without ports, ready at once."""
    ports = ports_named(texts)
    return Ready("tcp", port=_main_port(ports)) if ports else Ready("started")


def parse_ready(node: Located, ports: tuple[str, ...]) -> Ready:
    """Read `ready` of a service that names these ports. Raises ConfigErrors with every mistake in it."""
    mistakes = Mistakes()
    fields = Fields(node, READY_KEYS, mistakes)
    kinds = [kind for kind in _KINDS if kind in fields.said]
    if len(kinds) > 1:
        mistakes.add(node.error(f"waits for both {kinds[0]} and {kinds[1]}", "keep one of http, tcp, log"))
    http = fields.read("http", lambda url: _http(url, ports), "")
    log = fields.read("log", _regex, "")
    fields.read("tcp", _tcp, True)
    port = fields.read("port", lambda name: _port(name, ports), _main_port(ports))
    timeout = fields.read("timeout", _timeout, READY_TIMEOUT)
    mistakes.raise_all()
    if http:
        return Ready("http", http, port, timeout)
    if log:
        return Ready("log", log, port, timeout)
    listens = bool(ports) or "tcp" in fields.said or "port" in fields.said
    return Ready("tcp" if listens else "started", "", port, timeout)


def _http(node: Located, ports: tuple[str, ...]) -> str:
    target = text(node)
    if not target.startswith("/") and URL.fullmatch(target) is None:
        raise node.error(f"{node.shown} is neither a path nor a URL", "a path begins with '/', such as /healthz")
    check_ports(node, ports_named([target]), ports)
    return target


def _tcp(node: Located) -> bool:
    if not flag(node):
        raise node.error("tcp: false waits for nothing", "leave it out, or wait for http or log")
    return True


def _regex(node: Located) -> str:
    try:
        re.compile(filled(node))
    except re.error as error:
        raise node.error(f"{node.shown} is not a regular expression: {error}") from None
    return text(node)


def _port(node: Located, ports: tuple[str, ...]) -> str:
    name = filled(node)
    check_ports(node, (name,), ports)
    return name


def check_ports(node: Located, names: tuple[str, ...], ports: tuple[str, ...]) -> None:
    """Raise ConfigError for a port name that the service does not use."""
    # Without any port here, a fixture may give the arguments: then the launch checks.
    for name in names if ports else ():
        if name not in ports:
            written = f"{{port:{name}}}" if name else "{port}"
            hint = did_you_mean(name, filter(None, ports)) if name and any(ports) else "name one that args or env use"
            raise node.error(f"no argument or variable of the service uses {written}", hint)


def _main_port(ports: tuple[str, ...]) -> str:
    return "" if "" in ports else next(iter(ports), "")


def _timeout(node: Located) -> float:
    seconds = quantity(SECONDS)(node).value
    if not seconds:
        raise node.error("a timeout of 0 leaves no time to become ready", "such as 10s")
    return seconds
