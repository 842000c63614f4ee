"""Which backup of a stanza a drill restores: by cluster, by timeline, by target."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, TargetUnreachable
from pytest_pgrestore.model.target import AtTime, Immediate, Latest
from pytest_pgrestore.sources.pgbackrest.wal import Archive, listed
from pytest_pgrestore.sources.selection import pick_for
from pytest_pgrestore.sources.wal import stored_wal
from pytest_pgrestore.sources.wal.history_choice import choose_backup
from pytest_pgrestore.sources.wal.stored_wal import StoredWal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.sources.pgbackrest.commands import Pgbackrest
    from pytest_pgrestore.sources.pgbackrest.entries import Catalogue, Entry
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.selection import Picked
    from pytest_pgrestore.sources.wal.history_graph import HistoryGraph

_SECOND = timedelta(seconds=1)
"""Catalogues cut times to whole seconds; see `sources.selection`."""


@dataclass(frozen=True, slots=True)
class Located:
    """The chosen backup, and what belongs to its cluster.

    Attributes:
        picked: The choice.
        entry: Its entry.
        online: The entries of its cluster whose position the catalogue knows, oldest first.
        archive: The archived WAL of its cluster.
        graph: The timelines of that archive; None without a backup of a known position.
    """

    picked: Picked
    entry: Entry
    online: tuple[Entry, ...]
    archive: Archive
    graph: HistoryGraph | None


def locate(
    pgbackrest: Pgbackrest,
    found: Catalogue,
    request: LocateRequest,
    wanted: str | None,
    place: str,
) -> Located:
    """Return the backup for a request.

    Args:
        pgbackrest: Lists the archive.
        found: The catalogue.
        request: The target and the timeline.
        wanted: Label of the backup that the user names; None names none.
        place: The repository and the stanza, for the message of an error.

    Raises:
        BackupNotRestorable: There is no backup, none of production's cluster, its entry lacks what
            a restore needs, or (TargetUnreachable) the target lies before its end.
        HarnessError: The named backup is not in the catalogue, or the archive cannot be listed.
    """
    if not found.entries:
        raise BackupNotRestorable(
            f"there is no backup in {place}",
            hint="take one now (pgbackrest --type=full backup), and find out why the backup job"
            " writes none; `stanza` and `repo` choose another place.",
        )
    groups = _groups(found, request, wanted, place)
    for entries in groups[:-1]:
        try:
            return _locate_in(pgbackrest, entries, request, wanted)
        except TargetUnreachable:
            continue
    return _locate_in(pgbackrest, groups[-1], request, wanted)


def _groups(
    found: Catalogue, request: LocateRequest, wanted: str | None, place: str
) -> list[list[Entry]]:
    """Return the backups of each cluster that may be meant, the newest cluster first.

    A position, a transaction and a name mean something in one cluster only, so the newest one with
    a backup that fits is meant.
    """
    numbers = sorted({entry.cluster for entry in found.entries}, reverse=True)
    groups = [[entry for entry in found.entries if entry.cluster == number] for number in numbers]
    if wanted is not None:
        for entries in groups:
            if any(entry.backup.label == wanted for entry in entries):
                return [entries]
        raise HarnessError(
            f"backup {wanted} is not in the catalogue",
            hint=f"there are: {', '.join(entry.backup.label for entry in found.entries)}.",
        )
    if isinstance(request.target, Latest | Immediate):
        _require_backup_of_production(found, place)
        return groups[:1]
    return groups


def _require_backup_of_production(found: Catalogue, place: str) -> None:
    """Refuse to restore an older cluster where production is another one.

    ``pgbackrest restore`` does it without a word: it takes the newest backup of the stanza, of
    whichever cluster (command reference, "Restore Command", option set).

    Raises:
        BackupNotRestorable: Production's cluster has no backup.
    """
    production, newest = found.production, found.entries[-1]
    if production is None or any(entry.cluster == production.number for entry in found.entries):
        return
    archived = f" and has archived WAL up to {production.archived}" if production.archived else ""
    raise BackupNotRestorable(
        f"production has no backup: since `stanza-upgrade` the stanza is that of system identifier"
        f" {production.identity}{archived}, and the newest backup of {place},"
        f" {newest.backup.label}, is of system identifier {newest.backup.system_identifier}",
        hint="take a full backup now (pgbackrest --type=full backup). To drill the old cluster,"
        " name its backup in `backup`.",
    )


def _locate_in(
    pgbackrest: Pgbackrest, entries: Sequence[Entry], request: LocateRequest, wanted: str | None
) -> Located:
    """Return the backup for a request among those of one cluster."""
    # A cluster that has archived nothing has no archive.
    name = entries[-1].archive
    archive = (
        listed(pgbackrest, name) if name else Archive(StoredWal(segments={}, histories={}), {})
    )
    online = tuple(entry for entry in entries if entry.start_file)
    graph = None
    if online:
        graph = stored_wal.graph_of(
            archive.wal, [entry.backup for entry in online], online[-1].start_file
        )
    picked = _pick(entries, graph, request, wanted)
    entry = next(entry for entry in entries if entry.backup is picked.backup)
    if picked.backup.server_major is None:
        raise BackupNotRestorable(
            f"the catalogue does not say of which server backup {picked.backup.label} is",
            hint="take a new backup.",
        )
    return Located(picked, entry, online, archive, graph)


def _pick(
    entries: Sequence[Entry], graph: HistoryGraph | None, request: LocateRequest, wanted: str | None
) -> Picked:
    """Choose among backups of one cluster, some of which may be of a stopped server.

    Such a backup is what a default restore takes if it is the newest, or the newest before a
    moment. Its position is not known, so for other targets one with a position goes before it.
    """
    every = [entry.backup for entry in entries]
    if graph is None or wanted is not None:
        known = graph is not None and any(backup.label == wanted for backup in graph.backups)
        return (
            choose_backup(graph, request, wanted)
            if graph is not None and known
            else pick_for(every, request.target, wanted)
        )
    if isinstance(request.target, Latest | Immediate) and not entries[-1].start_file:
        return pick_for(every, request.target, None)
    offline = [entry.backup for entry in entries if not entry.start_file]
    if not isinstance(request.target, AtTime) or not offline:
        return choose_backup(graph, request, None)
    when = request.target.when
    fitting = [
        backup
        for backup in offline
        if backup.stopped_at is not None and backup.stopped_at + _SECOND <= when
    ]
    try:
        online = choose_backup(graph, request, None)
    except TargetUnreachable:
        if not fitting:
            raise
        return pick_for(fitting, request.target, None)
    newer = [backup for backup in fitting if backup.label > online.backup.label]
    return pick_for([*newer], request.target, None) if newer else online


def other_cluster_words(found: Catalogue, entry: Entry) -> list[str]:
    """Return a note where the chosen backup is not of production's cluster."""
    production = found.production
    if production is None or entry.cluster == production.number:
        return []
    label, identity = entry.backup.label, entry.backup.system_identifier
    words = f"backup {label} is of system identifier {identity}; production is"
    return [f"{words} {production.identity} since `stanza-upgrade`"]
