"""A real Chromium without a window, spoken to over its debugging pipe: no port, no driver, no further package."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_ARGUMENTS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
)
_KEYS = {"Enter": 13, "Escape": 27, "Home": 36, "End": 35, "ArrowUp": 38, "ArrowDown": 40, "PageDown": 34, "Tab": 9}


class Page:
    """One page: what it runs, requests and complains of."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._buffer = b""
        self._last = 0
        self._session: str | None = None
        self.requests: list[str] = []
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the DevTools protocol and its result; TimeoutError after a minute."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                found: dict[str, Any] = answer["result"]
                return found
            self._note(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._back, 1 << 20)
            if not part:
                raise RuntimeError("the browser is gone")
            self._buffer += part
        first, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(first)
        return answer

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(str(params["entry"]))

    def size(self, width: int, height: int = 900) -> None:
        """The size of the window in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )

    def go(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def js(self, expression: str) -> Any:
        """The value of an expression; a promise is waited for."""
        made = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in made:
            raise RuntimeError(str(made["exceptionDetails"]))
        return made["result"].get("value")

    def until(self, expression: str, seconds: float = 20) -> Any:
        """Wait until an expression is true, and give its value; TimeoutError where that does not happen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(RuntimeError):
                if found := self.js(expression):
                    return found
            time.sleep(0.02)
        raise TimeoutError(f"{expression} in {self.js('document.body.innerText.slice(0, 500)')!r}; {self.complaints}")

    def press(self, key: str) -> None:
        """A key as a person presses it, by its name or its character."""
        text = {} if len(key) > 1 else {"text": key}
        code = _KEYS.get(key, ord(key[0].upper()))
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                windowsVirtualKeyCode=code,
                **(text if kind == "keyDown" else {}),
            )

    def picture(self, path: Path) -> None:
        """A screenshot of the window, as PNG."""
        import base64

        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextlib.contextmanager
def browser(profile: Path, *arguments: str) -> Iterator[Page]:
    """A page of a fresh browser that keeps what it must in ``profile`` and reaches no host. Ends the test where
    there is no browser."""
    if CHROMIUM is None:
        from needed import lacking

        lacking("There is no Chromium here: apt-get install chromium.")
    reads, to = os.pipe()
    back, writes = os.pipe()
    command = [CHROMIUM, *_ARGUMENTS, "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}", *arguments]
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$@" 3<&{reads} 4>&{writes}', "bash", *command],
        pass_fds=(reads, writes),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(reads)
    os.close(writes)
    try:
        page = Page(to, back)
        yield page
        with contextlib.suppress(RuntimeError, OSError):
            page._session = None
            page.call("Browser.close")
        process.wait(20)
    finally:
        process.kill()
        process.wait()
        os.close(to)
        os.close(back)
