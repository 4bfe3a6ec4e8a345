"""The supervisor process: serves requests, reads pipes, samples and reaps; outlives pytest only to clean up."""

from __future__ import annotations

import base64
import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import asdict

from pytest_gomem.cgroup.ways import Ways
from pytest_gomem.supervisor.child import Child, Watch
from pytest_gomem.supervisor.family import living_descendants, mark_of, send
from pytest_gomem.supervisor.limited import Limited
from pytest_gomem.supervisor.process import FOREVER, Helper, Kept
from pytest_gomem.supervisor.protocol import HelperRequest, LaunchRequest, Message, ServingChannel
from pytest_gomem.supervisor.spawn import become_subreaper

IDLE_WAIT = 500.0  # milliseconds between looks at the parent, if no descriptor can watch it
_KILL_AGAIN = 0.005
_KILL_PATIENCE = 30.0  # seconds for the kernel to end killed processes: many GB take long, a stuck disk for ever


class Supervisor:
    """The single-threaded loop, with the state of all services."""

    def __init__(self, channel: ServingChannel, parent: int) -> None:
        self._channel = channel
        self._parent = parent
        self._children: dict[int, Kept] = {}
        self._forgotten: set[int] = set()
        self._watches: dict[int, Watch] = {}
        self._ways = Ways()
        self._running = True
        self._due = FOREVER
        # Without the selectors module, which would cost as much as the samples.
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[], object]] = {}
        self._handle(channel.sock.fileno(), self._serve)
        self._idle_wait = None if self._watches_parent() else IDLE_WAIT
        self._wake_on_child_exit()

    def _handle(self, fd: int, handler: Callable[[], object]) -> None:
        """Call it whenever there is something to read."""
        self._poll.register(fd, select.POLLIN)
        self._handlers[fd] = handler

    def _watches_parent(self) -> bool:
        """End when pytest ends, even if a forked process holds our socket open; False if we must look ourselves."""
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # gone already, or a kernel before 5.3
                self._handle(os.pidfd_open(self._parent), self.stop)
                return True
        return False

    def stop(self) -> None:
        """Leave the loop at its next turn."""
        self._running = False

    def _wake_on_child_exit(self) -> None:
        wake, woken = socket.socketpair()
        woken.setblocking(False)
        wake.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._handle(wake.fileno(), self._reap)
        self._wake, self._woken = wake, woken

    def run(self) -> None:
        """Serve until pytest is gone, then leave no process."""
        try:
            while self._running:
                self._turn()
        finally:
            self._kill_all()
            self._ways.close()

    def _turn(self) -> None:
        for fd, _ in self._poll.poll(self._pause()):
            if fd in self._handlers:  # an earlier event of this round may have closed it
                self._handlers[fd]()
        now = time.monotonic()
        due = FOREVER
        ticking: tuple[Kept | Watch, ...] = (*self._children.values(), *self._watches.values())
        for one in ticking:
            due = min(due, one.tick(now))
        self._due = due
        if self._forgotten:
            self._drop_forgotten()
        if self._idle_wait is not None and os.getppid() != self._parent:
            self.stop()

    def _pause(self) -> float | None:
        """Milliseconds until the next timed action; None = nothing is due."""
        if self._due == FOREVER:
            return self._idle_wait
        pause = 1e3 * max(0.0, self._due - time.monotonic())
        return pause if self._idle_wait is None else min(pause, self._idle_wait)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake.recv(4096)  # before we look, so that an end meanwhile wakes us again
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for child in self._children.values():
                child.reaped(pid, status, usage)

    def _drop_forgotten(self) -> None:
        """Drop forgotten children once their families have ended."""
        for key in [k for k in self._forgotten if self._children[k].exit and self._children[k].kill_at is None]:
            child = self._children.pop(key)
            for pipe in child.pipes:
                self._poll.unregister(pipe.fd)
                del self._handlers[pipe.fd]
            child.close()
            self._forgotten.remove(key)

    def _kill_all(self) -> None:
        """Send SIGKILL to every process below us until none is left: new ones may appear meanwhile."""
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
        self._poll.modify(self._channel.sock, select.POLLIN | (select.POLLOUT if self._channel.is_sending else 0))

    def _answer(self, request: Message) -> Message:
        handler: Callable[[Message], Message] | None = getattr(self, f"_on_{request['do']}", None)
        if handler is None:
            return {"error": f"the supervisor knows no '{request['do']}'"}
        try:
            return handler(request)
        except Exception as error:  # an error in one request must not end other services
            return {"error": _words(error)}

    def _on_ping(self, _request: Message) -> Message:
        return {}

    def _on_launch(self, request: Message) -> Message:
        child = Child(LaunchRequest(**request["launch"]), mark_of(os.getpid(), request["id"]), self._ways)
        return self._keep(request["id"], child)

    def _on_help(self, request: Message) -> Message:
        helper = Helper(HelperRequest(**request["help"]), mark_of(os.getpid(), request["id"]))
        return self._keep(request["id"], helper)

    def _keep(self, key: int, child: Kept) -> Message:
        self._children[key] = child
        for pipe in child.pipes:
            self._handle(pipe.fd, child.drain)
        return {"state": asdict(child.state())}

    def _on_watch(self, request: Message) -> Message:
        self._watches[request["id"]] = Watch(request["pid"], request["tree"], request["sample_rate"])
        return {}

    def _on_unwatch(self, request: Message) -> Message:
        self._watches.pop(request["id"]).stop()
        return {}

    def _on_state(self, request: Message) -> Message:
        return {"state": asdict(self._child(request).state())}

    def _on_members(self, request: Message) -> Message:
        return {"members": self._child(request).family.members()}

    def _on_serve_by(self, request: Message) -> Message:
        self._launched(request).serve_by(request["pid"])
        return {}

    def _on_log(self, request: Message) -> Message:
        log = self._launched(request).log
        return {"end": log.end, "log": base64.b64encode(log.since(request["since"])).decode()}

    def _on_samples(self, request: Message) -> Message:
        watch = self._watches[request["id"]] if request["id"] in self._watches else self._launched(request).watch
        return {"columns": watch.timeline.between(request["since"], request["until"])}

    def _on_gctrace(self, request: Message) -> Message:
        return self._launched(request).gc_message(request["since"], request["until"])

    def _on_read_group(self, request: Message) -> Message:
        return {"group": asdict(self._limited(request).read(reset_peak=request["reset_peak"]))}

    def _on_raise_limit(self, request: Message) -> Message:
        self._limited(request).raise_limit(request["limit"])
        return {}

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

    def _limited(self, request: Message) -> Limited:
        limited = self._launched(request).limited
        if limited is None:
            raise LookupError("the service has no memory limit")
        return limited

    def _launched(self, request: Message) -> Child:
        child = self._child(request)
        assert isinstance(child, Child)
        return child

    def _child(self, request: Message) -> Kept:
        key = request["id"]
        if key not in self._children or key in self._forgotten:
            raise LookupError(f"nothing is kept of launch {key}")
        child = self._children[key]
        child.drain()  # an answer includes all output before the request
        return child


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def _default_signals() -> None:
    """Reset ignored or blocked signals, as of nohup and `&` in scripts: services would inherit them."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def main(fd: int, parent: int) -> None:
    """Run the supervisor on an inherited socket, for the process `parent`."""
    become_subreaper()
    _default_signals()
    supervisor = Supervisor(ServingChannel(socket.socket(fileno=fd)), parent)
    # Handlers: a signal ignored here would stay ignored in every service.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: supervisor.stop())
    supervisor.run()
