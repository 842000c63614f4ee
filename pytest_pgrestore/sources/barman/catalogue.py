"""Barman's catalogue: the output of ``barman diagnose``.

One call returns all values of all backups as JSON. ``list-backups`` has no LSN, and
``show-backup`` is one call for each backup. ``diagnose`` ends with status 0 if production cannot be
reached; a drill never can. Source: Barman manual, "diagnose", "Backup status".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.json_answer import (
    Answer,
    AnswerError,
    parse_after_warnings,
    understood,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

COMPLETE = ("DONE", "WAITING_FOR_WALS")
"""Statuses of a backup that has all its files; with the second one, WAL may still be missing."""

_LARGEST_OID = 0xFFFF_FFFF
_NAME_DATA_LENGTH = 63
"""Characters of the name of a tablespace (NAMEDATALEN - 1)."""

UNPACKED_GROWTH = 4
"""Assumed size of a cluster as a multiple of its compressed files, if the catalogue has none."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One backup of the catalogue.

    Attributes:
        backup: Values of the entry that every tool has.
        start_file: WAL segment in which the backup begins.
        status: Barman's status.
        error: Why it failed; empty if it did not.
        method: How it was taken: ``postgres``, ``rsync-concurrent``, ``snapshot`` ...
        tablespaces: Name and OID of each.
        restored_bytes: Estimated disk space of its restore.
        compressed: Whether its files are in compressed tars.
        name: Name that the user gave the backup, as CloudNativePG does; empty without one.
        encryption: How its files are encrypted, as in ``gpg``; empty if they are not.
    """

    backup: Backup
    start_file: str
    status: str
    error: str
    method: str
    tablespaces: tuple[tuple[str, int], ...]
    restored_bytes: int
    compressed: bool
    name: str = ""
    encryption: str = ""


def parse(text: str, server: str, location: str) -> list[Entry]:
    """Return the backups of a server, oldest first, with those that are not complete.

    Args:
        text: Output of ``diagnose``; a warning may stand before the JSON.
        server: Name of the server.
        location: Path of its backups.

    Raises:
        HarnessError: The output has another format.
    """
    with understood(
        f"Barman's answer about server {server!r} is not understood",
        hint="read the saved log of `catalogue`.",
    ):
        raw = parse_after_warnings(text)["servers"][server]["backups"]
        return entries((backup for _, backup in raw.items()), location)


def entries(raw: Iterable[Answer], location: str) -> list[Entry]:
    """Return the backups of raw entries, which have the keys of ``backup.info``; oldest first.

    Raises:
        AnswerError: An entry has another format.
    """
    every = sorted(((one["backup_id"].name(), one) for one in raw), key=lambda pair: pair[0])
    parents = {label: _name(one.get("parent_backup_id")) for label, one in every}
    return [_entry(label, one, _chain(label, parents), location) for label, one in every]


def version(text: str) -> str:
    """Return Barman's version from the output of ``diagnose``; empty if it is not there."""
    try:
        return parse_after_warnings(text)["global"]["system_info"]["barman_ver"].text(longest=100)
    except AnswerError:
        return ""


def require_chain(entry: Entry, every: Iterable[Entry]) -> None:
    """Check that every backup on which an incremental one depends is there.

    Raises:
        BackupNotRestorable: One is not in the catalogue, or not complete.
    """
    known = {other.backup.label: other for other in every}
    for label in entry.backup.chain:
        parent = known.get(label)
        if parent is None or parent.status not in COMPLETE:
            why = "which is not there" if parent is None else f"which is {parent.status}"
            raise BackupNotRestorable(
                f"backup {entry.backup.label} is incremental and depends on {label}, {why}",
                hint="keep every backup of a chain, back to the full one; take a new full backup.",
            )


def _chain(label: str, parents: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return the backups on which `label` depends, the full one first."""
    # A dictionary keeps the order, and finds a circle at once.
    chain: dict[str, None] = {}
    parent = parents.get(label)
    while parent and parent not in chain:
        chain[parent] = None
        parent = parents.get(parent)
    return tuple(reversed(chain))


def _entry(label: str, raw: Answer, chain: tuple[str, ...], location: str) -> Entry:
    compression = _text(raw.get("compression"))
    size = _number(raw.get("size"))
    method = _text(raw.get("mode"))
    number = _number(raw.get("version"))
    encryption = _text(raw.get("encryption"))
    form = (f"Barman {method}", compression, encryption)
    identity = raw.get("systemid")
    start, stop = raw.get("begin_xlog"), raw.get("end_xlog")
    segment = raw.get("begin_wal")
    backup = Backup(
        label=label,
        location=location,
        form=", ".join(filter(None, form)),
        kind="incremental" if chain else "full",
        server_major=number // 10000 or None,
        started_at=_moment(raw.get("begin_time")),
        stopped_at=_moment(raw.get("end_time")),
        start_lsn=start.lsn() if start is not None and start.value else None,
        stop_lsn=stop.lsn() if stop is not None and stop.value else None,
        timeline=_timeline(raw),
        system_identifier=None if identity is None else identity.number(),
        chain=chain,
        size_bytes=size or None,
        repository_bytes=_number(raw.get("deduplicated_size")) or None,
    )
    restored = _number(raw.get("cluster_size")) or size * (UNPACKED_GROWTH if compression else 1)
    return Entry(
        backup,
        segment.segment() if segment is not None and segment.value else "",
        _text(raw.get("status")),
        _text(raw.get("error")),
        method,
        tuple(_tablespace(space) for space in raw.each("tablespaces")),
        restored,
        compression != "",
        _text(raw.get("backup_name")),
        encryption,
    )


def _timeline(raw: Answer) -> int | None:
    """Return the timeline of a backup: of its first segment, if the entry does not name it."""
    timeline, segment = raw.get("timeline"), raw.get("begin_wal")
    if timeline is not None:
        return timeline.timeline()
    if segment is not None and segment.value:
        return int(segment.segment()[:8], 16)
    return None


def _tablespace(raw: Answer) -> tuple[str, int]:
    """Return name and OID from the list of name, OID and path."""
    try:
        name, oid, _ = raw.values()
    except ValueError:
        raise AnswerError(f"{raw.place} is no list of three values") from None
    return name.text(longest=_NAME_DATA_LENGTH), oid.number(1, _LARGEST_OID)


def _text(raw: Answer | None) -> str:
    return "" if raw is None else raw.text()


def _name(raw: Answer | None) -> str | None:
    return None if raw is None or not raw.value else raw.name()


def _number(raw: Answer | None) -> int:
    return 0 if raw is None else raw.size()


def _moment(raw: Answer | None) -> datetime | None:
    """Return a time in UTC; barman-cloud writes what ctime() of C returns."""
    return None if raw is None or not raw.value else raw.moment()
