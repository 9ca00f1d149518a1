"""Exit codes: each error has the documented one, and ends as one line on stderr."""

from __future__ import annotations

import signal

import pytest
import typer

from tickercast.jobs import errors
from tickercast.jobs.cli.exit_codes import EXIT_CODES, exit_code_of, report_failure
from tickercast.jobs.errors import ExitCode
from tickercast.jobs.exchanges.symbols import SymbolRefused
from tickercast.jobs.prices.sources import base
from tickercast.jobs.runs.interrupts import Stopped
from tickercast.storage import errors as storage_errors

# As the command line promises: scripts rely on these numbers.
PROMISED = {
    0: "done", 1: "internal", 2: "usage", 3: "some tickers failed", 4: "source", 5: "storage", 6: "damaged", 7: "lock",
    8: "query", 129: "SIGHUP", 130: "SIGINT", 143: "SIGTERM",
}  # fmt: skip
CASES = [
    (errors.UsageError("x"), 2),
    (errors.SettingsError("x"), 2),
    (errors.SomeTickersFailed("x"), 3),
    (errors.NothingFetched("x"), 4),
    (errors.HomeUnwritable("x"), 5),
    (errors.LockHeld("x"), 7),
    (errors.OutOfResources("x"), 5),
    (errors.ClusterUnavailable("x"), 5),
    (errors.Interrupted("x", signal.SIGINT), 130),
    (errors.Interrupted("x", signal.SIGTERM), 143),
    (SymbolRefused("x"), 2),
    (base.SourceSettings("x"), 2),
    (base.SourceUnavailable("x"), 4),
    (base.RequestsPaused("x"), 4),
    (base.UnknownTicker("x"), 4),
    (base.BadSourceData("x"), 4),
    (storage_errors.DatabaseMissing("x"), 2),
    (storage_errors.NotADatabase("x"), 2),
    (storage_errors.SchemaNewer("x"), 2),
    (storage_errors.SchemaOlder("x"), 2),
    (storage_errors.TickerSourceFixed("x"), 2),
    (storage_errors.UnknownStoredTicker("x"), 2),
    (storage_errors.DatabaseBusy("x"), 5),
    (storage_errors.StoreUnwritable("x"), 5),
    (storage_errors.ServerUnreachable("x"), 5),
    (storage_errors.LibraryMissing("x"), 2),
    (storage_errors.LoginMayWrite("x"), 2),
    (storage_errors.StoreUnavailable("x"), 5),
    (storage_errors.StoreRefused("x"), 5),
    (storage_errors.Corrupt("x"), 6),
    (errors.RecordAhead("x"), 6),
    (storage_errors.QueryRefused("x"), 8),
    (storage_errors.QueryOverLimit("x"), 8),
    (storage_errors.QueryTooLong("x"), 8),
    (OSError("x"), 5),
]


def test_the_codes_and_their_meanings_are_the_promised_ones() -> None:
    assert [code.value for code in ExitCode] == list(PROMISED)
    assert [code.name for code in ExitCode if PROMISED[code] not in code.meaning] == []


@pytest.mark.parametrize(("error", "code"), CASES, ids=lambda value: type(value).__name__)
def test_an_error_ends_with_its_code_in_one_line(capsys: pytest.CaptureFixture[str], error: Exception, code: int) -> None:
    assert report_failure(error) == code
    assert capsys.readouterr() == ("", "error: x\n")


def test_wrong_usage_has_the_message_of_typer(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_failure(typer.BadParameter("x")) == 2
    assert capsys.readouterr().err == "error: Invalid value: x\n"


@pytest.mark.parametrize("package", [errors, base, storage_errors], ids=lambda module: module.__name__)
def test_every_error_of_a_package_has_a_case(package: object) -> None:
    roots = (errors.JobError, base.SourceError, storage_errors.StorageError)
    kinds = {kind for kind in vars(package).values() if isinstance(kind, type) and issubclass(kind, roots)}
    assert kinds - set(roots) <= {type(error) for error, _ in CASES}


def test_a_row_of_the_table_never_hides_a_later_one() -> None:
    kinds = [kind for kind, _ in EXIT_CODES]
    assert [(early, late) for i, early in enumerate(kinds) for late in kinds[i + 1 :] if issubclass(late, early)] == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130), (typer.Abort(), 130), (Stopped(signal.SIGINT), 130), (Stopped(signal.SIGTERM), 143),
        (Stopped(signal.SIGHUP), 129),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_an_interrupt_tells_how_to_resume(capsys: pytest.CaptureFixture[str], error: BaseException, code: int) -> None:
    assert report_failure(error) == code
    assert capsys.readouterr().err == "error: interrupted; committed results are kept; repeat the command to resume\n"


def test_an_internal_error_shows_a_traceback_and_its_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_failure(KeyError("missing")) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "KeyError: 'missing'"
    assert lines[-1] == "error: internal error: KeyError: 'missing'; committed results are kept"


def test_an_exit_of_typer_keeps_its_code_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_failure(typer.Exit(3)) == 3
    assert capsys.readouterr() == ("", "")


def test_a_message_is_one_escaped_line_of_at_most_600_characters(capsys: pytest.CaptureFixture[str]) -> None:
    report_failure(errors.UsageError("a\n\n b\x1b[31m" + "c" * 1000))
    line = capsys.readouterr().err
    assert line.startswith("error: a b\\x1b[31mccc")
    assert len(line) == len("error: ") + 600 + len("\n")


def test_memory_that_ran_out_is_one_line_that_says_what_stays(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_failure(MemoryError()) == 5
    assert capsys.readouterr().err == (
        "error: memory ran out (no more could be allocated); what was committed stays; repeat the command to resume\n"
    )


def test_a_library_that_cannot_be_loaded_without_memory_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_failure(ImportError("libopenblas.so: failed to map segment from shared object")) == 5
    assert "memory ran out (a library could not be loaded)" in capsys.readouterr().err
    assert exit_code_of(ImportError("No module named 'x'")) == ExitCode.INTERNAL


def test_an_unknown_error_is_an_internal_one() -> None:
    assert exit_code_of(ValueError("x")) == ExitCode.INTERNAL == errors.JobError("x").exit_code
