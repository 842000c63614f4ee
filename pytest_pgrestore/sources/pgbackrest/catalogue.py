"""pgBackRest's catalogue: the output of ``info --output=json``.

``info`` ends with status 0 even if the repository cannot be read; the JSON has a status of its own.
Source: pgBackRest command reference, "Info Command"; status codes of src/command/info/info.c.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.pgbackrest.messages import refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.sources.pgbackrest.own_config import Repository

_KINDS = {"full": "full", "diff": "differential", "incr": "incremental"}
_BYTE = re.compile(r"\\(?=x[0-9a-f]{2})")
"""The backslash of ``\\xNN``, which stands for a byte that is not UTF-8."""

_OK = 0
_NO_BACKUPS = 2
_MISSING = {1, 3}
"""Status codes of a stanza that is not in the repository, or has no data there."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One backup of the catalogue.

    Attributes:
        backup: Values of the entry that every tool has.
        start_file: WAL segment in which the backup begins.
        archive: Name of its WAL archive in the repository, as in ``17-1``.
        page_errors: Whether pages had wrong checksums when it was taken; None if pgBackRest did
            not check them.
    """

    backup: Backup
    start_file: str
    archive: str
    page_errors: bool | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The backups of a stanza in one repository.

    Attributes:
        entries: Oldest first.
        locked: Whether a backup is being taken right now.
    """

    entries: tuple[Entry, ...]
    locked: bool


def parse(text: str, stanza: str, repository: Repository) -> Catalogue:
    """Return the backups of one repository from `text`, the output of ``info``.

    Raises:
        HarnessError: The repository cannot be read, or the stanza is not in it.
    """
    found = _stanza(text, stanza)
    number = repository.number
    status = next(
        (repo["status"] for repo in found.get("repo", ()) if repo["key"] == number), found["status"]
    )
    if status["code"] in _MISSING:
        raise HarnessError(
            f"stanza {stanza!r} is not in {repository.address} ({status['message']})",
            hint="correct `stanza`, or the path of the repository: `pgbackrest info` lists the"
            " stanzas there are.",
        )
    if status["code"] not in {_OK, _NO_BACKUPS}:
        raise refused(str(status["message"]), repository)
    databases = {
        entry["id"]: entry
        for entry in found.get("db", ())
        if entry.get("repo-key", number) == number
    }
    archives = {
        entry["database"]["id"]: str(entry["id"])
        for entry in found.get("archive", ())
        if entry["database"].get("repo-key", number) == number
    }
    entries = [
        _entry(raw, databases, archives, repository)
        for raw in found.get("backup", ())
        if raw["database"].get("repo-key", number) == number
    ]
    lock = found["status"].get("lock", {}).get("backup", {})
    return Catalogue(tuple(entries), bool(lock.get("held")))


def details(text: str, stanza: str, label: str) -> Mapping[str, Any]:
    """Return what ``info --set`` reports of one backup; empty if it is not there.

    The keys used here are ``tablespace`` and ``error-list``, the files with wrong page checksums.
    """
    for raw in _stanza(text, stanza).get("backup", ()):
        if raw["label"] == label:
            found: Mapping[str, Any] = raw
            return found
    return {}


def _stanza(text: str, stanza: str) -> dict[str, Any]:
    try:
        # A message may quote a file that was decrypted with a wrong passphrase.
        # Bytes in it that are not UTF-8 arrive as \xNN, which is no escape of JSON.
        read = json.loads(_BYTE.sub(r"\\\\", text), strict=False)
        return next(entry for entry in read if entry["name"] == stanza)
    except (ValueError, StopIteration, KeyError, TypeError):
        raise HarnessError(
            f"pgBackRest's answer about stanza {stanza!r} is not understood",
            hint="read the saved log of `info`; is this a version of pgBackRest from before 2.27?",
        ) from None


def _entry(
    raw: Mapping[str, Any],
    databases: Mapping[int, Any],
    archives: Mapping[int, str],
    repository: Repository,
) -> Entry:
    database = databases.get(raw["database"]["id"], {})
    version = str(database.get("version", ""))
    identity = database.get("system-id")
    lsn = raw.get("lsn") or {}
    stored = raw["info"]["repository"]
    start_file = str((raw.get("archive") or {}).get("start") or "")
    backup = Backup(
        label=raw["label"],
        location=repository.address,
        form=f"pgBackRest format {raw['backrest']['format']}"
        + (", encrypted" if repository.encrypted else ""),
        kind=_KINDS.get(raw["type"], raw["type"]),
        server_major=int(version.partition(".")[0]) if version else None,
        started_at=_moment(raw["timestamp"]["start"]),
        stopped_at=_moment(raw["timestamp"]["stop"]),
        start_lsn=Lsn.parse(lsn["start"]) if lsn.get("start") else None,
        stop_lsn=Lsn.parse(lsn["stop"]) if lsn.get("stop") else None,
        timeline=int(start_file[:8], 16) if start_file else None,
        system_identifier=None if identity is None else int(identity),
        chain=tuple(raw.get("reference") or ()),
        size_bytes=raw["info"]["size"],
        written_by=f"pgBackRest {raw['backrest']['version']}",
        # `size` counts the backup and all it refers to. A bundled repository reports only `delta`,
        # which counts what this backup added.
        repository_bytes=stored.get("size", stored.get("delta")),
    )
    return Entry(backup, start_file, archives.get(raw["database"]["id"], ""), raw.get("error"))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
