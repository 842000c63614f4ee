"""The table of contents of an archive, read with pg_restore. Nothing is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.sources.dump.loading import causes, messages
from pytest_pgrestore.sources.dump.reading import toc

if TYPE_CHECKING:
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile


def read_contents(dump: DumpFile, programs: PostgresPrograms) -> toc.Toc:
    """Return an archive's table of contents.

    Raises:
        BackupNotRestorable: The archive is damaged.
        HarnessError: The programs are too old for the archive.
    """
    listing = _printed(dump, programs, "--list", "--verbose")
    script = _printed(dump, programs, "--create", "--schema-only", "--file=-")
    return toc.parse(listing, script)


def _printed(dump: DumpFile, programs: PostgresPrograms, *options: str) -> str:
    """Return the output of pg_restore; see `read_contents` for the errors raised."""
    done = programs.run("pg_restore", *options, str(dump.path), check=False, as_caller=True)
    found = messages.complaints(done.stderr)
    if done.status != 0 or found:
        unknown = messages.Complaint(f"pg_restore ended with status {done.status}")
        raise causes.blame(f"reading the contents of {dump.path}", found or [unknown])
    return done.stdout
