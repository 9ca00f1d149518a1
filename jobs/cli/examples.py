"""Examples of each command, for its --help and for docs/commands.md. A test parses every one of them."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "init": (
        "tickercast init",
        "tickercast --home ~/forecasts init --ticker MSFT --ticker ^GSPC",
        "tickercast init --source folder:prices --adjustment split --ticker SAP",
    ),
    "track": ("tickercast track MSFT ^GSPC", "tickercast track SAP --source folder:prices --adjustment split"),
    "untrack": ("tickercast untrack MSFT",),
    "forget": ("tickercast forget MSFT",),
    "rename": ("tickercast rename FB META",),
    "tickers": ("tickercast tickers", "tickercast tickers --format csv"),
    "backfill": (
        "tickercast backfill MSFT AAPL --start 2024-01-02",
        "tickercast backfill --source folder:prices --adjustment split --workers 4",
    ),
    "run": ("tickercast run", "tickercast run --rehearse 2026-11-27T21:45Z"),
    "daemon": ("tickercast daemon", "tickercast daemon --log-format json"),
    "forecast": (
        "tickercast forecast",
        "tickercast forecast MSFT --all-horizons",
        "tickercast forecast --horizon 5 --out forecasts.parquet",
    ),
    "skill": (
        "tickercast skill",
        "tickercast skill --mode backfill --sort p_adjusted --limit 20",
        "tickercast skill MSFT --format csv",
    ),
    "explain": ("tickercast explain MSFT", "tickercast explain MSFT --format json"),
    "status": ("tickercast status", "tickercast status --check", "tickercast status MSFT --format json"),
    "notices": ("tickercast notices", "tickercast notices --test"),
    "bars": ("tickercast bars MSFT", "tickercast bars MSFT --start 2026-01-02 --adjusted --out msft.csv"),
    "sql": (
        'tickercast sql "SELECT ticker, q05, q95 FROM latest_forecast WHERE horizon = 1"',
        "tickercast sql --file query.sql --out answer.parquet",
        "tickercast sql --list",
    ),
    "report": ("tickercast report", "tickercast report MSFT --out pages"),
    "serve": ("tickercast serve", "tickercast serve --port 8080"),
    "export": ("tickercast export parquet", "tickercast export parquet --view forecast_history --view bar"),
    "release": ("tickercast release MSFT", "tickercast release NVDA --split 2024-06-10=10:1"),
    "refuse": ("tickercast refuse MSFT --session 2026-03-06",),
    "repair": ("tickercast repair MSFT",),
    "verify": ("tickercast verify", "tickercast verify --deep"),
    "replay": ("tickercast replay 3f2a91c0", "tickercast replay --all --sample 200"),
    "backup": ("tickercast backup tickercast.tar", "tickercast backup"),
    "restore": ("tickercast restore tickercast.tar",),
    "move": ("tickercast move --to postgresql://forecasts@db.example/forecasts", "tickercast move --to record.db"),
    "evaluate": (
        "tickercast evaluate MSFT --start 2023-01-03 --end 2023-12-29 --source folder:prices --adjustment split",
        "tickercast evaluate --source folder:prices --adjustment split --start 2019-01-02 --end 2024-12-31 --garch",
        "tickercast evaluate MSFT --start 2023-01-03 --end 2023-12-29 --add forecasts.parquet --out comparison.csv",
    ),
    "demo": ("tickercast demo", "tickercast demo --keep demo-home"),
    "prior list": ("tickercast prior list",),
    "prior fit": ("tickercast prior fit --bundled --source folder:prices --adjustment split --out priors",),
    "db upgrade": ("tickercast db upgrade",),
}


def epilog_of(command: str) -> str:
    """Return the last part of a command's --help. Raises KeyError for a command without an example."""
    examples = EXAMPLES[command]
    # \b keeps the lines as they are.
    return "\b\n" + "\n".join(["Examples:" if len(examples) > 1 else "Example:", *(f"  {example}" for example in examples)])
