"""The sections of the settings file: every key with its type, its default, its limits and the line that describes it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError

from tickercast.jobs.workspace.choices import (
    Adjustment,
    Cell,
    ComputeEngine,
    Learns,
    Optimizer,
    Preset,
    PriceField,
    PriorKind,
    ReferenceKind,
    Schedule,
    SourceKind,
)
from tickercast.jobs.workspace.limits import (
    AFTER_CLOSE_MINUTES,
    DISK_FREE_MEGABYTES,
    FAILURES,
    GRACE_MINUTES,
    LATE_HOURS,
    MONITOR_HOST,
    is_address,
)
from tickercast.jobs.workspace.setting_values import REFUSED_URL
from tickercast.storage.object_address import AddressRefused, is_url, object_address

NOTICE_URL = re.compile(r"[A-Za-z][\w+.-]*://[^\s/]\S*")
SCHEDULER = re.compile(r"(tcp|tls)://([\w.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}")
SHORTEST_TOKEN = 16
NO_URL = "URL {number} is none; write it like mailto://user:password@example.com or json://host/path (it is not shown)"


def _either(choices: object) -> str:
    """Return the names of a Literal type as text: a, b or c."""
    *most, last = get_args(choices)
    return f"{', '.join(most)} or {last}"


def _address(host: str) -> str:
    if not is_address(host):
        raise PydanticCustomError("address", "neither an IP address nor localhost")
    return host


def _prices(value: str) -> str:
    try:
        return object_address(value).url if is_url(value) else value
    except AddressRefused as error:
        raise PydanticCustomError(REFUSED_URL, str(error)) from error


Address = Annotated[str, AfterValidator(_address)]
StorePrices = Annotated[str, AfterValidator(_prices)]


class Section(BaseModel):
    """A section of the settings file. A default of None means: as in the preset."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSection(Section):
    url: SecretStr = Field(
        default=SecretStr(""),
        description="the record: sqlite:///PATH or postgresql://USER@HOST/DATABASE; empty = tickercast.db in the home",
    )
    reader_url: SecretStr = Field(
        default=SecretStr(""),
        description="the record on a server by a login that may only read; `sql` uses it, and `serve` needs it",
    )
    prices: StorePrices = Field(
        default="", description="folder of the Parquet files, or a bucket as s3://bucket/prefix; empty = prices/ in the home"
    )


class SourceSection(Section):
    kind: SourceKind = Field(default="yahoo", description=f"where prices come from: {_either(SourceKind)}")
    path: str = Field(default="", description="the folder, if kind is folder")
    adjustment: Literal["", Adjustment] = Field(
        default="", description=f"how the folder's prices are adjusted: {_either(Adjustment)}; no default"
    )
    splits: tuple[str, ...] = Field(
        default=(), description="splits that the folder's files lack, each like 'GOOGL 2022-07-18 20:1'"
    )


class YahooSection(Section):
    base_url: str = Field(default="", description="a mirror or a loopback server to use instead of Yahoo; empty = Yahoo")
    requests_per_second: float = Field(default=2.0, gt=0, le=1000, description="most requests per second")
    timeout_seconds: float = Field(default=20.0, gt=0, le=600, description="longest wait for one response")
    ticker_seconds: float = Field(default=90.0, gt=0, le=3600, description="longest time for one ticker, retries included")
    run_seconds: float = Field(
        default=21600.0, gt=0, le=86400, description="longest time that one run fetches; the next run fetches the rest"
    )


class ScheduleSection(Section):
    after_close_minutes: int = Field(
        default=AFTER_CLOSE_MINUTES,
        ge=0,
        le=720,
        description="minutes after its exchange's close until a session counts as closed",
    )


class MonitorSection(Section):
    host: Address = Field(
        default=MONITOR_HOST, description="address that the daemon serves /healthz and /metrics on; other machines reach 0.0.0.0"
    )
    port: int = Field(default=0, ge=0, le=65_535, description="port for that; 0 = nothing is served")
    textfile: str = Field(
        default="", description="file of the metrics for node_exporter, written each minute, name it *.prom; empty = none"
    )
    grace_minutes: int = Field(
        default=GRACE_MINUTES,
        ge=0,
        le=20_160,
        description="minutes after schedule.after_close_minutes until a session is late",
    )


class WebSection(Section):
    host: Address = Field(
        default="127.0.0.1", description="address that `serve` serves the pages on; other machines reach 0.0.0.0"
    )
    port: int = Field(default=8001, ge=0, le=65_535, description="port for that; 0 = any that is free")
    token: SecretStr = Field(
        default=SecretStr(""), description="what a visitor signs in with, 16 characters or more; needed beyond loopback"
    )
    user_header: str = Field(
        default="", description="header in which a reverse proxy that signs visitors in names them, like X-Forwarded-User"
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(), max_length=100, description="addresses or networks of the proxies that may set that header"
    )
    hosts: tuple[str, ...] = Field(
        default=(), max_length=100, description="further names that the server answers to, as in a proxy's Host header"
    )
    report: str = Field(
        default="", description="folder that the daemon writes the pages of `report` to after each run; empty = none"
    )

    @field_validator("token")
    @classmethod
    def _is_long(cls, token: SecretStr) -> SecretStr:
        if 0 < len(token.get_secret_value()) < SHORTEST_TOKEN:
            raise PydanticCustomError("token", "needs {least} characters or more (it is not shown)", {"least": SHORTEST_TOKEN})
        return token


class NoticesSection(Section):
    urls: tuple[SecretStr, ...] = Field(
        default=(), max_length=50, description="where notices go: URLs of apprise, like 'mailto://user:password@example.com'"
    )
    late_hours: float = Field(
        default=LATE_HOURS, ge=0, le=1000, description="hours until a closed session without forecasts is told about"
    )
    failures: int = Field(default=FAILURES, ge=1, le=1000, description="failed runs in a row until a ticker is told about")
    disk_free_megabytes: int = Field(
        default=DISK_FREE_MEGABYTES, ge=0, le=10_000_000, description="less free disk is told about, and `status --check` warns"
    )
    outside_interval: bool = Field(default=False, description="also tell about a price outside of its 98 % interval")

    def plain_urls(self) -> list[str]:
        """Return the URLs as they are written, for what sends to them."""
        return [url.get_secret_value() for url in self.urls]

    @field_validator("urls")
    @classmethod
    def _have_the_form_of_urls(cls, urls: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        """Raise an error that names the first text that is no URL by its number, because any part of it may be a secret."""
        for number, url in enumerate(urls, start=1):
            if not NOTICE_URL.fullmatch(url.get_secret_value()):
                raise PydanticCustomError("url", NO_URL, {"number": number})
        return urls


class ModelSection(Section):
    preset: Preset = Field(default="density", description=f"source of the values not set below: {_either(Preset)}")
    cell: Cell | None = Field(default=None, description=f"recurrent cell: {_either(Cell)}")
    layers: int | None = Field(default=None, ge=1, le=3, description="recurrent layers; each reads the states of the one below")
    hidden: int | None = Field(default=None, ge=1, le=256, description="hidden units per layer")
    horizons: int | None = Field(default=None, ge=1, le=60, description="forecasts are for 1 to this many sessions ahead")
    field: PriceField | None = Field(default=None, description=f"the price to forecast: {_either(PriceField)}")
    history_sessions: int | None = Field(
        default=None, ge=0, le=10_000, description="bars that a forecast reads; 0 = all (preset article)"
    )
    recalibrate: bool | None = Field(
        default=None, description="adapt the scale to the ticker's own past errors (adaptive conformal)"
    )
    reference: ReferenceKind | None = Field(
        default=None, description="the volatility index of a ticker's exchange as an input, where it has one (^VIX): auto or none"
    )
    events: bool | None = Field(default=None, description="company reports (earnings dates) as inputs")
    prior: PriorKind | None = Field(default=None, description=f"where cold starts begin: {_either(PriorKind)} (from scratch)")


class PriorSection(Section):
    universe: tuple[str, ...] = Field(
        default=(), max_length=500, description="members of the prior, if model.prior is universe; they need not be tracked"
    )


class EventsSection(Section):
    source: str = Field(default="", description="a CSV or Parquet file of company events: ticker, date, kind, recorded_at")
    assumed_sessions: int = Field(
        default=5, ge=0, le=5, description="sessions ahead for which a report counts as announced where nobody recorded it"
    )


class TrainingSection(Section):
    cold_every: int | None = Field(default=None, ge=0, le=10_000, description="sessions between fixed cold starts; 0 = never")
    cold_epochs: int | None = Field(default=None, ge=1, le=10_000, description="passes over the history in a cold start")
    warm_epochs: int | None = Field(default=None, ge=0, le=1_000, description="passes over the history in a warm start")
    optimizer: Optimizer | None = Field(default=None, description=f"{_either(Optimizer)} (with momentum)")
    schedule: Schedule | None = Field(default=None, description=f"learning rate over the epochs: {_either(Schedule)}")
    learning_rate: float | None = Field(default=None, gt=0, le=1, description="the optimizer's step size")
    patience: int | None = Field(
        default=None, ge=0, le=1_000, description="epochs without a better validation loss until a training stops; 0 = never"
    )
    window: int | None = Field(default=None, ge=2, le=1_000, description="sessions that the network reads at once")
    truncation: int | None = Field(default=None, ge=0, le=1_000, description="sessions a gradient flows back; 0 = the window")
    prior_every: int | None = Field(
        default=None, ge=0, le=10_000, description="sessions between fits of the universe's prior; 0 = no prior"
    )
    prior_sessions: int | None = Field(
        default=None, ge=300, le=20_000, description="bars of each member that the prior is fitted on"
    )
    prior_steps: int | None = Field(default=None, ge=1, le=10_000, description="gradient steps in a prior's fit")
    prior_learning_rate: float | None = Field(default=None, gt=0, le=1, description="largest step size of a prior's fit")
    tune_epochs: int | None = Field(default=None, ge=0, le=1_000, description="passes of a cold start that begins from the prior")
    learns: Learns | None = Field(
        default=None, description="what a ticker learns on top of a prior: scales (one factor a horizon) or network (everything)"
    )
    learned_sessions: int | None = Field(
        default=None, ge=130, le=20_000, description="bars that a cold start learns the factors from"
    )


class ComputeSection(Section):
    workers: int = Field(default=0, ge=0, le=256, description="training processes; 0 = one per core")
    stack: int = Field(default=128, ge=1, le=2_000, description="most networks trained together in one stack")
    engine: ComputeEngine = Field(default="processes", description=f"what computes: {_either(ComputeEngine)} (extra dask)")
    scheduler: str = Field(
        default="", description="Dask scheduler, like 'tcp://host:8786'; empty = Dask workers of this machine, for the run"
    )

    @field_validator("scheduler")
    @classmethod
    def _is_an_address(cls, scheduler: str) -> str:
        if scheduler and not SCHEDULER.fullmatch(scheduler):
            raise PydanticCustomError("scheduler", "not an address like tcp://host:8786 or tls://host:8786")
        return scheduler


class BackupSection(Section):
    folder: str = Field(default="", description="folder for the daemon's backups, outside of the home; empty = none are made")
    every_hours: int = Field(
        default=24, ge=1, le=8760, description="hours from one backup to the next, counted from midnight UTC"
    )
    keep: int = Field(default=7, ge=1, le=10_000, description="newest backups of this home that stay in the folder")


class RetentionSection(Section):
    checkpoints: int = Field(
        default=2, ge=2, le=10_000, description="newest checkpoints that each chain keeps; those of cold starts stay"
    )
    price_files: int = Field(default=2, ge=0, le=1_000, description="price files before a ticker's current one that stay")
    price_hours: int = Field(default=24, ge=1, le=100_000, description="hours that every price file stays")
    runs_days: int = Field(
        default=730, ge=30, le=100_000, description="days that outcomes by ticker and runs without forecasts stay"
    )
    notices_days: int = Field(default=365, ge=1, le=100_000, description="days that a notice stays after its end")
    upgrade_copies: int = Field(default=3, ge=1, le=1_000, description="copies of the database before upgrades that stay")


class LogSection(Section):
    file: str = Field(default="", description="file for the daemon's log lines, in the home or absolute; empty = stderr")
    max_megabytes: int = Field(default=10, ge=1, le=10_000, description="at this size a log file is renamed to FILE.1")
    keep: int = Field(default=5, ge=1, le=1_000, description="full log files that stay")
