"""`pgrestore status`: how each source stands, as a table for people or as JSON for programs."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.cli.place import ledger_of, settings_of, tell_damage
from pytest_pgrestore.history.due import LATE, standings
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.reports.format import duration
from pytest_pgrestore.session.digests import digests_of_source
from pytest_pgrestore.settings.find_file import FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pytest_pgrestore.history.due import SourceStanding
    from pytest_pgrestore.history.entry import PastDrill

_HEADINGS = ("source", "standing", "last drill", "last green", "restore / RTO", "fresh until")
_GAP = "  "


def show_status(
    config: Path | None,
    history: str | None,
    environ: Mapping[str, str],
    echo: Callable[[str], object],
    *,
    now: datetime,
    as_json: bool = False,
) -> int:
    """Print all sources; return 1 if one is due, or if the history is damaged, otherwise 0.

    Args:
        config: The settings file; None to look for it.
        history: Another place of the history than the settings name.
        environ: Of this process.
        echo: Prints a line.
        now: The present.
        as_json: Whether a program reads it.

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
    past = ledger_of(settings, history, environ).read(now)
    base = None if settings.path is None else settings.path.parent.absolute()
    found = standings(
        {name: table.every for name, table in settings.sources.items()},
        past.entries,
        now,
        {name: digests_of_source(table, base) for name, table in settings.sources.items()},
        unknown_until=past.unknown_until,
    )
    late = sum(source.standing in LATE for source in found)
    if as_json:
        echo(json.dumps(_document(found, past.problems, now), indent=2))
    else:
        for line in _table(found, now):
            echo(line)
        tell_damage(past.problems, echo)
        echo(f"{late} of {len(found)} sources due" if late else f"{len(found)} sources, none due")
    return 1 if late or past.problems else 0


def _table(found: Sequence[SourceStanding], now: datetime) -> Iterator[str]:
    rows = [_HEADINGS, *(_row(source, now) for source in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    reasons = [(), *(source.reasons for source in found)]
    for row, why in zip(rows, reasons, strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield _GAP.join(cells).rstrip()
        for reason in why:
            yield f"  {reason}"


def _row(source: SourceStanding, now: datetime) -> tuple[str, ...]:
    last, green, fresh = source.last, source.last_green, source.fresh_until
    return (
        source.source,
        str(source.standing),
        f"{_age(last, now)}, {last.verdict}" if last is not None else "-",
        _age(green, now) if green is not None else "-",
        _restore(green) if green is not None else "-",
        f"{fresh.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if fresh is not None else "-",
    )


def _age(drill: PastDrill, now: datetime) -> str:
    return f"{duration((now - drill.started_at).total_seconds())} ago"


def _restore(drill: PastDrill) -> str:
    limit = drill.rto.objective_seconds
    return f"{duration(drill.restore_seconds)} / {duration(limit) if limit is not None else '-'}"


def _document(
    found: Sequence[SourceStanding], problems: Sequence[str], now: datetime
) -> dict[str, Any]:
    return {
        "at": now.isoformat(),
        "due": sum(source.standing in LATE for source in found),
        "history_problems": list(problems),
        "sources": [_entry(source, now) for source in found],
    }


def _entry(source: SourceStanding, now: datetime) -> dict[str, Any]:
    green, fresh, every = source.last_green, source.fresh_until, source.every
    return {
        "source": source.source,
        "standing": str(source.standing),
        "is_due": source.standing in LATE,
        "reasons": list(source.reasons),
        "every_seconds": every.total_seconds() if every is not None else None,
        "fresh_until": fresh.isoformat() if fresh is not None else None,
        "drills": source.runs,
        "last": _past(source.last, source.run, now),
        "last_green": _past(green, source.green_run, now),
    }


def _past(drill: PastDrill | None, run: str | None, now: datetime) -> dict[str, Any] | None:
    if drill is None:
        return None
    return {
        "drill": drill.drill,
        "run_id": run,
        "at": drill.started_at.isoformat(),
        "age_seconds": (now - drill.started_at).total_seconds(),
        "verdict": str(drill.verdict),
        "cause": drill.cause,
        "backup": drill.backup.label if drill.backup is not None else None,
        "restore_seconds": drill.restore_seconds,
        "rto_seconds": drill.rto.objective_seconds,
    }
