"""Owns the keeper process: serves requests, drains, samples and reaps, and outlives pytest only to clean up."""

from __future__ import annotations

import base64
import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable

from pytest_gomem.keeper.child import Child, Watch
from pytest_gomem.keeper.family import living_descendants, mark_of, send
from pytest_gomem.keeper.protocol import LaunchRequest, Message, ServingChannel, to_message
from pytest_gomem.keeper.spawn import become_subreaper

IDLE_WAIT = 0.5  # seconds between looks at a parent that cannot be watched by a descriptor
_KILL_AGAIN = 0.005
_KILL_PATIENCE = 30.0  # seconds for the kernel to end killed processes: many GB take long, a stuck disk for ever


class Keeper:
    """The single-threaded loop; all state of all services lives here."""

    def __init__(self, channel: ServingChannel, parent: int) -> None:
        self._channel = channel
        self._parent = parent
        self._children: dict[int, Child] = {}
        self._forgotten: set[int] = set()
        self._watches: dict[int, Watch] = {}
        self._running = True
        self._selector = selectors.DefaultSelector()
        self._selector.register(channel.sock, selectors.EVENT_READ, self._serve)
        self._watch_parent()
        self._wake_on_child_exit()

    def _watch_parent(self) -> None:
        """End when pytest ends, also when a process it forked still holds our socket open."""
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # gone already, or a kernel before 5.3
                self._selector.register(os.pidfd_open(self._parent), selectors.EVENT_READ, self.stop)

    def stop(self) -> None:
        """Leave the loop at its next turn."""
        self._running = False

    def _wake_on_child_exit(self) -> None:
        wake, woken = socket.socketpair()
        woken.setblocking(False)
        wake.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(wake, selectors.EVENT_READ, lambda: wake.recv(4096))
        self._woken = woken

    def run(self) -> None:
        """Serve until pytest is gone, then leave no process behind."""
        try:
            while self._running:
                self._turn()
        finally:
            self._kill_all()

    def _turn(self) -> None:
        for key, _ in self._selector.select(self._pause()):
            if key.fd in self._selector.get_map():  # an earlier event of this round may have closed it
                key.data()
        self._reap()
        now = time.monotonic()
        for child in self._children.values():
            child.tick(now)
        for watch in self._watches.values():
            watch.tick(now)
        self._drop_forgotten()
        if os.getppid() != self._parent:
            self.stop()

    def _pause(self) -> float:
        now = time.monotonic()
        dues = [watch.due for watch in self._watches.values()]
        for child in self._children.values():
            if child.exit is None:
                dues.append(child.watch.due)
            if child.kill_at is not None:
                dues.append(child.kill_at)
        return max(0.0, min([due - now for due in dues], default=IDLE_WAIT))

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._by_pid(pid)
            if child is not None:
                child.ended(status, usage)

    def _by_pid(self, pid: int) -> Child | None:
        return next((c for c in self._children.values() if c.pid == pid and c.exit is None), None)

    def _drop_forgotten(self) -> None:
        """Let go of forgotten children of whose families nothing is left."""
        for key in [k for k in self._forgotten if self._children[k].exit and self._children[k].kill_at is None]:
            child = self._children.pop(key)
            for pipe in child.pipes:
                self._selector.unregister(pipe.fd)
            child.close()
            self._forgotten.remove(key)

    def _kill_all(self) -> None:
        """SIGKILL every process below us until none is left: new ones may appear while we kill."""
        for child in self._children.values():
            child.kill()
        deadline = time.monotonic() + _KILL_PATIENCE
        refused: set[int] = set()
        while (alive := set(living_descendants()) - refused) and time.monotonic() < deadline:
            refused.update(send(signal.SIGKILL, alive))
            self._reap()
            time.sleep(_KILL_AGAIN)

    def _serve(self) -> None:
        try:
            for request in self._channel.receive():
                self._channel.post({**self._answer(request), "serial": request["serial"]})
            self._channel.flush()
        except OSError:
            self.stop()
            return
        more = selectors.EVENT_WRITE if self._channel.is_sending else 0
        self._selector.modify(self._channel.sock, selectors.EVENT_READ | more, self._serve)

    def _answer(self, request: Message) -> Message:
        handler: Callable[[Message], Message] | None = getattr(self, f"_on_{request['do']}", None)
        if handler is None:
            return {"error": f"the keeper knows no '{request['do']}'"}
        try:
            return handler(request)
        except Exception as error:  # what one request spoils must not end the services of the others
            return {"error": _words(error)}

    def _on_ping(self, _request: Message) -> Message:
        return {}

    def _on_launch(self, request: Message) -> Message:
        key = request["id"]
        child = Child(LaunchRequest(**request["launch"]), mark_of(os.getpid(), key))
        self._children[key] = child
        for pipe in child.pipes:
            self._selector.register(pipe.fd, selectors.EVENT_READ, _wake)
        return {"state": to_message(child.state())}

    def _on_watch(self, request: Message) -> Message:
        self._watches[request["id"]] = Watch(request["pid"], request["tree"], request["sample_rate"])
        return {}

    def _on_unwatch(self, request: Message) -> Message:
        del self._watches[request["id"]]
        return {}

    def _on_state(self, request: Message) -> Message:
        return {"state": to_message(self._child(request).state())}

    def _on_members(self, request: Message) -> Message:
        return {"members": self._child(request).family.members()}

    def _on_log(self, request: Message) -> Message:
        log = self._child(request).log
        return {"end": log.end, "log": base64.b64encode(log.since(request["since"])).decode()}

    def _on_samples(self, request: Message) -> Message:
        watch = self._watches[request["id"]] if request["id"] in self._watches else self._child(request).watch
        return {"columns": watch.timeline.between(request["since"], request["until"])}

    def _on_gctrace(self, request: Message) -> Message:
        return self._child(request).gc_message(request["since"], request["until"])

    def _on_terminate(self, request: Message) -> Message:
        self._child(request).terminate(request["grace"])
        return {}

    def _on_kill(self, request: Message) -> Message:
        self._child(request).kill()
        return {}

    def _on_forget(self, request: Message) -> Message:
        self._child(request).kill()
        self._forgotten.add(request["id"])
        return {}

    def _child(self, request: Message) -> Child:
        key = request["id"]
        if key not in self._children or key in self._forgotten:
            raise LookupError(f"nothing is kept of launch {key}")
        child = self._children[key]
        child.tick(time.monotonic())  # an answer knows all that was written before it was asked for
        return child


def _wake() -> None:
    """What is to be read each child reads at its tick."""


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def _default_signals() -> None:
    """Undo what pytest's own starter ignored or blocked, as nohup and `&` in scripts do: services would inherit it."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def main(fd: int, parent: int) -> None:
    """Run the keeper on an inherited socket, for the process `parent`."""
    become_subreaper()
    _default_signals()
    keeper = Keeper(ServingChannel(socket.socket(fileno=fd)), parent)
    # Handlers, since a signal that is ignored here would stay ignored in every service.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: keeper.stop())
    keeper.run()
