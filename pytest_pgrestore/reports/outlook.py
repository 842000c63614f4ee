"""Sentences about the history and the coverage, the same in every report. Imports only values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.reports.format import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from pytest_pgrestore.model.past import (
        Coverage,
        Forecast,
        InventoryFacts,
        Outlook,
        Slope,
        SourceCoverage,
    )

_WEEK = 7
"""Days: of one day most changes are too small to read."""

_NAMED = 20
"""Names that a sentence has."""

_GIB = 1024**3


def outlook_lines(outlook: Outlook) -> list[tuple[str, str]]:
    """Return what the history says of a drill: a title and a sentence each."""
    since = "" if outlook.since is None else f" since {outlook.since:%Y-%m-%d}"
    series = f"{_count(outlook.drills, 'drill')}{since} can be compared"
    if outlook.began:
        series += f"; before them, {outlook.began}"
    found = [("History", series)]
    if outlook.usual_seconds is not None:
        usual = f"{duration(outlook.usual_seconds)}, the median of {outlook.comparable} green ones"
        found.append(("Usual restore", usual))
    if outlook.not_enough or outlook.seconds is None:
        return [*found, ("Trend", outlook.not_enough or "not known")]
    found.append(("Trend", _trend(outlook, outlook.seconds)))
    if outlook.size_bytes is not None:
        found.append(("Restored size", _size(outlook, outlook.size_bytes)))
    found.append(("Worst moment", _worst(outlook)))
    if outlook.rto_seconds is not None and outlook.missed is not None:
        limit = f"RTO {duration(outlook.rto_seconds)}"
        found.append(("Forecast", f"{limit}: {forecast_words(outlook.missed)}"))
        if outlook.missed_at_worst is not None:
            worst = forecast_words(outlook.missed_at_worst)
            found.append(("At the worst moment", f"{limit}: {worst}"))
    return found


def forecast_words(forecast: Forecast) -> str:
    """Return when an objective will be missed, with its uncertainty."""
    horizon = f"{forecast.horizon:%Y-%m-%d}"
    earliest, likely, latest = forecast.earliest, forecast.likely, forecast.latest
    if earliest is None:
        return f"no date in sight up to {horizon}"
    begin = _date(earliest, forecast)
    if likely is None:
        return f"no date in sight up to {horizon}, though noise or growth allows {begin}"
    if likely == forecast.asked_at:
        return "missed now already"
    end = f"after {horizon}" if latest is None else _date(latest, forecast)
    return f"missed about {_date(likely, forecast)} (between {begin} and {end})"


def _date(moment: datetime, forecast: Forecast) -> str:
    return "now" if moment == forecast.asked_at else f"{moment:%Y-%m-%d}"


def _trend(outlook: Outlook, slope: Slope) -> str:
    words = f"{_change(slope)} a week; {duration(outlook.typical_seconds)} now"
    phases = ", ".join(
        f"{name} {_signed(per_day * _WEEK)}"
        for name, per_day in outlook.phases.items()
        if _signed(per_day * _WEEK) != _signed(0.0)
    )
    return f"{words}; of it {phases}" if phases else words


def _change(slope: Slope) -> str:
    low, high = _signed(slope.low * _WEEK), _signed(slope.high * _WEEK)
    if slope.low <= 0 <= slope.high:
        return f"none that the noise allows to see ({low} to {high})"
    return f"{_signed(slope.per_day * _WEEK)} ({low} to {high})"


def _signed(seconds: float) -> str:
    return f"{seconds:+.1f} s"


def _size(outlook: Outlook, slope: Slope) -> str:
    low, high = (_gib(part * _WEEK) for part in (slope.low, slope.high))
    words = f"{_gib(slope.per_day * _WEEK)} ({low} to {high}) a week"
    per_gib = outlook.seconds_per_gib
    return words if per_gib is None else f"{words}; {duration(per_gib)} for each GiB"


def _gib(number: float) -> str:
    return f"{number / _GIB:+.2f} GiB"


def _worst(outlook: Outlook) -> str:
    kind = f" of a backup of kind {outlook.worst_kind}" if outlook.worst_kind else ""
    return f"{duration(outlook.worst_seconds)}{kind} with the longest replay seen"


def coverage_lines(coverage: Coverage) -> list[tuple[str, str]]:
    """Return what was drilled of all that is configured: a title and a sentence each."""
    sources = coverage.sources
    drilled = [one for one in sources if one.drills]
    words = f"{len(drilled)} of {_count(len(sources), 'source')} in this run"
    words += "" if coverage.full else " of a part of the tests"
    recent = [one for one in sources if one.past_drills is not None]
    if recent:
        days = f"{coverage.days:.0f} d"
        green = sum(bool(one.past_green) for one in recent)
        ever = sum(bool(one.past_drills) for one in recent)
        words += f"; in {days} {ever}, of which {green} had a green drill"
    found = [("Drilled", words)] if sources else []
    databases = [(one, database) for one in sources for database in one.databases]
    if databases:
        asked = sum(bool(database.assertions) for _, database in databases)
        words = f"assertions asked {asked} of {_count(len(databases), 'database')}"
        never = [
            f"{one.source}/{database.name}"
            for one, database in databases
            if database.last_asserted_at is None
        ]
        found.append(("Databases", words + (f"; never: {_names(never)}" if never else "")))
    old = [one.source for one in recent if not one.past_drills]
    if old:
        found.append((f"Not drilled in {coverage.days:.0f} d", _names(old)))
    late = [_overdue(one) for one in sources if one.overdue]
    if late:
        found.append(("Overdue, and not drilled by this run", _names(late)))
    return [*found, *(_inventory(coverage.inventory) if coverage.inventory else ())]


def _overdue(source: SourceCoverage) -> str:
    every = duration(source.every_seconds)
    last = source.last_green_at
    when = "no green drill yet" if last is None else f"last green drill {last:%Y-%m-%d}"
    return f"{source.source} (every {every}, {when})"


def _inventory(facts: InventoryFacts) -> Iterator[tuple[str, str]]:
    covered = facts.listed - len(facts.uncovered) - len(facts.ignored)
    ignored = f", {len(facts.ignored)} left out on purpose" if facts.ignored else ""
    words = f"sources cover {covered} of {_count(facts.listed, 'name')}{ignored} ({facts.origin})"
    yield "Inventory", words
    if facts.uncovered:
        yield "In the inventory, and no source covers it", _names(facts.uncovered)
    if facts.unlisted:
        yield "Sources that the inventory lacks", _names(facts.unlisted)


def _names(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
