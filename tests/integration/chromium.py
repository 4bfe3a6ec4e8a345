"""Owns a headless Chromium for tests: DevTools protocol over two pipes, which takes no driver and no port."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

PATIENCE = 60.0  # seconds until a test gives up; none comes near when all is well
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


def executable():
    """The path of Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Chromium:
    """One browser with one page; `evaluate` runs script in it, `requests` are the addresses it asked for."""

    def __init__(self, profile: Path, width=1200, height=800):
        to_read, self._out = os.pipe()
        self._in, to_write = os.pipe()
        command = 'exec 3<&"$0" 4>&"$1"; shift; exec "$@"'
        flags = [*FLAGS, "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            ["bash", "-c", command, str(to_read), str(to_write), executable(), *flags, "about:blank"],
            pass_fds=(to_read, to_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_read)
        os.close(to_write)
        self._buffer, self._number, self._session, self._loaded = b"", 0, None, False
        self.requests, self.complaints = [], []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def ask(self, method, **params):
        """Send a command and return its answer; events that come meanwhile are noted."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            got = self._receive()
            if got.get("id") == self._number:
                assert "error" not in got, got
                return got["result"]
            self._note(got)

    def _receive(self):
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(deadline - time.monotonic(), 0))
            assert ready, "Chromium does not answer"
            piece = os.read(self._in, 1 << 20)
            assert piece, "Chromium has ended"
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, event):
        self._loaded = self._loaded or event.get("method") == "Page.loadEventFired"
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])
        if event.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.complaints.append(event["params"])

    def open(self, path: Path):
        """Load a file and wait until its script has run."""
        self._loaded = False
        self.ask("Page.navigate", url=path.as_uri())
        while not self._loaded:
            self._note(self._receive())

    def evaluate(self, script):
        """The value of a script, a promise awaited; an exception in it fails the test."""
        got = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def press(self, key, text=""):
        """Press and release a key, as a person would."""
        code = {"Enter": 13, "Escape": 27, "Tab": 9, "Home": 36}.get(key, 0) or {
            f"Arrow{way}": 37 + at for at, way in enumerate(("Left", "Up", "Right", "Down"))
        }.get(key, 0)
        text = text or {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        down = {"type": "keyDown", "key": key, "windowsVirtualKeyCode": code, **({"text": text} if text else {})}
        self.ask("Input.dispatchKeyEvent", **down)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def write(self, text):
        """Type into what has the focus."""
        self.ask("Input.insertText", text=text)

    def click(self, selector):
        """Click in the middle of the first element that the selector finds."""
        x, y = self.middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def double_click(self, selector):
        """Click twice in its middle."""
        x, y = self.middle(selector)
        for count in (1, 2):
            for kind in ("mousePressed", "mouseReleased"):
                self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=count)

    def drag(self, selector, start, stop):
        """Drag across an element, from one share of its width to another."""
        script = f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect(); "
        left, width, y = self.evaluate(script + "return [r.left, r.width, r.top + r.height / 2]; })()")
        events = [("mouseMoved", start), ("mousePressed", start), ("mouseMoved", (start + stop) / 2)]
        for kind, share in [*events, ("mouseMoved", stop), ("mouseReleased", stop)]:
            button = "none" if kind == "mouseMoved" and share == start else "left"
            place = {"x": left + share * width, "y": y}
            self.ask("Input.dispatchMouseEvent", type=kind, **place, button=button, buttons=1, clickCount=1)

    def resize(self, width, height):
        """Make the window so large."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def hover(self, selector):
        """Move the mouse there."""
        x, y = self.middle(selector)
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def middle(self, selector):
        """The middle of an element, in pixels of the window."""
        script = f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect(); "
        return self.evaluate(script + "return [r.left + r.width / 2, r.top + r.height / 2]; })()")

    def prefer(self, scheme):
        """Make the system prefer "dark" or "light"."""
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.evaluate("new Promise((told) => requestAnimationFrame(() => requestAnimationFrame(() => told(1))))")

    def screenshot(self):
        """The window as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    def close(self):
        """End the browser, all its processes."""
        for descriptor in (self._out, self._in):
            os.close(descriptor)
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
