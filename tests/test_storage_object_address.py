"""URLs of buckets: which are taken, and that none with a login is, nor shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Command
from tickercast.jobs.errors import SettingsError
from tickercast.jobs.terminal.secrets import hide_secrets, learn_settings
from tickercast.jobs.workspace.place import Place
from tickercast.jobs.workspace.settings import read_settings
from tickercast.storage.object_address import AddressRefused, object_address

CANARY = "canary7Secret"


def test_an_address_has_a_bucket_a_prefix_and_options() -> None:
    address = object_address("s3://bars/desk/?region=eu-west-1&endpoint_override=10.0.0.5:9000")
    assert (str(address), address.key) == ("s3://bars/desk", "bars/desk")
    assert address.options == {"region": "eu-west-1", "endpoint_override": "10.0.0.5:9000"}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"s3://user:{CANARY}@bars/desk", "has no login"),
        (f"s3://{CANARY}@bars", "has no login"),
        (f"gs://user:{CANARY}@bars", "has no login"),
        (f"s3://bars/desk?secret_key={CANARY}", "none of endpoint_override"),
        (f"s3://bars?endpoint_override=user:{CANARY}@host", "has a login"),
        ("s3:///desk", "names no bucket"),
        ("ftp://bars/desk", "ftp:// is no known object store"),
    ],
)
def test_a_url_that_no_store_can_have_is_refused_and_its_secret_is_not_shown(url: str, reason: str, tmp_path: Path) -> None:
    settings = tmp_path / "tickercast.toml"
    settings.write_text(f'[store]\nprices = "{url}"\n')
    with pytest.raises(AddressRefused, match=reason):
        object_address(url)
    for refused in (lambda: read_settings(settings, {}), lambda: Place(tmp_path, "", url).prices):
        with pytest.raises(SettingsError, match=f"store.prices: .*{reason}") as shown:
            refused()
        assert CANARY not in str(shown.value)


def test_a_login_in_the_settings_is_hidden_from_every_text_and_a_bucket_is_not() -> None:
    learn_settings(f'[store]\nprices = "s3://user:{CANARY}@bars-of-desk/x?secret_key=other{CANARY}"\n')
    assert hide_secrets(f"at bars-of-desk: {CANARY}, other{CANARY}") == "at bars-of-desk: ***, ***"


def test_what_opens_a_bucket_is_hidden_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{CANARY}/of+the/environment")
    assert CANARY not in hide_secrets(f"signed with {CANARY}/of+the/environment")


@pytest.mark.slow
def test_a_command_refuses_a_url_with_a_login_in_one_line(tickercast: Command) -> None:
    ended = tickercast("init", TICKERCAST_STORE__PRICES=f"s3://user:{CANARY}@bars/x")
    assert (ended.returncode, ended.stderr.count("\n"), CANARY in ended.stderr) == (2, 1, False)
