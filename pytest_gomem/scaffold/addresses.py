"""Which of a program's options say where it listens, and what to give them so that nothing collides."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_gomem.scaffold.options import Option

MAIN = ""  # the name of the unnamed port
_ADDRESS = {"addr", "address", "listen", "bind", "listener", "listenaddr", "listenaddress", "bindaddr", "hostport"}
_PORT = {"port"}
# Where something else listens, which the program calls; or no address at all.
_OTHERS = """
redis db database postgres pg mysql smtp kafka nats mongo mongodb upstream target proxy remote backend client peer peers
dns dial broker amqp rabbitmq elastic influx statsd otlp jaeger collector advertise external public join seed seeds
memcached etcd consul vault sentry email mail ldap registry endpoint origin forward source destination file path dir
timeout interval min max range type protocol cert key tls ssl https mode name url uri network
"""
_ADMIN = """
admin metrics metric debug pprof prof profile profiling health healthz healthcheck monitor monitoring telemetry
prometheus internal management probe probes status stats diagnostics
"""
_NOT_OURS = frozenset(_OTHERS.split())
_ROLES = {"admin": frozenset(_ADMIN.split()), "grpc": frozenset({"grpc", "rpc"})}
_FULL = re.compile(r"(?P<host>[\w.-]*|\[[\w:]*\]):(?P<port>[0-9]{1,5})")
_NUMBER = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True)
class Listening:
    """An option that says where the program listens. port: the name of the port in gomem.yaml, "" for the main one.

    value: what to give it, with the port's token.
    """

    option: Option
    port: str
    value: str


def listening(options: Iterable[Option]) -> tuple[Listening, ...]:
    """The options to set, one for each port, the main one first."""
    found: dict[str, tuple[int, Listening]] = {}
    for option in options:
        value, weight = _value_and_weight(option)
        if value is None:
            continue
        role = _role(option)
        token = f"{{port:{role}}}" if role else "{port}"
        one = Listening(option, role, value.format(port=token))
        if role not in found or weight > found[role][0]:
            found[role] = weight, one
    if MAIN not in found and found:  # a program has a main port: that of gRPC, else of what there is
        role = "grpc" if "grpc" in found else next(iter(found))
        _, one = found.pop(role)
        found[MAIN] = 0, Listening(one.option, MAIN, one.value.replace(f"{{port:{role}}}", "{port}"))
    return tuple(one for _, (_, one) in sorted(found.items()))


def _value_and_weight(option: Option) -> tuple[str | None, int]:
    """What the option takes, with {port}, and how sure that is; None if it says not where to listen."""
    words, default = set(option.words), option.default
    joined = "".join(option.words)
    is_port = bool(words & _PORT) or joined.endswith("port")
    is_address = bool(words & _ADDRESS) or joined.endswith(("addr", "address"))
    if words & _NOT_OURS or not (is_port or is_address or words & {"http", "web", "server", "api", "grpc", "metrics"}):
        return None, 0
    weight = 2 * (option.how == "flag") + bool(default)
    full = _FULL.fullmatch(default)
    if full:
        host = "127.0.0.1" if full["host"] or not is_port else ""
        return f"{host}:{{port}}", weight + 6 + is_address
    if _NUMBER.fullmatch(default):
        return ("{port}", weight + 6 + is_port) if is_port or is_address else (None, 0)
    if default and not is_address:
        return None, 0
    if is_port:
        return "{port}", weight + 3
    return ("127.0.0.1:{port}", weight + 2) if is_address and not re.search(r"[./]", default) else (None, 0)


def _role(option: Option) -> str:
    words = set(option.words)
    return next((role for role, known in _ROLES.items() if words & known), MAIN)
