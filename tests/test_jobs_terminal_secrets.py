"""Secrets are hidden in every form in which a library may print them, and nothing else is."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from pydantic import SecretStr

from tests.builders import Record
from tickercast.jobs.runs.move import move
from tickercast.jobs.terminal import secret_parts
from tickercast.jobs.terminal.secrets import Secrets, hide_secrets
from tickercast.jobs.terminal.streams import HidingStream
from tickercast.jobs.workspace import settings
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.setting_values import keys_of_type
from tickercast.storage import writes
from tickercast.storage.database import open_writer
from tickercast.storage.errors import ServerUnreachable

PASSWORD = "kept/Se cret%&+ä"
WRITTEN = quote(PASSWORD, safe="")
FORMS = {
    "as it is": PASSWORD,
    "encoded": WRITTEN,
    "encoded in lower case": WRITTEN.replace("%2F", "%2f"),
    "with a slash": quote(PASSWORD),
    "of a form": quote_plus(PASSWORD),
    "encoded twice": quote(WRITTEN, safe=""),
    "as JSON": json.dumps(PASSWORD),
    "as repr": repr(PASSWORD),
    "as ASCII": ascii(PASSWORD),
    "in a header": base64.b64encode(f"amy:{PASSWORD}".encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_password_is_hidden_in_every_form(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://amy:{WRITTEN}@proxy.example.com:3128")
    shown = Secrets().hidden(f"cannot connect: {FORMS[form]}, retry")
    assert shown.replace("'", "").replace('"', "") == "cannot connect: ***, retry"


@pytest.mark.parametrize(
    ("setting", "secret"),
    [
        ('[store]\nurl = "postgresql://amy:hunter22@db.example.com/record"', "hunter22"),
        ('[store]\nurl = "sqlite:///x.db?key=hunter22"', "hunter22"),
        ('[store]\nurl = {password = "hunter22"}', "hunter22"),
        ('[store]\nurl = "amy:hunter22@db.example.com"', "hunter22"),
        ('[notices]\nurls = ["mailto://amy:hunter22@example.com"]', "hunter22"),
        ('[notices]\nurls = ["slack://TokenA1/TokenB2/TokenC3"]', "TokenA1"),
        ('[notices]\nurls = ["slack://TokenA1/TokenB2/TokenC3"]', "TokenB2"),
        ('[notices]\nurls = ["https://hooks.example.com/services/T0AAA/B0BBB"]', "B0BBB"),
        ('[notices]\nurls = ["json://example.com/?token=hunter22"]', "hunter22"),
        ('[notices]\nurls = ["json://example.com/#hunter22"]', "hunter22"),
        ('[notices]\nurls = ["sendgrid://SG.aaa111.bbb222:me@example.com"]', "SG.aaa111.bbb222"),
        ('[notices]\nurls = ["tgram://123456789:AAbbCC-dd/42424242"]', "AAbbCC-dd"),
        ('[yahoo]\nbase_url = "http://amy:hunter22@mirror.example.com"', "hunter22"),
        ('[store]\nurl = "postgresql://amy:hunter22@db.example.com/record\n', "hunter22"),
        ('[web]\ntoken = "a long token of hunter22"', "a long token of hunter22"),
    ],
)
def test_a_secret_of_the_settings_is_hidden(setting: str, secret: str) -> None:
    known = Secrets()
    known.learn(setting)
    assert known.hidden(f"error ({secret}) in {secret.lower()}") == "error (***) in ***"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("http_proxy", "amy:hunter22@proxy.example.com:3128"),
        ("ALL_PROXY", "socks5h://amy:hunter22@proxy.example.com"),
        ("TICKERCAST_STORE__URL", "postgresql://amy:hunter22@db.example.com/record"),
        ("TICKERCAST_NOTICES__URLS", '["mailto://amy:x@example.com", "json://example.com/hunter22"]'),
        ("TICKERCAST_WEB__TOKEN", "hunter22"),
        ("SOME_DATABASE", "mysql://amy:hunter22@db.example.com/record"),
    ],
)
def test_a_secret_of_the_environment_is_hidden(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert Secrets().hidden("error: hunter22") == "error: ***"


def test_a_url_that_nobody_learnt_shows_neither_login_nor_token() -> None:
    shown = Secrets().hidden("not mysql://amy:pass@db/x and not https://h/y?a=1&api_token=tt&b=2")
    assert shown == "not mysql://***@db/x and not https://h/y?a=1&api_token=***&b=2"


def test_the_beginning_of_a_long_secret_is_hidden() -> None:
    known = Secrets()
    known.learn('[notices]\nurls = ["json://example.com/0123456789abcdefghij"]')
    assert known.hidden("json://example.com/0123456789abcde... and more") == "json://example.com/*** and more"


def test_what_is_no_secret_stays_legible() -> None:
    known = Secrets()
    known.learn('[notices]\nurls = ["ntfy://ntfy.example.com/tickercast?format=text", "json://localhost:8080/done"]')
    text = "run `tickercast backfill`; ntfy.example.com, localhost:8080 and text are shown, condoned too"
    assert known.hidden(text) == text


def test_secrets_of_earlier_settings_stay_hidden() -> None:
    known = Secrets()
    known.learn('[notices]\nurls = ["json://example.com/earlier1"]')
    known.hidden("")
    known.learn('[notices]\nurls = ["json://example.com/later222"]')
    assert known.hidden("earlier1 later222") == "*** ***"


def test_the_password_of_the_login_that_reads_is_hidden() -> None:
    known = Secrets()
    known.learn('[store]\nreader_url = "postgresql://reader:hunter22@db.example/forecasts"')
    assert known.hidden("FATAL: hunter22") == "FATAL: ***"


def test_every_secret_setting_is_one_that_is_hidden() -> None:
    keys = keys_of_type({name: field.annotation for name, field in settings.Settings.model_fields.items()}, SecretStr)
    assert [
        key for key in keys if key not in ("store.url", "store.reader_url", "web.token") and not key.startswith("notices.")
    ] == []
    assert "store.url" in keys


def test_stderr_shows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://amy:{WRITTEN}@proxy.example.com")
    with (tmp_path / "stderr").open("w+") as file:
        stream = HidingStream(file)
        stream.writelines([f"a {PASSWORD}\n", "b\n"])
        assert not hasattr(stream, "buffer")
        file.seek(0)
        assert file.read() == "a ***\nb\n"


def test_a_message_in_the_database_has_no_secret_and_other_texts_stay(record: Record) -> None:
    engine = open_writer(record.database, clean=lambda text: text.replace("secret", "***"))
    with engine.begin() as connection:
        writes.update_ticker(connection, 1, last_error="a secret", status="active")
        connection.exec_driver_sql("UPDATE symbols SET symbol = 'secret' WHERE ticker_id = 1")
        found = connection.exec_driver_sql("SELECT last_error FROM tickers WHERE id = 1").scalar()
        assert found == "a ***"
        assert connection.exec_driver_sql("SELECT symbol FROM symbols WHERE ticker_id = 1").scalar() == "secret"
    engine.dispose()


def test_a_thread_hides_what_another_thread_is_just_looking_through(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets, shown = Secrets(), list[str]()
    secrets.learn('[notices]\nurls = ["json://example.com/hunter22"]')
    other = threading.Thread(target=lambda: shown.append(secrets.hidden("key hunter22")))
    parts_of = secret_parts.of_settings

    def while_another_hides(text: str) -> Iterator[str]:
        other.start()
        other.join(0.1)
        return parts_of(text)

    monkeypatch.setattr(secret_parts, "of_settings", while_another_hides)
    secrets.hidden("")
    other.join()
    assert shown == ["key ***"]


def test_a_password_that_move_is_given_is_hidden_whatever_quotes_it_has(make_home: Callable[[str], Home]) -> None:
    with pytest.raises(ServerUnreachable):
        move(make_home("home"), 'postgresql://amy:it\'s-"quoted"@127.0.0.1:9/record', wait_seconds=0)
    assert hide_secrets("""it's-"quoted\"""") == "***"
