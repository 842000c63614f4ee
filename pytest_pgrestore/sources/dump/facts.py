"""The facts of a backup made of dumps: for the catalogue, for the choice and for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.dump.reading import completeness, foreign

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile

_COMPRESSED_GROWTH = 2
"""Least size of a database relative to its compressed dump.

A larger guess would refuse disks that are large enough.
"""

_OLDEST_MAJOR = 12
"""The oldest PostgreSQL that a drill runs."""

_FILES = (
    "The files of the database: a dump carries no checksums of them, and statistics may differ."
)
_UNNAMED = (
    "Whether the dump is of the right database: a plain dump made without --create does not name"
    " it."
)
_ENCODING = "Encoding and locale: a plain dump made without --create does not carry them."
_SILENT = "it does not say so"
_TAKE = (
    "A file's time proves nothing, because a copy is new. Take the dump with --verbose, or set"
    " taken_at in the source."
)


def encrypted(path: Path) -> Backup | None:
    """Return the catalogue entry of an encrypted file; None for anything else."""
    tool = foreign.encryption_of(path)
    if tool is None:
        return None
    size = path.stat().st_size
    form = f"encrypted ({tool})"
    return Backup(label=path.name, location=path, form=form, kind="logical", size_bytes=size)


def entry_of(dump: DumpFile) -> Backup:
    """Return the catalogue entry of a dump. Its data are of its beginning, so that is its age."""
    return Backup(
        label=dump.location.name,
        location=dump.location,
        form=dump.words,
        kind="logical",
        server_major=dump.server_major,
        started_at=dump.started_at,
        stopped_at=dump.started_at,
        database=dump.database,
        size_bytes=dump.size_bytes if dump.stored is None else dump.stored.stat().st_size,
    )


def entry_of_all(dumps: list[DumpFile]) -> Backup:
    """Return the catalogue entry of a backup that is made of `dumps`."""
    entries = [entry_of(dump) for dump in dumps]
    if len(entries) == 1:
        return entries[0]
    started = [entry.started_at for entry in entries if entry.started_at is not None]
    # The oldest part decides what would be lost.
    oldest = min(started) if len(started) == len(entries) else None
    return Backup(
        label=" + ".join(entry.label for entry in entries),
        location=", ".join(str(entry.location) for entry in entries),
        form=" + ".join(dict.fromkeys(entry.form for entry in entries)),
        kind="logical",
        server_major=max((entry.server_major or 0 for entry in entries), default=0) or None,
        started_at=oldest,
        stopped_at=oldest,
        oldest_part=min(started, default=None),
        database=next((entry.database for entry in entries if entry.database), None),
        size_bytes=sum(entry.size_bytes or 0 for entry in entries),
    )


def selection(words: list[str]) -> str:
    """Return why the files of a backup were chosen, in words."""
    if len(words) == 1:
        return words[0]
    return f"{len(words)} files, in the order of `path`: {'; '.join(words)}"


def major_of(dumps: list[DumpFile]) -> int | None:
    """Return the major version that the dumps need; None is the newest.

    An older one than drills run is None: there may be no image of it, and a newer one reads it.
    """
    major = max(max(dump.server_major or 0, dump.tool_major or 0) for dump in dumps)
    return major if major >= _OLDEST_MAJOR else None


def needed_bytes(dump: DumpFile) -> int:
    """Return an estimate of the size of the restored database."""
    is_stretched = dump.codec == "none" and dump.form in {"plain", "cluster", "tar"}
    return dump.size_bytes * (1 if is_stretched else _COMPRESSED_GROWTH)


def not_checked(dumps: list[DumpFile], *, unmarked: bool = False) -> tuple[str, ...]:
    """Return what cannot be verified of a backup, one sentence each.

    `unmarked`: whether the user accepts plain SQL whose end is not marked.
    """
    sentences = [_FILES]
    if all(dump.form == "plain" and dump.database is None for dump in dumps):
        sentences += [_UNNAMED, _ENCODING]
    for dump in dumps:
        name = dump.location.name
        if dump.started_at is None:
            told_by = dump.moment.told_by if dump.moment is not None else _SILENT
            sentences.append(f"When {name} began: {told_by}. {_TAKE}")
        if not dump.is_archive and not dump.is_titled:
            sentences.append(
                f"Whether every object of {name} is there: its comments were removed, and with them"
                " the list of its objects."
            )
        if not dump.is_archive and _may_be_unmarked(dump, unmarked=unmarked):
            sentences.append(f"Whether {name} is whole: nothing marks its end.")
    return tuple(sentences)


def _may_be_unmarked(dump: DumpFile, *, unmarked: bool) -> bool:
    """Return whether nothing marks the end of plain SQL, as far as is known before it is loaded."""
    return (unmarked or not dump.is_titled) and not completeness.is_marked(dump)


def notes(dumps: list[DumpFile], programs: PostgresPrograms) -> tuple[str, ...]:
    """Return other facts of a backup for the report, one sentence each."""
    return tuple(dict.fromkeys(note for dump in dumps for note in _notes(dump, programs)))


def _notes(dump: DumpFile, programs: PostgresPrograms) -> list[str]:
    sentences = []
    if dump.database:
        sentences.append(f"the dump was taken of database {dump.database}")
    if dump.moment is not None and dump.started_at is not None:
        sentences.append(
            f"{dump.location.name} began {dump.started_at.isoformat()}, by {dump.moment.told_by}"
        )
    if dump.server_major is not None and programs.major != dump.server_major:
        sentences.append(
            f"taken from PostgreSQL {dump.server_major} and restored under {programs.major}"
        )
    return sentences


def not_in_the_dump(dump: DumpFile, wanted: str, existing: list[str]) -> BackupNotRestorable:
    """Return the error for a database that the dump does not hold."""
    return BackupNotRestorable(
        f"database {wanted} is not in {dump.location}, which holds {', '.join(existing) or 'none'}",
        hint="correct `database` in the source, or the dump job.",
    )


def only_database(names: list[str]) -> str:
    """Return the only database that is not PostgreSQL's own; otherwise ``postgres``."""
    own = [name for name in names if name not in {"postgres", "template0", "template1"}]
    return own[0] if len(own) == 1 else "postgres"
