"""A storage without a backup: is it production's, or is the prefix of another place?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError
from pytest_pgrestore.sources.walg.answers import listed_in
from pytest_pgrestore.sources.walg.messages import failed

if TYPE_CHECKING:
    from pytest_pgrestore.sources.backup_tool import BackupTool
    from pytest_pgrestore.sources.walg.storage import Storage

_DIRECTORY = re.compile(r"dir .* (\S+)/\s*")
_OWN = ("basebackups_005", "wal_005")
"""Directories of WAL-G itself."""

_NAMED = 5
"""Most directories that a hint names."""


def no_backup(tool: BackupTool, storage: Storage) -> PgRestoreError:
    """Return the error for a storage whose catalogue is empty.

    WAL without a backup is a finding: production archives there. Without WAL nothing says that
    production ever used this prefix, so nothing was learned.
    """
    done = tool.run("repository", "st", "ls", "-r", "wal_005", quiet=True)
    if done.status != 0:
        return failed(done, "the archive could not be listed")
    segments, _ = listed_in(done.stdout)
    if segments:
        return BackupNotRestorable(
            f"there is no backup in {storage.location}, although WAL is archived there, up to"
            f" {max(segments)}",
            hint="take a backup now, and find out why `wal-g backup-push` writes none.",
        )
    variable = storage.variable or "the prefix"
    return HarnessError(
        f"there is neither a backup nor WAL of WAL-G in {storage.location}",
        hint=f"correct {variable}, in `env` or in `config`{_below(tool)}",
    )


def _below(tool: BackupTool) -> str:
    """Return what lies below the prefix, as the end of a hint.

    Spilo's prefix ends in ``/wal/MAJOR``, so one directory too few is a usual mistake.
    """
    done = tool.run("repository", "st", "ls", quiet=True)
    matches = (_DIRECTORY.fullmatch(line) for line in done.stdout.split("\n"))
    names = [match[1] for match in matches if match is not None and match[1] not in _OWN]
    if done.status != 0 or not names:
        return ": production's prefix is the one that its archive_command uses."
    more = " ..." if names[_NAMED:] else ""
    return f": below it there are {', '.join(names[:_NAMED])}{more}."
