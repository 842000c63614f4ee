"""`pgrestore history`: lists the runs, shows their trend, prunes them, adds kept evidence.

It also takes a decision about what is missing or damaged.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.place import ledger_of, settings_of, tell_damage
from pytest_pgrestore.evidence.file import load
from pytest_pgrestore.history.forecast import outlook_of
from pytest_pgrestore.history.series import newest, series_of, target_kind
from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.reports.format import duration, moment
from pytest_pgrestore.reports.outlook import outlook_lines
from pytest_pgrestore.settings.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def list_drills(
    config: Path | None,
    history: str | None,
    source: str | None,
    environ: Mapping[str, str],
    echo: Callable[[str], object],
) -> int:
    """Print each drill, and what is wrong with the history; return 1 if something is, else 0."""
    past = ledger_of(settings_of(config, environ), history, environ).read(datetime.now(UTC))
    for entry in past.entries:
        for drill in entry.drills:
            if source is None or drill.source == source:
                cause = f"  {drill.cause}" if drill.cause else ""
                seconds = duration(drill.restore_seconds)
                echo(
                    f"{moment(drill.started_at)}  {drill.drill}  {drill.verdict}  {seconds}{cause}"
                )
        if not entry.drills:
            echo(f"{moment(entry.started_at)}  no drill  {entry.verdict}")
    for one in past.accepted:
        for text in one.damage.values():
            echo(f"accepted at {moment(one.at)}: {text}; reason: {one.reason}")
    tell_damage(past.problems, echo)
    echo(f"{len(past.entries)} runs")
    return 1 if past.problems else 0


def accept_damage(
    config: Path | None,
    history: str | None,
    reason: str,
    environ: Mapping[str, str],
    echo: Callable[[str], object],
) -> None:
    """Record that what is missing or damaged now was looked at.

    Raises:
        ConfigError: The reason says nothing.
    """
    words = " ".join(reason.split())
    if not words:
        raise ConfigError("--reason is empty", hint="write why the history is like this.")
    ledger = ledger_of(settings_of(config, environ), history, environ)
    found = ledger.accept(words, datetime.now(UTC))
    for text in () if found is None else found.damage.values():
        echo(f"accepted: {text}")
    echo("nothing is missing or damaged" if found is None else _STILL_DUE)


_STILL_DUE = "a drill whose last green run is older than what is missing is due once more"


def show_trends(
    config: Path | None,
    history: str | None,
    source: str | None,
    environ: Mapping[str, str],
    now: datetime,
    echo: Callable[[str], object],
) -> int:
    """Print trend and forecast of each source and kind of target; return 1 if there is no drill.

    Args:
        config: The settings file.
        history: Another place than the settings name.
        source: Only this one.
        environ: The environment of this process.
        now: The present.
        echo: Prints a line.
    """
    past = ledger_of(settings_of(config, environ), history, environ).read(now)
    drills = [drill for entry in past.entries for drill in entry.drills]
    shown = [one for one in newest(past.entries) if source is None or one.source == source]
    for last in shown:
        echo(f"{last.source} @ {target_kind(last.target)}")
        outlook = outlook_of(series_of(drills, last), now)
        for title, text in outlook_lines(outlook):
            echo(f"  {title.lower()}: {text}")
    tell_damage(past.problems, echo)
    if not shown:
        echo("no drill that came up is in the history")
    return 0 if shown else 1


def prune_runs(
    config: Path | None,
    history: str | None,
    older_than: str,
    keep: int,
    environ: Mapping[str, str],
    echo: Callable[[str], object],
) -> None:
    """Remove old runs.

    Raises:
        ConfigError: The age is none, or the floor is negative.
    """
    age = parse_duration(older_than)
    if keep < 1:
        raise ConfigError(f"--keep {keep} keeps nothing", hint="keep at least one run.")
    ledger = ledger_of(settings_of(config, environ), history, environ)
    removed = ledger.prune(older_than=age, keep=keep, now=datetime.now(UTC))
    for name in removed:
        echo(f"removed {name}")
    echo(f"{len(removed)} runs removed")


def import_runs(
    config: Path | None,
    history: str | None,
    files: tuple[Path, ...],
    environ: Mapping[str, str],
    echo: Callable[[str], object],
) -> None:
    """Add the runs of evidence files, the oldest first; one that is there already is left.

    Raises:
        ConfigError: A file is no evidence.
    """
    ledger = ledger_of(settings_of(config, environ), history, environ)
    texts = {}
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(
                f"{path} cannot be read ({type(exc).__name__})", hint="name an evidence.json."
            ) from None
        try:
            texts[path] = (load(text), text)
        except ConfigError as exc:
            raise ConfigError(f"{path}: {exc.problem}", hint=exc.hint) from None
    there = {entry.run_id for entry in ledger.read().entries}
    for path, (evidence, text) in sorted(texts.items(), key=lambda one: one[1][0].ended_at):
        if evidence.run_id in there:
            echo(f"{path}: run {evidence.run_id} is there already")
            continue
        try:
            echo(f"{path}: added as {ledger.add(evidence, text)}")
        except HarnessError as exc:
            raise HarnessError(f"{path}: {exc.problem}", exc.hint) from None
        there.add(evidence.run_id)
