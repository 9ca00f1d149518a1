"""The settings of a home: tickercast.toml, overridden by TICKERCAST_SECTION__KEY, overridden by options.

Unknown keys are refused with the nearest known one. Called by the CLI only.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from jobs.errors import SettingsError
from jobs.workspace.config import PRESETS, Config

ENVIRONMENT_PREFIX = "TICKERCAST_"
NOT_SETTINGS = {"TICKERCAST_HOME"}


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Store(Section):
    url: SecretStr = Field(SecretStr(""), description="SQLAlchemy URL of the record; empty = tickercast.db in the home")
    prices: str = Field("", description="folder of the Parquet files; empty = prices/ in the home")


class SourceSection(Section):
    kind: Literal["yahoo", "folder", "sample"] = Field("yahoo", description="where prices come from")
    path: str = Field("", description="the folder of kind folder")
    adjustment: Literal["", "as_traded", "split", "full"] = Field(
        "", description="how the folder's prices are adjusted; must be stated for kind folder"
    )
    splits: tuple[str, ...] = Field((), description="splits that the folder does not tell, each as 'GOOGL 2022-07-18 20:1'")


class Yahoo(Section):
    base_url: str = Field("", description="a mirror or a loopback server that answers in Yahoo's place; empty = Yahoo")
    requests_per_second: float = Field(2.0, gt=0, le=1000, description="upper limit of requests")
    timeout_seconds: float = Field(20.0, gt=0, le=600, description="longest wait for one answer")
    ticker_seconds: float = Field(90.0, gt=0, le=3600, description="longest wait for one ticker, retries included")
    run_seconds: float = Field(7200.0, gt=0, le=86400, description="longest time that one run asks Yahoo; the rest waits")


class Schedule(Section):
    after_close_minutes: int = Field(45, ge=0, le=720, description="a session counts this long after its exchange closed")


class ModelSection(Section):
    preset: Literal["density", "article"] = Field("density", description="the settings below that are left out")
    cell: Literal["elman", "elman_relu", "gru", "lstm"] | None = Field(
        None, description="recurrent cell: elman, elman_relu, gru or lstm"
    )
    layers: int | None = Field(None, ge=1, le=3, description="recurrent layers, each over the states of the one below")
    hidden: int | None = Field(None, ge=1, le=256, description="hidden units")
    horizons: int | None = Field(None, ge=1, le=60, description="forecasts reach 1..horizons sessions ahead")
    field: Literal["close", "open"] | None = Field(None, description="the price that is forecast")
    history_sessions: int | None = Field(None, ge=0, le=10_000, description="bars a forecast sees; 0 = all (article)")
    recalibrate: bool | None = Field(None, description="let the scale follow the ticker's own misses (adaptive conformal)")
    market_ticker: str | None = Field(None, max_length=32, description="a market's ticker, whose volatility is an input too")


class Training(Section):
    cold_every: int | None = Field(None, ge=0, le=10_000, description="sessions between fixed cold starts; 0 = never")
    cold_epochs: int | None = Field(None, ge=1, le=10_000, description="passes over the history in a cold start")
    warm_epochs: int | None = Field(None, ge=0, le=1_000, description="passes in a warm start")
    optimizer: Literal["adam", "adamw", "sgd"] | None = Field(None, description="adam, adamw or sgd (with momentum)")
    schedule: Literal["constant", "half_cosine", "linear_warm_up"] | None = Field(
        None, description="learning rate over the epochs: constant, half_cosine or linear_warm_up"
    )
    learning_rate: float | None = Field(None, gt=0, le=1, description="the optimizer's step size")
    patience: int | None = Field(
        None, ge=0, le=1_000, description="epochs without a better validation loss before a training stops; 0 = never"
    )
    window: int | None = Field(None, ge=2, le=1_000, description="sessions fed to the network at once")
    truncation: int | None = Field(None, ge=0, le=1_000, description="sessions a gradient flows back; 0 = the window")
    prior_every: int | None = Field(None, ge=0, le=10_000, description="sessions between fits of the pooled prior; 0 = none")
    prior_sessions: int | None = Field(None, ge=300, le=20_000, description="bars of each member that the prior learns from")
    prior_epochs: int | None = Field(None, ge=1, le=10_000, description="passes of a prior's fit")
    prior_learning_rate: float | None = Field(None, gt=0, le=1, description="largest step size of a prior's fit")
    tune_epochs: int | None = Field(None, ge=1, le=1_000, description="passes of a cold start that begins from the prior")


class Compute(Section):
    workers: int = Field(0, ge=0, le=256, description="processes that train; 0 = one per core")
    stack: int = Field(128, ge=1, le=2_000, description="most networks trained in lockstep")


class Settings(BaseSettings):
    """All settings of a home, checked and typed."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__", extra="ignore", frozen=True)
    store: Store = Store()
    source: SourceSection = SourceSection()
    yahoo: Yahoo = Yahoo()
    schedule: Schedule = Schedule()
    model: ModelSection = ModelSection()
    training: Training = Training()
    compute: Compute = Compute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the order of precedence: the environment over the file's values, which arrive as arguments."""
        return env_settings, init_settings

    def config(self, preset: str | None = None) -> Config:
        """Return the config these settings name, or another preset's own, which the file's figures do not fit."""
        if preset and preset != self.model.preset:
            return PRESETS[preset]
        base = PRESETS[self.model.preset]
        stated = {**self.model.model_dump(exclude={"preset"}), **self.training.model_dump()}
        config = replace(base, **{key: value for key, value in stated.items() if value is not None})
        if config.preset == "density" and config.history_sessions < config.fewest_sessions:
            raise SettingsError(
                f"model.history_sessions is {config.history_sessions}: the density model needs at least "
                f"{config.fewest_sessions} bars with training.window {config.window}"
            )
        if config.preset == "article" and config.warm_epochs:
            raise SettingsError(f"training.warm_epochs is {config.warm_epochs}: preset article trains once; set it to 0")
        return config


def read_settings(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of a home's file and the environment. A missing file means all defaults.

    Raises SettingsError, which names the key, for anything unknown, mistyped or out of range.
    """
    values = _read_toml(path)
    _refuse_unknown(_flatten(values), str(path))
    environment = os.environ if environment is None else environment
    _refuse_unknown(_environment_keys(environment), "the environment")
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{where}: {first['msg']} (given: {first['input']!r}); see {path}") from error


def known_keys() -> list[str]:
    """Return every `section.key`, in the order of the settings file."""
    return [f"{section}.{key}" for section, field in Settings.model_fields.items() for key in _keys(field.annotation)]


def settings_template(preset: str = "density") -> str:
    """Return the text of a new settings file: every key with its meaning, commented out at its default."""
    lines = ["# Tickercast settings. Uncomment a line to change it; TICKERCAST_SECTION__KEY overrides it.", ""]
    for section, field in Settings.model_fields.items():
        lines.append(f"[{section}]")
        for key, info in _keys(field.annotation).items():
            value = _default_of(section, key, info.default, preset)
            mark = "" if (section, key) == ("model", "preset") and preset != "density" else "# "
            lines.append(f"{mark}{key} = {_toml(value)}".ljust(44) + f"# {info.description}")
        lines.append("")
    return "\n".join(lines)


def _default_of(section: str, key: str, default: object, preset: str) -> object:
    if key == "preset":
        return preset
    if default is None:
        return getattr(PRESETS[preset], key)
    return default.get_secret_value() if isinstance(default, SecretStr) else default


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _keys(section: Any) -> dict[str, Any]:
    return dict(section.model_fields)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error


def _flatten(values: Mapping[str, Any]) -> Iterator[str]:
    for section, content in values.items():
        if not isinstance(content, dict):
            yield section
            continue
        yield from (f"{section}.{key}" for key in content)


def _environment_keys(environment: Mapping[str, str]) -> Iterator[str]:
    for name in environment:
        if name.startswith(ENVIRONMENT_PREFIX) and name not in NOT_SETTINGS:
            yield name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")


def _refuse_unknown(keys: Iterator[str], where: str) -> None:
    known = known_keys()
    for key in keys:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise SettingsError(f"unknown setting {key!r} in {where}; the nearest known one is {near[0]!r}")
