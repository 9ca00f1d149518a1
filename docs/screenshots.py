"""Take the pictures of the pages that README and docs/ show, from the record of `tickercast demo --keep HOME`.

    make screenshots                       # makes the record and runs this; needs Chromium
    python docs/screenshots.py HOME

Each picture is docs/assets/page-NAME.png, with at most 256 colours so that it stays small.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

ASSETS = Path(__file__).parent / "assets"
# name: path on the server, size of the window, colour scheme
PICTURES = {
    "today": ("/", "1280,860", "light"),
    "ticker": ("/ticker/MSFT", "1280,1390", "light"),
    "ticker-dark": ("/ticker/MSFT", "1280,920", "dark"),
}
SCHEMES = {"dark": 0, "light": 1}
CHROMIUM = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--virtual-time-budget=10000",
)  # fmt: skip


def main(home: Path) -> None:
    """Serve the home and write every picture."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium is not installed; it takes the pictures")
    with served(home) as address:
        for name, (path, size, scheme) in PICTURES.items():
            picture = ASSETS / f"page-{name}.png"
            take(chromium, address.rstrip("/") + path, picture, size, scheme)
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


def take(chromium: str, address: str, picture: Path, size: str, scheme: str) -> None:
    """Write one picture of a page."""
    with TemporaryDirectory() as folder:
        options = (
            f"--user-data-dir={folder}",
            f"--window-size={size}",
            f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        )
        command = [chromium, *CHROMIUM, *options, f"--screenshot={picture}", address]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    Image.open(picture).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
