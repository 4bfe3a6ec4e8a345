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

import psutil

from pytest_gomem.keeper.child import Child, Watch, is_alive
from pytest_gomem.keeper.protocol import Channel, LaunchRequest, Message, to_message
from pytest_gomem.keeper.spawn import become_subreaper

IDLE_WAIT = 0.5  # seconds between looks at a parent that cannot be watched by a descriptor


class Keeper:
    """The single-threaded loop; all state of all services lives here."""

    def __init__(self, channel: Channel, parent: int) -> None:
        self._channel = channel
        self._parent = parent
        self._children: dict[int, Child] = {}
        self._watches: dict[int, Watch] = {}
        self._serial = 0
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
        while self._running:
            for key, _ in self._selector.select(self._pause()):
                if key.fd in self._selector.get_map():  # an earlier event of this round may have closed it
                    key.data()
            self._reap()
            now = time.monotonic()
            for child in self._children.values():
                child.tick(now)
            for watch in self._watches.values():
                watch.tick(now)
            if os.getppid() != self._parent:
                self._running = False
        self._kill_all()

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
                self._unregister(child)
                child.ended(status, usage)

    def _by_pid(self, pid: int) -> Child | None:
        return next((c for c in self._children.values() if c.pid == pid and c.exit is None), None)

    def _unregister(self, child: Child) -> None:
        self._selector.unregister(child.stdout.fd)
        self._selector.unregister(child.stderr.fd)

    def _kill_all(self) -> None:
        """SIGKILL every process below us until none is left: new ones may appear while we kill."""
        for child in self._children.values():
            child.killed = True
        while True:
            alive = _living_descendants()
            if not alive:
                return
            for pid in alive:
                try:
                    os.kill(pid, signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    continue
            self._reap()
            time.sleep(0.002)

    def _serve(self) -> None:
        request = self._channel.receive()
        if request is None:
            self._running = False
            return
        handler: Callable[[Message], Message] = getattr(self, f"_on_{request['do']}")
        try:
            answer = handler(request)
        except (OSError, LookupError, RuntimeError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        try:
            self._channel.send(answer)
        except OSError:
            self._running = False

    @staticmethod
    def _on_ping(_: Message) -> Message:
        return {}

    def _on_launch(self, request: Message) -> Message:
        self._serial += 1
        child = Child(LaunchRequest(**request["launch"]), mark=f"{os.getpid()}-{self._serial}")
        self._children[self._serial] = child
        self._selector.register(child.stdout.fd, selectors.EVENT_READ, child.drain)
        self._selector.register(child.stderr.fd, selectors.EVENT_READ, child.drain)
        return {"id": self._serial, "state": to_message(child.state())}

    def _on_watch(self, request: Message) -> Message:
        self._serial += 1
        self._watches[self._serial] = Watch(request["pid"], request["tree"], request["sample_rate"])
        return {"id": self._serial}

    def _on_unwatch(self, request: Message) -> Message:
        del self._watches[request["id"]]
        return {}

    def _on_state(self, request: Message) -> Message:
        child = self._children[request["id"]]
        return {"state": to_message(child.state())}

    def _on_members(self, request: Message) -> Message:
        return {"members": self._children[request["id"]].members()}

    def _on_log(self, request: Message) -> Message:
        log = self._children[request["id"]].log
        return {"end": log.end, "log": base64.b64encode(log.since(request["since"])).decode()}

    def _on_samples(self, request: Message) -> Message:
        key = request["id"]
        watch = self._children[key].watch if key in self._children else self._watches[key]
        return {"columns": watch.timeline.between(request["since"], request["until"])}

    def _on_gctrace(self, request: Message) -> Message:
        return self._children[request["id"]].gc_message(request["since"], request["until"])

    def _on_terminate(self, request: Message) -> Message:
        self._children[request["id"]].terminate(request["grace"])
        return {}

    def _on_kill(self, request: Message) -> Message:
        self._children[request["id"]].kill()
        return {}

    def _on_forget(self, request: Message) -> Message:
        child = self._children.pop(request["id"])
        if child.exit is None:
            self._unregister(child)
            child.kill()
        child.close()
        return {}


def _living_descendants() -> list[int]:
    return [process.pid for process in psutil.Process().children(recursive=True) if is_alive(process)]


def main(fd: int, parent: int) -> None:
    """Run the keeper on an inherited socket, for the process `parent`."""
    become_subreaper()
    keeper = Keeper(Channel(socket.socket(fileno=fd)), parent)
    # Handlers, since a signal that is ignored here would stay ignored in every service.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: keeper.stop())
    keeper.run()
