"""Why a drill is due: its past compared with what is known before a restore.

Where the past does not tell, the drill is due: a drill is never left out on a guess.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from pytest_pgrestore.model.evidence import LeftOut
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.versions import tool_in, version_in
from pytest_pgrestore.reports.format import duration, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from pytest_pgrestore.history.entry import Entry, PastBackup, PastDrill
    from pytest_pgrestore.model.drill import NextRestore
    from pytest_pgrestore.model.evidence import BackupFacts

_SKEW = timedelta(minutes=1)
"""How far two machines' clocks may differ; as in the judgement of the RPO."""

NOT_OF_SOURCE = ("sandbox.", "drill.")
"""Begin the names of settings that are not keys of the source."""

_SETTINGS_SHOWN = 5


class Drilled(NamedTuple):
    """A past drill, and the run that had it."""

    run: str
    drill: PastDrill


def by_drill(entries: Iterable[Entry]) -> dict[str, list[Drilled]]:
    """Return the past of each drill, by the drill's key, the oldest first."""
    found: dict[str, list[Drilled]] = {}
    for entry in entries:
        for drill in entry.drills:
            found.setdefault(drill.drill, []).append(Drilled(entry.run_id, drill))
    for past in found.values():
        past.sort(key=lambda one: one.drill.started_at)
    return found


def proof_of(past: Sequence[Drilled], tests: str | None = None) -> Drilled | None:
    """Return the last green drill; with `tests` the last one that had these tests."""
    greens = (one for one in reversed(past) if one.drill.is_proof())
    return next((one for one in greens if tests in (None, one.drill.tests)), None)


def reasons_of(
    past: Sequence[Drilled],
    *,
    every: timedelta | None,
    now: datetime,
    settings: Mapping[str, str],
    tests: str | None = None,
    unknown_until: datetime | None = None,
) -> list[str]:
    """Return why a drill is due by its past, a sentence each.

    Args:
        past: Of the drill.
        every: Of its source.
        now: The present.
        settings: The digests of its settings. Only keys of these are compared, and new ones.
        tests: The digest of its tests; None if they are not known here.
        unknown_until: Runs up to here are missing, and one of them may have been red.
    """
    if not past:
        return ["it was never drilled"]
    green, proof = proof_of(past), proof_of(past, tests)
    if green is None:
        return [_not_green(past[-1].drill)]
    if proof is None:
        with_these = [one.drill for one in past if one.drill.tests == tests]
        if with_these:
            return [_not_green(with_these[-1])]
        if green.drill.tests is None:
            return ["its last green drill does not tell which tests it had"]
        return ["its tests changed since its last green drill"]
    found = []
    later = [one.drill for one in past if one.drill.started_at > proof.drill.started_at]
    bad = [one for one in later if one.verdict is not Verdict.PASSED]
    if bad:
        found.append(_not_green(bad[-1]))
    if unknown_until is not None and proof.drill.started_at < unknown_until:
        found.append(
            f"a run is missing from the history up to {moment(unknown_until)}, and its last green"
            " drill is older"
        )
    found += _overdue(proof.drill, every, now)
    found += _changed(proof.drill.settings, settings)
    return found


def _not_green(drill: PastDrill) -> str:
    if drill.verdict is Verdict.PASSED:
        return "it was never proven: no assertion ran in its last drill"
    return f"its last drill was {drill.verdict}: {drill.cause or 'see its report'}"


def _overdue(proof: PastDrill, every: timedelta | None, now: datetime) -> Iterator[str]:
    if proof.started_at - now > _SKEW:
        yield f"its last green drill was at {moment(proof.started_at)}, which is in the future here"
    elif is_overdue(proof, every, now):
        age = (now - proof.started_at).total_seconds()
        limit = duration(every.total_seconds()) if every is not None else ""
        yield f"its last green drill was {duration(age)} ago, and every is {limit}"


def is_overdue(proof: PastDrill, every: timedelta | None, now: datetime) -> bool:
    """Return whether a proof has expired."""
    return every is not None and now - proof.started_at >= every


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    if not now:
        return
    if not before:
        yield "its last green drill does not tell which settings it had"
        return
    differ = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    if differ:
        more = f" and {len(differ) - _SETTINGS_SHOWN} more" if len(differ) > _SETTINGS_SHOWN else ""
        names = ", ".join(differ[:_SETTINGS_SHOWN])
        yield f"its settings changed since its last green drill: {names}{more}"


def reasons_ahead(
    proof: PastDrill, ahead: NextRestore, greens: Iterable[PastDrill], every: timedelta | None
) -> list[str]:
    """Return why a drill is due by what it would restore now, a sentence each.

    Args:
        proof: Its last green drill.
        ahead: What it would restore now.
        greens: All green drills of its source.
        every: Of its source. Without one, whatever is not restored yet is due.
    """
    found = list(ahead.worries)
    found += _versions(proof, ahead)
    kinds = {(one.backup.form, one.backup.kind) for one in greens if one.backup is not None}
    backup = ahead.backup
    if (backup.form, backup.kind) not in kinds:
        found.append(
            f"no backup of this kind was drilled yet: {backup.kind}, {backup.form} ({backup.label})"
        )
    if every is None and not is_same(proof, ahead):
        found.append(
            f"what it would restore now, {backup.label}, was not drilled yet, and its source has"
            " no every"
        )
    return found


def _versions(proof: PastDrill, ahead: NextRestore) -> Iterator[str]:
    was, now = version_in(proof.server_version), ahead.server_version
    if was != now:
        yield f"the server here is {now or 'not known'}, and was {was or 'not known'}"
    major = proof.backup.server_major if proof.backup is not None else None
    if major != ahead.backup.server_major:
        yield f"the backup is of PostgreSQL {ahead.backup.server_major}, and was of {major}"
    cluster = proof.backup.system_identifier if proof.backup is not None else None
    # A repository that was made anew under an old name, or for another server.
    if None not in (cluster, ahead.backup.system_identifier) and (
        cluster != ahead.backup.system_identifier
    ):
        yield f"the backup is of cluster {ahead.backup.system_identifier}, and was of {cluster}"
    tool_was = tool_in(proof.backup.restored_by) if proof.backup is not None else ""
    tool_now = tool_in(ahead.backup.restored_by)
    if tool_was != tool_now:
        yield f"the backup tool here is {tool_now or 'none'}, and was {tool_was or 'none'}"


def is_same(proof: PastDrill, ahead: NextRestore) -> bool:
    """Return whether a drill would restore what its last green one did, to the same end.

    A dump that is written again under its old name is another one. Without a moment of its own
    nobody can tell.
    """
    if proof.backup is None or (ahead.backup.started_at or ahead.backup.stopped_at) is None:
        return False
    if ahead.archive_end_lsn not in (None, proof.archive_end_lsn):
        return False
    return _identity(proof.backup) == _identity(ahead.backup)


def _identity(backup: PastBackup | BackupFacts) -> tuple[object, ...]:
    return (
        *(backup.label, backup.form, backup.kind, backup.system_identifier),
        *(backup.started_at, backup.stopped_at, backup.size_bytes),
    )


def left_out(proof: Drilled, ahead: NextRestore, every: timedelta | None, now: datetime) -> LeftOut:
    """Return the record of a drill that is not due.

    Args:
        proof: Its last green drill.
        ahead: What it would restore now.
        every: Of its source.
        now: The present.
    """
    drill = proof.drill
    age = duration((now - drill.started_at).total_seconds())
    if is_same(drill, ahead):
        why = f"unchanged since its last green drill, {age} ago: backup, settings, tests, versions"
    else:
        why = f"its last green drill was {age} ago, and settings, tests and versions are the same"
    return LeftOut(
        drill=drill.drill,
        source=drill.source,
        why=why,
        proven_at=drill.started_at,
        proven_by=proof.run,
        backup=drill.backup.label if drill.backup is not None else None,
        fresh_until=None if every is None else drill.started_at + every,
    )


def differences(proof: PastDrill, now: PastDrill) -> Iterator[str]:
    """Yield what a restored server tells that was otherwise in the last green drill."""
    was, version = version_in(proof.server_version), version_in(now.server_version)
    if was and version and was != version:
        yield f"the server is {version}, and was {was}"
    for database in sorted(proof.extensions.keys() & now.extensions.keys()):
        old, new = proof.extensions[database], now.extensions[database]
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                yield (
                    f"extension {name} of database {database} is {new.get(name, 'not there')}, and"
                    f" was {old.get(name, 'not there')}"
                )
