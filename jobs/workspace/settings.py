"""The settings of a home: tickercast.toml, overridden by environment variables TICKERCAST_SECTION__KEY.

An unknown key is refused, and the message names the nearest known one. Command-line options, which override both, are handled by
the commands. Only this module, sections and setting_values import pydantic.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableValue

from tickercast.jobs.errors import SettingsError
from tickercast.jobs.exchanges.symbols import SymbolRefused, parse_symbol
from tickercast.jobs.terminal.secrets import learn_settings
from tickercast.jobs.workspace.config import BUNDLE, PRESETS, Config, refuse_contradictions
from tickercast.jobs.workspace.place import ENVIRONMENT_PREFIX, settings_bytes
from tickercast.jobs.workspace.sections import (
    BackupSection,
    ComputeSection,
    EventsSection,
    LogSection,
    ModelSection,
    MonitorSection,
    NoticesSection,
    PriorSection,
    RetentionSection,
    ScheduleSection,
    SourceSection,
    StoreSection,
    TrainingSection,
    WebSection,
    YahooSection,
)
from tickercast.jobs.workspace.setting_values import RETIRED_KEYS, first_problem, keys_of_type, refuse_wrong_types


class Settings(BaseSettings):
    """All settings of a home, typed and checked."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__", extra="ignore", frozen=True)
    store: StoreSection = StoreSection()
    source: SourceSection = SourceSection()
    yahoo: YahooSection = YahooSection()
    schedule: ScheduleSection = ScheduleSection()
    model: ModelSection = ModelSection()
    prior: PriorSection = PriorSection()
    events: EventsSection = EventsSection()
    training: TrainingSection = TrainingSection()
    compute: ComputeSection = ComputeSection()
    backup: BackupSection = BackupSection()
    monitor: MonitorSection = MonitorSection()
    notices: NoticesSection = NoticesSection()
    web: WebSection = WebSection()
    retention: RetentionSection = RetentionSection()
    log: LogSection = LogSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources by precedence: the environment, then the values of the file, which arrive as arguments."""
        return env_settings, init_settings

    def with_usual_store(self) -> Settings:
        """Return these settings with the database and the prices in their usual places in a home."""
        return self.model_copy(update={"store": StoreSection()})

    def config(self, preset: str | None = None) -> Config:
        """Return the config of these settings. For another preset than theirs: its defaults, since the settings do not fit it.

        Raises SettingsError where settings contradict each other.
        """
        if preset and preset != self.model.preset:
            return PRESETS[preset]
        return config_of(self.model, self.training, self.prior, self.events.assumed_sessions)


def config_of_values(values: Mapping[str, Any], where: str) -> Config:
    """Return the config of some settings of [model], [prior], [events] and [training] by their keys; None = the preset's value.

    No file and no environment is read. where: what a message refers to. Raises SettingsError, which names the key.
    """
    kinds: dict[str, Any] = {"model": ModelSection, "prior": PriorSection, "events": EventsSection, "training": TrainingSection}
    given = {name: {key: values[key] for key in fields_of(kind) if key in values} for name, kind in kinds.items()}
    refuse_wrong_types(kinds, given, where)
    model, prior, events, training = (kinds[name](**given[name]) for name in kinds)
    return config_of(model, training, prior, events.assumed_sessions)


def config_of(model: ModelSection, training: TrainingSection, prior: PriorSection, assumed_sessions: int) -> Config:
    """Return the config of some sections. Raises SettingsError where settings contradict each other."""
    values = {**model.model_dump(exclude={"preset"}), **training.model_dump()}
    config = replace(PRESETS[model.preset], **{key: value for key, value in values.items() if value is not None})
    if config.preset == "density":
        config = replace(config, assumed_sessions=assumed_sessions)
    is_without_prior = model.prior is None and training.prior_every == 0  # the way to say so before model.prior existed
    config = _with_prior(replace(config, prior="none") if is_without_prior else config, prior.universe)
    refuse_contradictions(config)
    return config


def _with_prior(config: Config, universe: Sequence[str]) -> Config:
    """Return a config with the keys of its kind of prior, and without those of other kinds. Raises SettingsError."""
    if config.prior == "none":
        return replace(config, universe=(), bundle=0, prior_every=0)
    if config.preset == "article":
        raise SettingsError(f"model.prior is {config.prior}: preset article has no prior; set it to none")
    if config.prior == "bundled":
        return replace(config, universe=(), bundle=BUNDLE)
    if not universe:
        raise SettingsError('model.prior is universe: name its members, as in prior.universe = ["AAPL", "MSFT"]')
    if not config.prior_every:
        raise SettingsError("training.prior_every is 0: a universe's prior needs at least 1 session between its fits")
    try:
        members = {parse_symbol(symbol) for symbol in universe}
    except SymbolRefused as error:
        raise SettingsError(f"prior.universe: {error}") from error
    return replace(config, universe=tuple(sorted(members)), bundle=0)


def read_settings(path: Path, environment: Mapping[str, str] | None = None, content: bytes | None = None) -> Settings:
    """Return the settings of a home's file and the environment. A missing file means all defaults.

    content: what to read in place of the file's. Raises SettingsError, which names the key, for an unknown key and for a value of
    the wrong type or out of range.
    """
    values = _read_toml(path, content)
    _refuse_unknown(_keys_of_file(values), str(path), {*known_keys(), *RETIRED_KEYS})
    for section, _, key in (name.partition(".") for name in retired_keys(path, content)):
        del values[section][key]
    environment = os.environ if environment is None else environment
    _refuse_unknown(_keys_of_environment(environment), "the environment", known_keys())
    refuse_wrong_types(_sections(), values, str(path))
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError(f"{first_problem(error, _sections())}; see {path} and the environment") from error
    except UnreadableValue:
        # The library's own text is not passed on, because it may quote the value.
        lists = [key for key in _keys_of_environment(environment) if key in keys_of_type(_sections(), tuple)]
        raise SettingsError(f'{" or ".join(lists)} in the environment: not a JSON list; write it like \'["a", "b"]\'') from None


def retired_keys(path: Path, content: bytes | None = None) -> list[str]:
    """Return the keys of a settings file that no longer have an effect. content: what to read in place of the file's."""
    return [key for key in _keys_of_file(_read_toml(path, content)) if key in RETIRED_KEYS]


def known_keys() -> list[str]:
    """Return every `section.key`, in the order of the settings file."""
    return [f"{section}.{key}" for section, field in Settings.model_fields.items() for key in fields_of(field.annotation)]


def _sections() -> dict[str, Any]:
    return {name: field.annotation for name, field in Settings.model_fields.items()}


def fields_of(section: Any) -> dict[str, FieldInfo]:
    return dict(section.model_fields)


def _read_toml(path: Path, content: bytes | None) -> dict[str, Any]:
    try:
        text = (settings_bytes(path) if content is None else content).decode()
        learn_settings(text)
        return tomllib.loads(text)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        twice = "; that section is there already: write the keys below it" if "twice" in str(error) else ""
        raise SettingsError(f"{path}: not valid TOML: {error}{twice}") from error
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error


def _keys_of_file(values: Mapping[str, Any]) -> Iterator[str]:
    for section, content in values.items():
        if isinstance(content, dict):
            yield from (f"{section}.{key}" for key in content)
        else:
            yield section  # a key outside of any section, which no known key equals


def _keys_of_environment(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the keys that variables name. One without `__` names none and is ignored, unless it is the name of a section."""
    for name in environment:
        key = name.upper().removeprefix(ENVIRONMENT_PREFIX).lower()
        if name.upper().startswith(ENVIRONMENT_PREFIX) and ("__" in key or key in Settings.model_fields):
            yield key.replace("__", ".")


def _refuse_unknown(keys: Iterator[str], where: str, accepted: Collection[str]) -> None:
    known = known_keys()
    for key in keys:
        if key in RETIRED_KEYS and key not in accepted:
            raise SettingsError(f"{key} in {where} has no effect any more; remove it; see {RETIRED_KEYS[key]}")
        if key not in accepted:
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise SettingsError(f"unknown setting {key!r} in {where}; the nearest known one is {nearest!r}")
