"""The command `notices`: what the user is told about now, and whether messages arrive."""

from __future__ import annotations

from typing import Annotated

import typer

from tickercast.jobs.cli.options import FormatOption, OutOption, existing_home, existing_place


def notices(
    context: typer.Context,
    test: Annotated[
        bool, typer.Option("--test", help="Send a message to each URL of notices.urls and show which worked.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also list the notices that have ended.")] = False,
    output_format: FormatOption = None,
    out: OutOption = None,
) -> None:
    """List what you are told about now, and since when. --test ends with code 2 or 4 where a URL did not work."""
    from tickercast.jobs.analysis.views import view_rows
    from tickercast.jobs.terminal.output import write_rows
    from tickercast.jobs.terminal.tables import table_of

    if test:
        _test(context, output_format, out)
        return
    found = view_rows(existing_place(context).database, "notice", None)
    ended = found.columns.index("ended_at")
    rows = [row for row in found.rows if everything or row[ended] is None]
    nothing = "nothing was ever told" if everything else "nothing is wrong now; `tickercast notices --all` lists what has ended"
    write_rows(
        found.columns, rows, output_format, out=out, table=lambda: table_of(found.columns, rows, () if rows else (nothing,))
    )


def _test(context: typer.Context, output_format: FormatOption, out: OutOption) -> None:
    """Send the test message and show how that went. Raises SettingsError without URLs, NothingFetched where one did not work."""
    from tickercast.jobs.errors import NothingFetched, SettingsError
    from tickercast.jobs.monitoring.delivery import NO_SERVICE, deliver
    from tickercast.jobs.monitoring.messages import trial_message
    from tickercast.jobs.terminal.output import write_rows
    from tickercast.jobs.terminal.text import counted

    home = existing_home(context)
    urls = home.settings.notices.plain_urls()
    if not urls:
        raise SettingsError("notices.urls is empty, so no notice is sent; add a URL like mailto://user:password@example.com")
    found = deliver(urls, trial_message(home.folder))
    failed = [delivery for delivery in found if delivery.problem]
    write_rows(
        ("url", "result"), [(delivery.name, delivery.problem or "delivered") for delivery in found], output_format, out=out
    )
    if failed:
        told = f"{len(failed)} of {counted(len(urls), 'URL')} did not work, first {failed[0].name}: {failed[0].problem}"
        raise SettingsError(told) if failed[0].problem == NO_SERVICE else NothingFetched(told)
