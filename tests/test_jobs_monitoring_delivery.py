"""Messages reach real servers. What does not arrive has a reason in our own words, in bounded time, and shows no secret."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.conftest import Command
from tests.loopback_mail import loopback_mail
from tests.loopback_webhook import LoopbackWebhook
from tickercast.jobs.monitoring.delivery import NO_SERVICE, Message, deliver
from tickercast.jobs.workspace.home import Home

pytestmark = pytest.mark.slow

MakeHome = Callable[[str, str], Home]
MESSAGE = Message("Tickercast: IBM late", "IBM is <late> & so on\nHome: here", "warning")
IDLE = """
import sys
import tickercast.jobs.cli.app, tickercast.jobs.runs.daemon
print(sorted({"apprise", "requests", "numpy"} & set(sys.modules)))
"""


def test_a_message_arrives_at_a_webhook_and_by_mail(webhook: LoopbackWebhook) -> None:
    with loopback_mail() as mail:
        found = deliver([webhook.url, mail.url(), mail.url("wrong-token")], MESSAGE)
        (letter,) = mail.received
    assert [(delivery.name, delivery.problem) for delivery in found] == [
        ("URL 1 (json)", None),
        ("URL 2 (mailto)", None),
        ("URL 3 (mailto)", "login refused"),
    ]
    assert [(m["title"], m["message"], m["type"]) for m in webhook.received] == [(MESSAGE.title, MESSAGE.body, "warning")]
    assert (letter["Subject"], letter["From"], letter["To"]) == (MESSAGE.title, "amy@example.com", "bob@example.com")
    text = letter.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert text.decode().splitlines()[0] in ("IBM is <late> & so on", "IBM is &lt;late&gt; &amp; so on")


def test_each_failure_has_a_reason_without_a_secret_and_a_slow_server_is_not_waited_for(webhook: LoopbackWebhook) -> None:
    webhook.status = 0
    start = time.monotonic()
    found = deliver([webhook.url, "json://user:token@127.0.0.1:9/token", "nosuch://token/token"], MESSAGE, seconds=2.0)
    assert time.monotonic() - start < 6
    assert [delivery.problem for delivery in found] == ["no answer in time", "connection refused", NO_SERVICE]
    assert "token" not in str(found)


def test_the_command_tries_each_url_and_shows_no_secret(
    make_home: MakeHome, tickercast: Command, webhook: LoopbackWebhook
) -> None:
    home = make_home("home", "").folder
    (home / "tickercast.toml").write_text(f'[notices]\nurls = ["{webhook.url}", "json://127.0.0.1:9/path-token"]\n')
    tried = tickercast("--home", home, "notices", "--test", "--format", "json")
    assert tried.returncode == 4
    assert json.loads(tried.stdout) == [
        {"url": "URL 1 (json)", "result": "delivered"},
        {"url": "URL 2 (json)", "result": "connection refused"},
    ]
    assert tried.stderr == "error: 1 of 2 URLs did not work, first URL 2 (json): connection refused\n"
    assert webhook.titles == ["a test"]
    (home / "tickercast.toml").write_text('[notices]\nurls = ["slak://path-token/"]\n')
    unknown = tickercast("--home", home, "notices", "--test")
    assert (unknown.returncode, "token" in unknown.stdout + unknown.stderr) == (2, False)


def test_an_idle_daemon_has_not_loaded_what_sends_messages() -> None:
    found = subprocess.run([sys.executable, "-c", IDLE], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
