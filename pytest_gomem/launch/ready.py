"""Owns waiting for a service until it is ready, dead or out of time, and saying what was seen of it meanwhile."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pytest_gomem.config.ready import Ready
from pytest_gomem.launch.ports import HOST, local_port
from pytest_gomem.launch.probes import HttpProbe, LogProbe, OwnListener, Probe, TcpProbe
from pytest_gomem.observe.kernel import stopped_words
from pytest_gomem.observe.sockets import listeners
from pytest_gomem.supervisor.client import KeptChild
from pytest_gomem.supervisor.protocol import ChildState

_FIRST_LOOK, _LONGEST_LOOK = 0.002, 0.25
_LONGEST_PROBE = 2.0
_MOST_ADDRESSES = 8


@dataclass(frozen=True)
class NotReady:
    """How a wait ended that was for nothing: the last state, what the last look got, and what else is known.

    circumstances: a line each, of a service that still lives.
    """

    state: ChildState
    last_look: str = ""
    circumstances: tuple[str, ...] = ()


def wait_ready(
    child: KeptChild, ready: Ready, ports: Mapping[str, int], *, ours: str = "", follow: bool = False
) -> NotReady | None:
    """Wait until ready and return None then; why it is not, when it died or time ran out.

    ours: the path of the agent's own socket, which is no address of the service. follow: a child that ends with status
    0 and leaves a process behind, as a daemon does, is waited for further.
    """
    deadline, look = time.monotonic() + ready.timeout, _FIRST_LOOK
    with contextlib.closing(_probe(child, ready, ports)) as probe:
        while True:
            left = deadline - time.monotonic()
            got = probe.look(min(_LONGEST_PROBE, max(_FIRST_LOOK, left)))
            state = child.state()
            is_left = follow and state.exit is not None and state.exit.code == 0 and bool(child.members())
            if state.exit is not None and not is_left:
                return NotReady(state) if ready.kind != "started" else None
            if not got:
                return None
            if left <= 0:
                return NotReady(state, got, tuple(_circumstances(child, probe, ports, ours)))
            if is_left:
                time.sleep(min(look, left))
            else:
                child.wait(min(look, left))  # which its end cuts short
            look = min(look * 1.5, _LONGEST_LOOK)


def _circumstances(child: KeptChild, probe: Probe, ports: Mapping[str, int], ours: str) -> Iterator[str]:
    members = child.members()
    yield from filter(None, map(stopped_words, members))
    addresses = [listener.address for listener in listeners(members) if listener.address != f"unix:{ours}"]
    more = f" and {len(addresses) - _MOST_ADDRESSES} more" if len(addresses) > _MOST_ADDRESSES else ""
    where = f"on {', '.join(addresses[:_MOST_ADDRESSES])}{more}" if addresses else "on no port and on no unix socket"
    yield f"it listens {where}"
    if ports:
        yield "its ports: " + ", ".join(f"{{port{name and ':' + name}}} is {port}" for name, port in ports.items())
    if advice := probe.advice():
        yield advice


def describe(ready: Ready, ports: Mapping[str, int]) -> str:
    """What is waited for, in words."""
    waits: dict[str, Callable[[], str]] = {
        "http": lambda: f"GET {_url(ready, ports)} to answer 2xx",
        "tcp": lambda: f"{HOST}:{ports.get(ready.port)} to accept connections",
        "log": lambda: f"its log to match /{ready.target}/",
        "started": lambda: "it to start",
    }
    return waits[ready.kind]()


def port_served(ready: Ready, ports: Mapping[str, int]) -> int | None:
    """The port of this machine at which the service is reached; None where nothing names one."""
    asked = local_port(_url(ready, ports)) if ready.kind == "http" else None
    return ports.get(ready.port) if asked is None else asked


def _probe(child: KeptChild, ready: Ready, ports: Mapping[str, int]) -> Probe:
    if ready.kind == "http":
        url = _url(ready, ports)
        return OwnListener(child, local_port(url), HttpProbe(url))
    if ready.kind == "tcp":
        return OwnListener(child, ports[ready.port], TcpProbe(ports[ready.port]))
    # Where nothing is waited for the target is empty, and found in any log.
    return LogProbe(child, ready.target)


def _url(ready: Ready, ports: Mapping[str, int]) -> str:
    return ready.target if "://" in ready.target else f"http://{HOST}:{ports.get(ready.port)}{ready.target}"
