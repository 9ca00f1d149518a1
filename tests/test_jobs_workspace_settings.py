"""Settings: the file, the environment over it, the config that they give, and the lists of allowed names."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from tickercast.jobs.errors import SettingsError
from tickercast.jobs.prices.sources.folder import BASES
from tickercast.jobs.workspace import choices
from tickercast.jobs.workspace.config import BUNDLE, PRESETS
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.place import open_place
from tickercast.jobs.workspace.settings import Settings, known_keys, read_settings
from tickercast.jobs.workspace.settings_template import settings_template
from tickercast.rnn.cells import CELLS
from tickercast.rnn.density import DensityLayout
from tickercast.rnn.optimizers import OPTIMIZERS, SCHEDULES


def settings_of(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    (tmp_path / "t.toml").write_text(text)
    return read_settings(tmp_path / "t.toml", environment or {})


def test_the_template_names_every_key_and_means_the_defaults(tmp_path: Path) -> None:
    template = settings_template()
    assert all(f"# {key.split('.')[1]} = " in template for key in known_keys())
    uncommented = "\n".join(line.removeprefix("# ") if " = " in line else line for line in template.splitlines()[2:])
    assert settings_of(tmp_path, uncommented).config() == settings_of(tmp_path, "").config() == PRESETS["density"]


def test_a_pipe_or_a_device_in_the_place_of_the_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tickercast.toml")
    with pytest.raises(SettingsError, match="not a regular file"):
        open_place(tmp_path, {})
    (tmp_path / "device.toml").symlink_to("/dev/zero")
    with pytest.raises(SettingsError, match="not a regular file"):
        read_settings(tmp_path / "device.toml", {})


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKERCAST_MODEL__HIDDEN", "9")
    assert settings_of(tmp_path, "[model]\nhidden = 5\nhorizons = 3\n").config().hidden == 9
    assert settings_of(tmp_path, "[model]\nhidden = 5\nhorizons = 3\n").config().horizons == 3


def test_the_config_hash_covers_the_model_and_the_training_only(tmp_path: Path) -> None:
    plain = settings_of(tmp_path, "").config().id
    assert settings_of(tmp_path, "[compute]\nworkers = 1\n[yahoo]\ntimeout_seconds = 5\n").config().id == plain
    shaping = ["warm_epochs = 3", 'learns = "network"', "learned_sessions = 1511"]
    others = [settings_of(tmp_path, f"[training]\n{line}\n").config().id for line in shaping]
    assert len({plain, *others}) == 4


def test_a_history_too_short_for_its_window_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="history_sessions is 120"):
        settings_of(tmp_path, "[model]\nhistory_sessions = 120\n").config()


def test_a_cold_start_needs_a_window_of_bars_to_learn_factors_from(tmp_path: Path) -> None:
    few = "[training]\nwindow = 200\nlearned_sessions = 229\n"
    with pytest.raises(SettingsError, match=r"learned_sessions is 229: with training.window 200 .* at least 230 bars"):
        settings_of(tmp_path, few).config()
    assert settings_of(tmp_path, few.replace("229", "230")).config().learned_sessions == 230
    assert settings_of(tmp_path, f'{few}learns = "network"\n').config().learned_sessions == 229
    assert settings_of(tmp_path, f'{few}[model]\nprior = "none"\n').config().learned_sessions == 229


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[model]\ncell = "rnn"\n', "model.cell"), ("[model]\nlayers = 4\n", "model.layers"),
        ('[training]\noptimizer = "lion"\n', "training.optimizer"), ("[training]\npatience = -1\n", "training.patience"),
    ],
)  # fmt: skip
def test_an_unknown_network_or_optimizer_is_refused_by_its_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings_of(tmp_path, text)


@pytest.mark.parametrize("section", ["monitor", "web"])
def test_a_host_that_is_no_address_is_refused_in_one_plain_line(tmp_path: Path, section: str) -> None:
    with pytest.raises(SettingsError, match=rf"{section}\.host: neither an IP address nor localhost \(given: 'banana'\)"):
        settings_of(tmp_path, f'[{section}]\nhost = "banana"\n')


@pytest.mark.parametrize(
    ("allowed", "implemented"),
    [
        (choices.Cell, CELLS),
        (choices.Optimizer, OPTIMIZERS),
        (choices.Schedule, SCHEDULES),
        (choices.Preset, PRESETS),
        (choices.Adjustment, BASES),
    ],
    ids=["cell", "optimizer", "schedule", "preset", "adjustment"],
)
def test_the_allowed_names_are_those_that_the_code_implements(allowed: object, implemented: dict[str, object]) -> None:
    assert set(get_args(allowed)) == set(implemented)


def test_a_template_of_the_article_states_its_preset(tmp_path: Path) -> None:
    template = settings_template("article")
    assert '\npreset = "article"' in template
    assert settings_of(tmp_path, template).config() == PRESETS["article"]


def test_another_preset_than_the_settings_has_its_own_values(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "[model]\nhidden = 5\n")
    assert settings.config("article") == PRESETS["article"]
    assert settings.config("density").hidden == 5


def test_the_article_trains_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="warm_epochs is 2: preset article trains once"):
        settings_of(tmp_path, '[model]\npreset = "article"\n[training]\nwarm_epochs = 2\n').config()


@pytest.mark.parametrize(
    ("text", "environment", "message"),
    [
        ("[model]\nhiden = 3\n", {}, "unknown setting 'model.hiden' in .*t.toml; the nearest known one is 'model.hidden'"),
        ("hidden = 3\n", {}, "unknown setting 'hidden' in .*t.toml"),
        ("", {"TICKERCAST_MODEL__HIDEN": "3"}, "unknown setting 'model.hiden' in the environment; the nearest .* 'model.hidden'"),
        ("[model\n", {}, "not valid TOML"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(
    tmp_path: Path, text: str, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        settings_of(tmp_path, text, environment)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model]\nhidden = true\n", r"model.hidden: .*integer \(given: True\); see .*t.toml"),
        ('[model]\nhidden = "3"\n', r"model.hidden: .*integer \(given: '3'\)"),
        ("[model]\nhidden = 3.0\n", r"model.hidden: .*integer \(given: 3.0\)"),
        ("[model]\nrecalibrate = 1\n", "model.recalibrate: .*boolean"),
        ("[yahoo]\ntimeout_seconds = false\n", "yahoo.timeout_seconds: .*number"),
        ("[store]\nprices = 2020-01-01\n", "store.prices: .*string"),
        ("[source]\nsplits = [1]\n", "source.splits.0: .*string"),
        ("[compute]\nworkers = nan\n", "compute.workers: .*integer"),
        ('[prior]\nuniverse = "AAPL"\n', r'prior.universe: a list is written in brackets, as in \["a", "b"\]'),
        ("[model]\n[model]\n", "that section is there already: write the keys below it"),
    ],
)
def test_a_value_of_another_type_than_its_key_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings_of(tmp_path, text)


def test_a_whole_number_is_a_number(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "[yahoo]\ntimeout_seconds = 5\n").yahoo.timeout_seconds == 5.0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("TICKERCAST_SOURCE__SPLITS", "GOOGL 2022-07-18 20:1", "source.splits in the environment: not a JSON list"),
        ("TICKERCAST_SOURCE__SPLITS", '{"a": 1}', "source.splits: .*see .* and the environment"),
        ("TICKERCAST_MODEL__HIDDEN", "true", "model.hidden: .*integer"),
        ("TICKERCAST_MODEL__HIDDEN", "", "model.hidden: .*integer"),
        ("tickercast_model", "x", "unknown setting 'model' in the environment"),
    ],
)
def test_a_value_of_the_environment_that_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    (tmp_path / "t.toml").touch()
    with pytest.raises(SettingsError, match=message):
        read_settings(tmp_path / "t.toml")


@pytest.mark.parametrize(
    "text",
    [
        '[store]\nurl = ["postgresql://me:hunter2@host"]\n',
        '[store]\nurl = {password = "hunter2"}\n',
        'store = "postgresql://me:hunter2@host"\n',
        '[store]\nurl = "postgresql://me:hunter2@host"\n',
        '[store]\nurl = "me:hunter2@host"\n',
        '[store]\nurl = "hunter2"\n',
    ],
)
def test_no_error_shows_a_password_of_the_store(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        _ = Home(tmp_path, settings_of(tmp_path, text)).database
    assert "hunter2" not in str(caught.value)


def test_an_error_shows_no_more_than_the_beginning_of_a_value(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_of(tmp_path, f'[model]\ncell = "{"x" * 5000}"\n')
    assert len(str(caught.value)) < 400


def test_a_window_without_a_session_that_counts_is_refused_with_the_limit(tmp_path: Path) -> None:
    fewest = DensityLayout().burn_in + 1
    assert settings_of(tmp_path, f"[training]\nwindow = {fewest}\n").config().window == fewest
    with pytest.raises(SettingsError, match=f"training.window is {fewest - 1}: the density model needs at least {fewest}"):
        settings_of(tmp_path, f"[training]\nwindow = {fewest - 1}\n").config()


def test_the_homes_variable_is_not_a_setting(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "", {"TICKERCAST_HOME": "/data"}).config() == PRESETS["density"]


UNIVERSE = '[model]\nprior = "universe"\n[prior]\nuniverse = ["msft", "AAPL", "MSFT"]\n'


@pytest.mark.parametrize("text", ["[training]\nprior_every = 0\n", '[model]\nprior = "none"\n'])
def test_a_config_without_a_prior_has_no_keys_of_one(tmp_path: Path, text: str) -> None:
    config = settings_of(tmp_path, text).config()
    assert (config.prior, config.universe, config.bundle, config.prior_every) == ("none", (), 0, 0)
    assert not set(json.loads(config.settings_json)) & {"prior", "universe", "bundle"}


def test_the_config_names_its_prior(tmp_path: Path) -> None:
    bundled, universe = settings_of(tmp_path, "").config(), settings_of(tmp_path, UNIVERSE).config()
    assert (bundled.prior, bundled.universe, bundled.bundle) == ("bundled", (), BUNDLE)
    assert (universe.prior, universe.universe, universe.bundle) == ("universe", ("AAPL", "MSFT"), 0)
    other = settings_of(tmp_path, UNIVERSE.replace("AAPL", "IBM")).config()
    next_bundle = replace(bundled, bundle=BUNDLE + 1)
    assert len({config.id for config in (bundled, universe, other, next_bundle)}) == 4


def test_members_of_a_universe_that_is_not_used_are_no_part_of_the_config(tmp_path: Path) -> None:
    assert settings_of(tmp_path, '[prior]\nuniverse = ["MSFT"]\n').config() == PRESETS["density"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[model]\nprior = "universe"\n', "model.prior is universe: name its members"),
        (UNIVERSE + "[training]\nprior_every = 0\n", "training.prior_every is 0"),
        (UNIVERSE.replace("AAPL", "../x"), "prior.universe: '../x' is not a ticker symbol"),
        ('[model]\npreset = "article"\nprior = "bundled"\n', "model.prior is bundled: preset article has no prior"),
        ('[model]\nprior = "mine"\n', "model.prior"),
    ],
)
def test_a_prior_that_cannot_be_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings_of(tmp_path, text).config()


def test_a_variable_of_an_earlier_version_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"^model.market_ticker in the environment has no effect any more; .* model.reference$"
    ):
        settings_of(tmp_path, "", {"TICKERCAST_MODEL__MARKET_TICKER": ""})


def test_keys_of_earlier_versions_are_accepted_and_named(tmp_path: Path) -> None:
    (tmp_path / "tickercast.toml").write_text('[model]\nmarket_ticker = "^GSPC"\n[training]\nprior_epochs = 7\n')
    home = Home(tmp_path, read_settings(tmp_path / "tickercast.toml"))
    assert home.settings.config() == PRESETS["density"]
    assert home.retired_settings() == [
        "model.market_ticker in tickercast.toml has no effect any more; see model.reference",
        "training.prior_epochs in tickercast.toml has no effect any more; see training.prior_steps",
    ]
