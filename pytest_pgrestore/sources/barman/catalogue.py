"""Barman's catalogue: the output of ``barman diagnose``.

One call returns all values of all backups as JSON. ``list-backups`` has no LSN, and
``show-backup`` is one call for each backup. ``diagnose`` ends with status 0 if production cannot be
reached; a drill never can. Source: Barman manual, "diagnose", "Backup status".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.wal import Lsn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COMPLETE = ("DONE", "WAITING_FOR_WALS")
"""Statuses of a backup that has all its files; with the second one, WAL may still be missing."""

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
    """

    backup: Backup
    start_file: str
    status: str
    error: str
    method: str
    tablespaces: tuple[tuple[str, int], ...]
    restored_bytes: int
    compressed: bool


def parse(text: str, server: str, location: str) -> list[Entry]:
    """Return the backups of a server, oldest first, with those that are not complete.

    Args:
        text: Output of ``diagnose``; a warning may stand before the JSON.
        server: Name of the server.
        location: Path of its backups.

    Raises:
        HarnessError: The output has another format.
    """
    try:
        document = json.loads(text[text.index("{") :])
        raw = document["servers"][server]["backups"]
    except (ValueError, KeyError, TypeError):
        raise HarnessError(
            f"Barman's answer about server {server!r} is not understood",
            hint="read the saved log of `catalogue`.",
        ) from None
    return entries(raw.values(), location)


def entries(raw: Iterable[Mapping[str, Any]], location: str) -> list[Entry]:
    """Return the backups of raw entries, which have the keys of ``backup.info``; oldest first."""
    every = sorted(raw, key=lambda one: str(one["backup_id"]))
    parents = {str(one["backup_id"]): one.get("parent_backup_id") for one in every}
    return [_entry(one, _chain(str(one["backup_id"]), parents), location) for one in every]


def version(text: str) -> str:
    """Return Barman's version from the output of ``diagnose``; empty if it is not there."""
    try:
        return str(json.loads(text[text.index("{") :])["global"]["system_info"]["barman_ver"])
    except (ValueError, KeyError, TypeError):
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
    chain: list[str] = []
    parent = parents.get(label)
    while parent and parent not in chain:
        chain.insert(0, parent)
        parent = parents.get(parent)
    return tuple(chain)


def _entry(raw: Mapping[str, Any], chain: tuple[str, ...], location: str) -> Entry:
    compression = raw.get("compression")
    size = int(raw.get("size") or 0)
    method = str(raw.get("mode") or "")
    number = int(raw.get("version") or 0)
    form = ", ".join(filter(None, (f"Barman {method}", compression, raw.get("encryption"))))
    identity = raw.get("systemid")
    backup = Backup(
        label=str(raw["backup_id"]),
        location=location,
        form=form,
        kind="incremental" if chain else "full",
        server_major=number // 10000 or None,
        started_at=_moment(raw.get("begin_time")),
        stopped_at=_moment(raw.get("end_time")),
        start_lsn=Lsn.parse(raw["begin_xlog"]) if raw.get("begin_xlog") else None,
        stop_lsn=Lsn.parse(raw["end_xlog"]) if raw.get("end_xlog") else None,
        timeline=raw.get("timeline"),
        system_identifier=None if identity is None else int(identity),
        chain=chain,
        size_bytes=size or None,
        repository_bytes=raw.get("deduplicated_size") or None,
    )
    restored = int(raw.get("cluster_size") or 0) or size * (UNPACKED_GROWTH if compression else 1)
    return Entry(
        backup,
        str(raw.get("begin_wal") or ""),
        str(raw.get("status") or ""),
        str(raw.get("error") or ""),
        method,
        tuple((str(name), int(oid)) for name, oid, _ in raw.get("tablespaces") or ()),
        restored,
        compression is not None,
    )


def _moment(text: str | None) -> datetime | None:
    """Return a time in UTC.

    The input is ISO 8601, or what C's ctime() returns for UTC: barman-cloud writes the latter.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
