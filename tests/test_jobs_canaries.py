"""No command shows a secret: every command, good and failing, with a canary in each place where a secret can stand."""

from __future__ import annotations

import base64
import http.client
import os
import signal
import socket
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.command_server import CommandServer
from tests.forecast_builders import ten_sessions
from tests.ports import free_port
from tests.processes import descendants, wait_until

pytestmark = pytest.mark.slow
CANARY = "kanari"
NOTICES = (
    "json://kanari01:kanari%2F02@127.0.0.1:{port}/kanari03/?token=kanari04&to=kanari05@example.com#kanari06",
    "slack://kanari07/kanari08/kanari09",
    "https://127.0.0.1:{port}/kanari10?key=kanari11",
)
SETTINGS = """[notices]
urls = [{notices}]
[log]
file = "log/daemon.log"
[monitor]
textfile = "metrics.prom"
[source]
kind = "{kind}"
[yahoo]
base_url = "{base_url}"
ticker_seconds = 1
requests_per_second = 1000
[training]
cold_epochs = 1
warm_epochs = 0
[model]
history_sessions = 140
"""
PROXY = "http://kanari20:kanari%2F21@127.0.0.1:{port}/?key=kanari22"
MIRROR = "http://kanari23:kanari24@127.0.0.1:{port}/mirror?key=kanari25"
LOGINS = ("kanari01:kanari/02", "kanari01:kanari%2F02", "kanari20:kanari/21", "kanari20:kanari%2F21", "kanari23:kanari24")
DAY = str(ten_sessions()[0])
GOOD = (
    ("backfill", "IBM", "--start", DAY, "--end", DAY),
    ("track", "IBM"), ("tickers",), ("forecast",), ("skill",), ("status",), ("status", "--check"),
    ("bars", "IBM", "--start", DAY), ("sql", "SELECT * FROM run_summary"), ("report", "IBM", "--out", "pages"),
    ("verify", "--deep"), ("replay", "--all", "--sample", "1"), ("prior", "list"), ("backup", "kept.tar"),
    ("db", "upgrade"), ("restore", "kept.tar"), ("run", "--rehearse", f"{DAY}T23:00Z"), ("--help",), ("--version",),
)  # fmt: skip
FAILING = (
    ("sql", "SELECT * FROM nothing"), ("sql", "DELETE FROM runs"), ("explain", "NONE"), ("bars", "NONE"),
    ("backfill", "IBM", "--start", "never"), ("restore", "pages"), ("release", "IBM"), ("repair", "NONE"), ("no-such-command",),
    ("backup", "home/tickercast.db"), ("replay", "ffffffff"),
)  # fmt: skip
WRONG_STORES = (
    "postgresql://kanari30:kanari%2F31@127.0.0.1:1/record?sslpassword=kanari32",
    "sqlite:////missing/record.db?key=kanari33",
    "kanari34:kanari35@127.0.0.1",
)
UNKNOWN_KEY = '[store]\n"xml://kanari43/kanari44" = 1\n'
WRONG_SETTINGS = (
    UNKNOWN_KEY,
    '[store]\nurl = "postgresql://kanari40:kanari41@127.0.0.1/record\n',
    '[store]\nurl = ["postgresql://kanari40:kanari41@127.0.0.1/record"]\n',
    '[store]\nurl = {password = "kanari42"}\n',
    '[notices]\nurls = "json://127.0.0.1/a-long-segment-that-is-not-secret/kanari45/and-more-of-it"\n',
    '[notices]\nurls = ["kanari46://", 3]\n',
    '[notices]\nurl = ["json://kanari47"]\n',
    '[yahoo]\nbase_url = {url = "http://kanari48:kanari49@127.0.0.1"}\n',
    '[yahoo]\ntimeout_seconds = "http://kanari50:kanari51@127.0.0.1"\n',
)


def shows(text: str | bytes) -> list[str]:
    """Return what a text shows of a canary."""
    content = text.encode(errors="replace") if isinstance(text, str) else text
    in_headers = [base64.b64encode(login.encode())[:-3] for login in LOGINS]
    return [word.decode() for word in (CANARY.encode(), *in_headers) if word.lower() in content.lower()]


def shown_in_files(folder: Path) -> list[str]:
    """Return the files that show a canary, except settings, which their owner alone can read, and what is inside of a backup."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    own = {path for path in files if path.suffix in (".toml", ".tar") and path.stat().st_mode & 0o077 == 0}
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path not in own]
    return [f"{path.relative_to(folder)}: {word}" for path in paths for word in (*shows(path.read_bytes()), *shows(path.name))]


@pytest.fixture(scope="module")
def refusing_port() -> Iterator[int]:
    """Yield a port of this machine that nobody listens on, and that nobody else can get meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def settings(refusing_port: int) -> Callable[..., str]:
    """Return a function that returns settings full of canaries. mirror: the URL of prices; empty: the sample is the source."""

    def text(mirror: str = "") -> str:
        notices = ", ".join(f'"{url.format(port=refusing_port)}"' for url in NOTICES)
        kind, base_url = ("yahoo", mirror) if mirror else ("sample", MIRROR)
        return SETTINGS.format(notices=notices, kind=kind, base_url=base_url.format(port=refusing_port))

    return text


@pytest.fixture
def environment(refusing_port: int) -> dict[str, str]:
    """Return proxies that refuse, with canaries."""
    proxy = PROXY.format(port=refusing_port)
    return dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"), proxy)


Ended = subprocess.CompletedProcess[str]


def run_all(server: CommandServer, home: Path, commands: tuple[tuple[str, ...], ...], environment: dict[str, str]) -> list[Ended]:
    return [server.run(home.parent, ["--home", str(home), *command], environment) for command in commands]


def leaks(ended: list[Ended]) -> list[str]:
    """Return each command that showed a canary."""
    texts = [(done, text) for done in ended for text in (done.stdout, done.stderr)]
    return [f"{done.args[2:]}: {word} in {text[-500:]}" for done, text in texts for word in shows(text)]


def new_home(folder: Path, settings: str) -> Path:
    home = folder / "home"
    home.mkdir()
    (home / "tickercast.toml").write_text(settings, encoding="utf-8")
    (home / "tickercast.toml").chmod(0o600)
    return home


def test_no_command_shows_a_secret(
    tmp_path: Path, command_server: CommandServer, settings: Callable[..., str], environment: dict[str, str]
) -> None:
    home = new_home(tmp_path, settings())
    good = run_all(command_server, home, GOOD, environment)
    assert [done for done in good if done.returncode not in (0, 3)] == []
    failing = run_all(command_server, home, FAILING, environment)
    assert [done for done in failing if done.returncode in (0, 1)] == []
    assert leaks(good + failing) == []
    assert shown_in_files(tmp_path) == []


def test_the_list_of_a_backup_shows_no_secret(
    tmp_path: Path, command_server: CommandServer, settings: Callable[..., str], environment: dict[str, str]
) -> None:
    home = new_home(tmp_path, settings())
    [made, backed_up] = run_all(command_server, home, (("init",), ("backup", "kept.tar")), environment)
    assert (made.returncode, backed_up.returncode) == (0, 0)
    with tarfile.open(tmp_path / "kept.tar") as archive:
        members = [(member, archive.extractfile(member)) for member in archive]
        assert [name for member, _ in members for name in shows(repr(member.get_info()))] == []
        holding = [member.name for member, file in members if file is not None and shows(file.read())]
    assert holding == ["tickercast.toml"]
    assert (tmp_path / "kept.tar").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mirror", [MIRROR, "ftp://kanari26:kanari27@127.0.0.1"])
def test_a_source_that_cannot_be_reached_shows_no_secret(
    tmp_path: Path, command_server: CommandServer, settings: Callable[..., str], environment: dict[str, str], mirror: str
) -> None:
    home = new_home(tmp_path, settings(mirror))
    failing = run_all(command_server, home, (("init",), ("track", "MSFT"), ("backfill",), ("run",), ("status",)), environment)
    assert {done.returncode for done in failing[1:-1]} & {2, 4}
    assert leaks(failing) == []
    assert shown_in_files(tmp_path) == []


@pytest.mark.parametrize("url", WRONG_STORES)
def test_a_database_that_cannot_be_reached_shows_no_secret(tmp_path: Path, command_server: CommandServer, url: str) -> None:
    home = new_home(tmp_path, "")
    failing = run_all(command_server, home, (("status",), ("run",), ("verify",), ("daemon",)), {"TICKERCAST_STORE__URL": url})
    assert [done for done in failing if done.returncode not in (2, 5)] == []
    assert leaks(failing) == []
    assert shown_in_files(tmp_path) == []


@pytest.mark.parametrize("text", WRONG_SETTINGS)
def test_a_wrong_line_of_the_settings_shows_no_secret(tmp_path: Path, command_server: CommandServer, text: str) -> None:
    failing = run_all(command_server, new_home(tmp_path, text), (("status",), ("run",)), {})
    assert [done.returncode for done in failing] == [2, 2]
    assert leaks(failing) == []
    assert shown_in_files(tmp_path) == []


def read_page(port: int, path: str) -> bytes:
    """Return what a server on this machine answers, whatever its status. Proxies of this process are left out."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", f"/{path}")
    content = connection.getresponse().read()
    connection.close()
    assert content
    return content


def test_the_daemon_and_the_arguments_of_its_processes_show_no_secret(
    tmp_path: Path, command_server: CommandServer, settings: Callable[..., str], environment: dict[str, str]
) -> None:
    home = new_home(tmp_path, settings(MIRROR))
    run_all(command_server, home, (("init",), ("track", "MSFT")), environment)
    port = free_port()
    served = {**environment, "TICKERCAST_MONITOR__PORT": str(port)}
    daemon = command_server.start(home.parent, ["--home", str(home), "daemon"], served)
    log, seen = home / "log" / "daemon.log", set[str]()

    def has_failed() -> bool:
        seen.update(descendants(daemon.pid).values())
        return log.exists() and "cycle ended" in log.read_text()

    wait_until(has_failed)
    pages = [read_page(port, path) for path in ("healthz", "metrics")]
    (home / "tickercast.toml").write_text(UNKNOWN_KEY, encoding="utf-8")
    os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: "settings refused" in log.read_text())
    os.kill(daemon.pid, signal.SIGTERM)
    done = daemon.wait()
    assert done.returncode == 0
    assert seen
    assert leaks([done]) == []
    assert [word for page in pages for word in shows(page)] == []
    assert (home / "metrics.prom").exists()
    assert [word for arguments in seen for word in shows(arguments)] == []
    assert shown_in_files(tmp_path) == []
