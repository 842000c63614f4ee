"""`pgrestore status`: how each source stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.place import ledger_of, settings_of
from pytest_pgrestore.history.due import Standing, standings
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.reports.format import duration, moment
from pytest_pgrestore.settings.find_file import FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pytest_pgrestore.history.due import SourceStanding

LATE = frozenset({Standing.DUE, Standing.NEVER})


def show_status(
    config: Path | None,
    history: str | None,
    environ: Mapping[str, str],
    echo: Callable[[str], object],
) -> int:
    """Print all sources; return 1 if one is due, or if the history is damaged, otherwise 0.

    Raises:
        ConfigError: There is no source, or no history.
        HarnessError: The history cannot be read.
    """
    settings = settings_of(config, environ)
    if not settings.sources:
        raise ConfigError(
            "no source is configured here",
            hint=f"start pgrestore where {FILE_NAME} is, or name it: --config FILE.",
        )
    past = ledger_of(settings, history, environ).read()
    now = datetime.now(UTC)
    intervals = {name: table.every for name, table in settings.sources.items()}
    found = standings(intervals, past.entries, now)
    for source in found:
        for line in _lines(source, now):
            echo(line)
    for problem in past.problems:
        echo(f"history: {problem}")
    late = sum(source.standing in LATE for source in found)
    echo(f"{late} of {len(found)} sources due" if late else f"{len(found)} sources, none due")
    return 1 if late or past.problems else 0


def _lines(source: SourceStanding, now: datetime) -> Iterator[str]:
    yield f"{source.source}: {source.standing}"
    if source.last is not None:
        age = duration((now - source.last.started_at).total_seconds())
        yield f"  last drill   {moment(source.last.started_at)}, {age} ago: {source.last.verdict}"
    if source.last_green is not None:
        green = source.last_green
        age = duration((now - green.started_at).total_seconds())
        limit = green.rto.objective_seconds
        against = f", RTO {duration(limit)}" if limit is not None else ""
        yield f"  last green   {moment(green.started_at)}, {age} ago"
        yield f"  restore      {duration(green.restore_seconds)}{against}"
    if source.fresh_until is not None:
        yield f"  fresh until  {moment(source.fresh_until)}"
    for reason in source.reasons:
        yield f"  due          {reason}"
