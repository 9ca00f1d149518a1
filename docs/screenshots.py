"""Take the pictures of the pages that README and docs/ show, from the record of `tickercast demo --keep HOME`.

    make screenshots                       # makes the record and runs this; needs Chromium
    python docs/screenshots.py HOME

Each picture is docs/assets/page-NAME.png, with at most 256 colours so that it stays small. Chromium is driven by its own protocol
(DevTools), because a picture has to wait until every chart in it is drawn.
"""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from websockets.sync.client import ClientConnection, connect

ASSETS = Path(__file__).parent / "assets"
# name: path on the server, height in pixels, colour scheme
PICTURES = {
    "today": ("/", 900, "light"),
    "ticker": ("/ticker/MSFT", 1440, "light"),
    "ticker-dark": ("/ticker/MSFT", 970, "dark"),
    "compare": ("/compare?t=AAPL&t=IBM", 960, "light"),
    "risk": ("/risk", 1200, "light"),
    "health": ("/health", 860, "light"),
}
WIDTH = 1280
DEADLINE_SECONDS = 60.0
CHROMIUM = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip
# Whether the page is loaded and each chart in view has its lines.
DRAWN = """document.readyState === "complete" && [...document.querySelectorAll(".plot[data-chart]")].every(
    (place) => place.getBoundingClientRect().top > innerHeight || place.querySelector(".main-svg"))"""


def main(home: Path) -> None:
    """Serve the home and write every picture."""
    with served(home) as address, browser() as tab:
        for name, (path, height, scheme) in PICTURES.items():
            picture = ASSETS / f"page-{name}.png"
            tab.show(address.rstrip("/") + path, height, scheme)
            tab.save(picture)
            print(f"{picture.name}: {picture.stat().st_size / 1000:.0f} kB")


@contextmanager
def served(home: Path) -> Iterator[str]:
    """Yield the address at which a home's pages are served meanwhile."""
    command = [sys.executable, "-m", "tickercast", "--home", str(home), "serve", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = re.search(r"http://\S+", server.stdout.readline())
        if address is None:
            sys.exit("the pages are not served")
        yield address[0]
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate()


@contextmanager
def browser() -> Iterator[Tab]:
    """Yield a tab of a browser that lasts as long."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("Chromium is not installed; it takes the pictures")
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen([program, *CHROMIUM, f"--user-data-dir={profile}"], stderr=subprocess.DEVNULL)
        try:
            port = wait_for(lambda: _first_line(Path(profile) / "DevToolsActivePort"))
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=DEADLINE_SECONDS) as answer:
                target = next(target for target in json.load(answer) if target["type"] == "page")
            with connect(target["webSocketDebuggerUrl"], max_size=None) as connection:
                yield Tab(connection)
        finally:
            process.terminate()
            process.wait()


class Tab:
    """A tab, commanded over a connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._asked = 0

    def show(self, address: str, height: int, scheme: str) -> None:
        """Open a page in a window of a height, in a colour scheme, and wait until its charts are drawn."""
        self._ask("Emulation.setDeviceMetricsOverride", width=WIDTH, height=height, deviceScaleFactor=1, mobile=False)
        self._ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._ask("Page.navigate", url=address)
        time.sleep(0.5)  # the page before is complete until the navigation begins
        wait_for(lambda: self._ask("Runtime.evaluate", expression=DRAWN)["result"].get("value"))
        time.sleep(0.5)  # the last chart is painted

    def save(self, picture: Path) -> None:
        """Write what is in the window."""
        content = base64.b64decode(self._ask("Page.captureScreenshot")["data"])
        image = Image.open(io.BytesIO(content)).convert("RGB")
        image.quantize(256, dither=Image.Dither.NONE).save(picture, optimize=True)

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the result of a command."""
        self._asked += 1
        self._connection.send(json.dumps({"id": self._asked, "method": method, "params": params}))
        while (message := json.loads(self._connection.recv(DEADLINE_SECONDS))).get("id") != self._asked:
            pass
        result: dict[str, Any] = message["result"]
        return result


def wait_for(answer: Any) -> Any:
    """Return the first true answer of a function. Exits at the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if found := answer():
            return found
        time.sleep(0.1)
    sys.exit("the browser did not answer in time")


def _first_line(path: Path) -> str:
    return path.read_text().splitlines()[0] if path.exists() and path.stat().st_size else ""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
