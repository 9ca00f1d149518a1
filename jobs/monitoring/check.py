"""The one judgement of a home, for `status --check` and /healthz: all well, some tickers need attention, or nothing works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tickercast.jobs.clock import utc_minute
from tickercast.jobs.errors import ExitCode
from tickercast.jobs.monitoring.state import BROKEN, CONDITIONS, Condition, HomeState, condition_of, since_of
from tickercast.jobs.terminal.text import counted, first_names
from tickercast.storage.monitoring import TickerFacts

WORDS = {ExitCode.DONE: "OK", ExitCode.SOME_FAILED: "WARNING", ExitCode.NOTHING_FETCHED: "CRITICAL"}
# Notices that are a warning while they last: no condition of a ticker shows them. What each means, in the line of the check.
WARNINGS = {"integrity": "damaged", "backup": "failed or overdue"}


@dataclass(frozen=True, slots=True)
class Check:
    """The exit code of `status --check` and its line."""

    code: ExitCode
    line: str


def check(state: HomeState) -> Check:
    """Return the judgement of a home.

    Nothing works: the daemon has died or hangs, or no tracked ticker can get its next forecast because each one is late, failing
    or suspended. A quarantined bar waits for a decision, so it is never more than a warning, and so is damage: forecasts go on.
    """
    tracked = state.tracked
    worst = [ticker for ticker in tracked if condition_of(ticker, state.now) in ("late", "failing", "suspended")]
    broken = [ticker for ticker in tracked if condition_of(ticker, state.now) in BROKEN]
    if state.is_dead or state.is_hung or (tracked and len(worst) == len(tracked)):
        code = ExitCode.NOTHING_FETCHED
    elif broken or state.is_disk_short or state.is_unattended or any(state.lasting_of(kind) for kind in WARNINGS):
        code = ExitCode.SOME_FAILED
    else:
        code = ExitCode.DONE
    return Check(code, f"{WORDS[code]}: {'; '.join(_parts(state))}")


def _parts(state: HomeState) -> list[str]:
    """Return what is to be said, what is wrong first."""
    said = [_lasting(state, "integrity")] if state.lasting_of("integrity") else []
    if state.is_dead or state.is_hung:
        said.append(daemon_line(state))
    conditions: tuple[Condition, ...] = ("failing", "late", "quarantined", "suspended", "ended")
    for condition in conditions:
        if tickers := state.found(condition):
            said.append(f"{len(tickers)} {condition} ({_detail(condition, tickers)})")
    if state.lasting_of("backup"):
        said.append(_lasting(state, "backup"))
    if state.is_disk_short:
        said.append(f"{state.disk.free / 1e9:.1f} GB of disk free, {state.disk_limit}")
    if state.is_unattended:
        said.append("no forecast yet; `tickercast run` makes them, or a daemon")
    fresh = f"{len(state.found('fresh'))} of {counted(len(state.tracked), 'tracked ticker')} fresh"
    said.append(fresh if state.tracked else "no ticker is tracked; `tickercast track MSFT` follows one")
    return said if state.is_dead or state.is_hung or state.daemon is None else [*said, daemon_line(state)]


def _lasting(state: HomeState, kind: str) -> str:
    """Return what the lasting notices of a kind are about and since when."""
    notices = state.lasting_of(kind)
    names = "" if kind == "backup" else f"{first_names([notice.subject for notice in notices])} "
    return f"{kind}: {names}{WARNINGS[kind]} since {utc_minute(min(notice.began_at for notice in notices))}"


def _detail(condition: Condition, tickers: Sequence[TickerFacts]) -> str:
    """Return the names of tickers, of a failing or late one also since when."""
    if len(tickers) > 1:
        return first_names([ticker.symbol for ticker in tickers])
    ticker = tickers[0]
    since = since_of(ticker, condition)
    return f"{ticker.symbol} since {utc_minute(since)}" if since else ticker.symbol


def condition_counts(state: HomeState) -> str:
    """Return how many tickers are in which condition: 96 fresh, 1 late."""
    counts = [(condition, len(state.found(condition))) for condition in CONDITIONS]
    return ", ".join(f"{count} {condition}" for condition, count in counts if count) or "none"


def daemon_line(state: HomeState) -> str:
    """Return one line about the daemon."""
    row = state.daemon
    if state.is_dead and row is not None:
        return f"daemon died: it was last alive at {utc_minute(row.beat_at)}; start it again"
    if state.is_hung and row is not None:
        return f"daemon hangs: process {row.pid} has written nothing since {utc_minute(row.beat_at)}"
    if state.is_alive:
        return _alive_line(state)
    if state.progress:
        return f"no daemon; a run is under way: {state.progress}"
    if row is not None and row.state == "stopped":
        return f"daemon stopped at {utc_minute(row.beat_at)}"
    if state.one_shot_run is not None:
        return f"no daemon; last `tickercast run` at {utc_minute(state.one_shot_run)}"
    return "no daemon"


def _alive_line(state: HomeState) -> str:
    row = state.daemon
    if row is None:
        return "daemon running"
    progress = f" ({state.progress})" if state.progress else ""
    doing = {"cycle": f", in a cycle now{progress}", "waiting": ", waiting for another writer"}.get(row.state, "")
    last = f", last look {utc_minute(row.last_look)}" if row.last_look else ""
    following = f", next look {utc_minute(row.next_look)}" if row.next_look else ""
    return f"daemon running since {utc_minute(row.started_at)}{doing}{last}{following}"
