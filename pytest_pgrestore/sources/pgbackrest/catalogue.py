"""pgBackRest's catalogue: the output of ``info --output=json``.

``info`` ends with status 0 even if the repository cannot be read; the JSON has a status of its own.
Source: pgBackRest command reference, "Info Command"; status codes of src/command/info/info.c.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.json_answer import Answer, AnswerError, understood
from pytest_pgrestore.sources.json_answer import parse as parse_json
from pytest_pgrestore.sources.pgbackrest.entries import Catalogue, Cluster, Details, Entry
from pytest_pgrestore.sources.pgbackrest.messages import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from pytest_pgrestore.sources.pgbackrest.own_config import Repository

_KINDS = {"full": "full", "diff": "differential", "incr": "incremental"}
_BYTE = re.compile(r"\\(?=x[0-9a-f]{2})")
"""The backslash of ``\\xNN``, which stands for a byte that is not UTF-8."""

_OK = 0
_NO_BACKUPS = 2
_MISSING = {1, 3}
"""Status codes of a stanza that is not in the repository, or has no data there."""

_LARGEST_OID = 0xFFFF_FFFF
_NOTHING = Answer({})


class NoStanzaError(HarnessError):
    """The stanza is not in the repository."""


def parse(text: str, stanza: str, repository: Repository) -> Catalogue:
    """Return the backups of one repository from `text`, the output of ``info``.

    Raises:
        HarnessError: The repository cannot be read, or (NoStanzaError) the stanza is not in it.
    """
    with _understood(stanza):
        found = _stanza(text, stanza)
        status = _status(found, repository.number)
        code, message = status["code"].number(), status["message"].text()
    if code in _MISSING:
        raise NoStanzaError(
            f"stanza {stanza!r} is not in {repository.address} ({message})",
            hint="correct `stanza`, or the path of the repository.",
        )
    if code not in {_OK, _NO_BACKUPS}:
        raise refused(message, repository)
    with _understood(stanza):
        return _catalogue(found, repository)


def details(text: str, stanza: str, label: str) -> Details:
    """Return what ``info --set`` reports of one backup; nothing if it is not there.

    Raises:
        HarnessError: The answer is not understood.
    """
    with _understood(stanza):
        for raw in _stanza(text, stanza).each("backup"):
            if raw["label"].text() == label:
                return Details(
                    tablespaces=tuple(
                        space["oid"].number(1, _LARGEST_OID) for space in raw.each("tablespace")
                    ),
                    bad_files=tuple(name.text() for name in raw.each("error-list")),
                )
    return Details()


def _understood(stanza: str) -> AbstractContextManager[None]:
    return understood(
        f"pgBackRest's answer about stanza {stanza!r} is not understood",
        hint="read the saved log of `info`; is this a version of pgBackRest from before 2.27?",
    )


def _stanza(text: str, stanza: str) -> Answer:
    # A message may quote a file that was decrypted with a wrong passphrase.
    # Bytes in it that are not UTF-8 arrive as \xNN, which is no escape of JSON.
    for entry in parse_json(_BYTE.sub(r"\\\\", text), strict=False).values():
        if entry["name"].value == stanza:
            return entry
    raise AnswerError("the stanza is not in it")


def _status(found: Answer, number: int) -> Answer:
    """Return the status of the repository of that number, or the one of the whole stanza."""
    for repository in found.each("repo"):
        if repository["key"].number() == number:
            return repository["status"]
    return found["status"]


def _catalogue(found: Answer, repository: Repository) -> Catalogue:
    def here(database: Answer) -> bool:
        key = database.get("repo-key")
        return key is None or key.number() == repository.number

    databases = {entry["id"].number(): entry for entry in found.each("db") if here(entry)}
    archives = {
        entry["database"]["id"].number(): entry["id"].name()
        for entry in found.each("archive")
        if here(entry["database"])
    }
    entries = [
        _entry(raw, databases.get(raw["database"]["id"].number()), archives, repository)
        for raw in found.each("backup")
        if here(raw["database"])
    ]
    lock = found["status"].get("lock")
    backup = None if lock is None else lock.get("backup")
    held = None if backup is None else backup.get("held")
    return Catalogue(
        tuple(entries), _production(found, databases, here), held is not None and held.flag()
    )


def _production(
    found: Answer, databases: Mapping[int, Answer], here: Callable[[Answer], bool]
) -> Cluster | None:
    """Return the newest cluster in the history of the stanza."""
    if not databases:
        return None
    number = max(databases)
    identity = databases[number].get("system-id")
    newest = [
        last.segment()
        for entry in found.each("archive")
        if here(entry["database"]) and entry["database"]["id"].number() == number
        if (last := entry.get("max")) is not None
    ]
    return Cluster(number, None if identity is None else identity.number(), max(newest, default=""))


def _entry(
    raw: Answer, database: Answer | None, archives: Mapping[int, str], repository: Repository
) -> Entry:
    version = None if database is None else database.get("version")
    identity = None if database is None else database.get("system-id")
    start, stop = (
        (raw.get("lsn") or _NOTHING).get("start"),
        (raw.get("lsn") or _NOTHING).get("stop"),
    )
    wal = raw.get("archive") or _NOTHING
    start_file, stop_file = (
        "" if (segment := wal.get(end)) is None else segment.segment() for end in ("start", "stop")
    )
    number = raw["database"]["id"].number()
    # `size` counts the backup and all it refers to. A bundled repository reports only `delta`,
    # which counts what this backup added.
    stored = raw["info"]["repository"]
    stored_bytes = stored.get("size") or stored.get("delta")
    kind = raw["type"].text()
    errors = raw.get("error")
    backup = Backup(
        label=raw["label"].name(),
        location=repository.address,
        form=f"pgBackRest format {raw['backrest']['format'].number()}"
        + (", encrypted" if repository.encrypted else ""),
        kind=_KINDS.get(kind, kind),
        server_major=None if version is None else _major(version),
        started_at=raw["timestamp"]["start"].epoch(),
        stopped_at=raw["timestamp"]["stop"].epoch(),
        start_lsn=None if start is None else start.lsn(),
        stop_lsn=None if stop is None else stop.lsn(),
        timeline=int(start_file[:8], 16) if start_file else None,
        system_identifier=None if identity is None else identity.number(),
        chain=tuple(label.name() for label in raw.each("reference")),
        size_bytes=raw["info"]["size"].size(),
        written_by=f"pgBackRest {raw['backrest']['version'].text()}",
        repository_bytes=None if stored_bytes is None else stored_bytes.size(),
    )
    return Entry(
        backup,
        start_file,
        stop_file,
        number,
        archives.get(number, ""),
        None if errors is None else errors.flag(),
    )


def _major(version: Answer) -> int:
    """Return the server major of a version: 9 of ``9.6``, 17 of ``17``."""
    return Answer(version.text().partition(".")[0], version.place).major()
