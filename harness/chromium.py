"""A headless Chromium, driven by the DevTools protocol over a pipe.

    with Chromium() as browser:
        page = browser.page(width=400, dark=True)
        page.open("http://localhost:9154/")
        page.run("document.title")

The program is that of `harness.chromium_package`.
"""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, Self

from harness.build import Unavailable, last_lines
from harness.chromium_package import find

_FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
_TIMEOUT: Final = 60.0
_START: Final = """
import ctypes, fcntl, os, sys
reader, writer = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3])
os.dup2(reader, 3)
os.dup2(writer, 4)
ctypes.CDLL(None).prctl(1, 9)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""The browser reads its commands from fd 3 and writes to fd 4. It dies with us."""


class Chromium:
    """One browser process with an empty profile. Raises `Unavailable` where there is none, or where
    it does not start."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._last = 0
        self._left = b""
        self.events: list[dict[str, Any]] = []
        """All events so far."""

    def __enter__(self) -> Self:
        argv, env = find()
        profile = self._stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        ours, theirs = os.pipe(), os.pipe()
        given = (str(ours[0]), str(theirs[1]))
        said = self._stack.enter_context(tempfile.TemporaryFile("w+"))
        self._child = subprocess.Popen(
            [sys.executable, "-ISc", _START, *given, argv, *_FLAGS, f"--user-data-dir={profile}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            pass_fds=(ours[0], theirs[1]),
            env={**os.environ, **env},
        )
        os.close(ours[0])
        os.close(theirs[1])
        self._writer, self._reader = ours[1], theirs[0]
        self._stack.callback(self._end)
        try:
            self.call("Browser.getVersion")
        except (BrowserError, OSError) as error:
            said.seek(0)
            why = last_lines(said.read())
            self._stack.close()
            raise Unavailable("chromium", f"{argv} does not start ({error}): {why}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def page(self, *, width: int = 1000, height: int = 900, dark: bool = False) -> Page:
        """A new page of this size, in CSS pixels."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        found = self.call("Target.attachToTarget", targetId=target, flatten=True)
        page = Page(self, found["sessionId"])
        page.resize(width, height)
        page.prefer(dark=dark)
        return page

    def call(self, method: str, session: str = "", /, **params: Any) -> dict[str, Any]:
        """A command's result; raises `BrowserError` for one that failed."""
        self._last += 1
        number = self._last
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        while True:
            found = self.next_message()
            if found.get("id") == number:
                if "error" in found:
                    raise BrowserError(f"{method}: {found['error']['message']}")
                result: dict[str, Any] = found["result"]
                return result

    def next_message(self, timeout: float = _TIMEOUT) -> dict[str, Any]:
        """The next reply or event; events are kept in `events` as well."""
        end = time.monotonic() + timeout
        while b"\0" not in self._left:
            if not select.select([self._reader], [], [], max(0.0, end - time.monotonic()))[0]:
                raise BrowserError(f"nothing from the browser for {timeout:g} s")
            data = os.read(self._reader, 1 << 20)
            if not data:
                raise BrowserError("the browser has ended")
            self._left += data
        raw, _, self._left = self._left.partition(b"\0")
        message: dict[str, Any] = json.loads(raw)
        if "method" in message:
            self.events.append(message)
        return message

    def _end(self) -> None:
        self._child.kill()
        self._child.wait()
        os.close(self._writer)
        os.close(self._reader)


class BrowserError(AssertionError):
    """A command failed, or the browser did."""


class Page:
    """One tab."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **params)

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip

    def prefer(self, *, dark: bool) -> None:
        """The colours that the reader prefers."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def without_scripts(self) -> None:
        self.call("Emulation.setScriptExecutionDisabled", value=True)

    def open(self, url: str) -> None:
        """Go there and wait until it is loaded."""
        self._after(lambda: self.call("Page.navigate", url=url))

    def press(self, key: str, *, loads: bool = False) -> None:
        """Press Tab, Enter or one letter; ``loads``: wait until a page is loaded."""
        codes = {"Tab": (9, ""), "Enter": (13, "\r")}
        code, text = codes.get(key, (ord(key.upper()[0]), key))
        keys = {"key": key, "windowsVirtualKeyCode": code}

        def both() -> None:
            self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **keys)
            self.call("Input.dispatchKeyEvent", type="keyUp", **keys)

        if loads:
            self._after(both)
        else:
            both()

    def write(self, text: str) -> None:
        """Type a text into what has the focus."""
        self.call("Input.insertText", text=text)

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression; promises are awaited."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise BrowserError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def complaints(self) -> list[str]:
        """What the console has: errors, warnings, exceptions, violations of the policy."""
        self.run("new Promise(done => setTimeout(done, 50))")
        return [_text(event) for event in self._events() if event["method"] in _COMPLAINTS]

    def screenshot(self, *, height: int = 0) -> bytes:
        """A PNG of the page, or of its first ``height`` pixels."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {
            "x": 0, "y": 0, "scale": 1, "width": size["width"],
            "height": min(size["height"], height or size["height"]),
        }  # fmt: skip
        found = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    def _events(self) -> list[dict[str, Any]]:
        return [one for one in self._browser.events if one.get("sessionId") == self._session]

    def _after(self, act: Callable[[], object]) -> None:
        def loaded() -> int:
            return sum(one["method"] == "Page.loadEventFired" for one in self._events())

        before = loaded()
        act()
        while loaded() == before:
            self._browser.next_message()


_COMPLAINTS: Final = frozenset(
    {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}
)


def _text(event: dict[str, Any]) -> str:
    params = event["params"]
    if event["method"] == "Log.entryAdded":
        return f"{params['entry']['level']}: {params['entry']['text']}"
    return json.dumps(params)
