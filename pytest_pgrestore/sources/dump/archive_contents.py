"""The table of contents of an archive, read with pg_restore. Nothing is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.sources.dump.archive_script import sections_of
from pytest_pgrestore.sources.dump.loading import archive_input, blame, messages
from pytest_pgrestore.sources.dump.reading import archive_files, toc

if TYPE_CHECKING:
    from pytest_pgrestore.model.errors import PgRestoreError
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms
    from pytest_pgrestore.sources.dump.loading.archive_input import ArchiveInput
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile

_LIST = ("--list", "--verbose")
_SCRIPT = ("--create", "--schema-only", "--file=-")


def read_contents(dump: DumpFile, programs: PostgresPrograms) -> tuple[toc.Toc, bool]:
    """Return an archive's table of contents, and whether the server's user can read it in place.

    Raises:
        BackupNotRestorable: The archive is damaged, or not what pg_dump writes.
        HarnessError: The programs are too old for the archive.
    """
    archive_files.require_regular(dump)
    direct = archive_input.in_place(dump)
    listing, error = _printed(dump, programs, direct, _LIST)
    if error is None:
        script = _require(dump, programs, direct, _SCRIPT)
        return toc.parse(listing, script, sections_of(script)), _same_rights(dump)
    # The messages do not always say that the permission is missing.
    with archive_input.contents_only(dump, programs) as handed:
        listing = _require(dump, programs, handed, _LIST)
    with archive_input.contents_only(dump, programs) as handed:
        script = _require(dump, programs, handed, _SCRIPT)
    return toc.parse(listing, script, sections_of(script)), False


def _same_rights(dump: DumpFile) -> bool:
    """Return whether all files may be read by whoever may read the first one."""
    if dump.form != "directory":
        return True
    facts = [member.stat() for member in archive_files.members_of(dump.path)]
    return len({(fact.st_uid, fact.st_gid, fact.st_mode) for fact in facts}) == 1


def _require(
    dump: DumpFile, programs: PostgresPrograms, archive: ArchiveInput, options: tuple[str, ...]
) -> str:
    """Return the output of pg_restore; see `read_contents` for the errors raised."""
    printed, error = _printed(dump, programs, archive, options)
    if error is not None:
        raise error
    return printed


def _printed(
    dump: DumpFile, programs: PostgresPrograms, archive: ArchiveInput, options: tuple[str, ...]
) -> tuple[str, PgRestoreError | None]:
    """Return the output of pg_restore, and the error that it reported."""
    done = programs.run(
        "pg_restore", *options, *archive.arguments, stdin=archive.stdin, check=False
    )
    found = messages.complaints(done.stderr)
    if done.status == 0 and not found:
        return done.stdout, None
    unknown = messages.Complaint(f"pg_restore ended with status {done.status}")
    return "", blame.blame(f"reading the contents of {dump.path}", found or [unknown])
