"""Barman's home on this machine: are its directories readable, and are all files there?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.barman.open_place import require_open

if TYPE_CHECKING:
    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.sources.barman.own_config import Server


def require_home(server: Server) -> None:
    """Check that the directories of a server are here and readable.

    Raises:
        HarnessError: One is missing, or this user may not read it.
    """
    for place in server.places:
        require_open(place)
        if not place.is_dir():
            raise HarnessError(
                f"{place} of Barman's server {server.name} is not on this machine",
                hint="run the drill where Barman's home is, or mount it at the same path.",
            )


def require_files(server: Server, backup: Backup) -> None:
    """Check that the files of a backup, and of those that it depends on, are in the home.

    Raises:
        BackupNotRestorable: Those of one backup are missing.
    """
    for label in (*backup.chain, backup.label):
        if (server.backup(label) / "data").is_dir():
            continue
        why = "" if label == backup.label else f", and backup {backup.label} depends on it"
        raise BackupNotRestorable(
            f"the files of backup {label} are not in {server.backup(label)}{why}",
            hint="find out what removed them; take a new full backup.",
        )


def labels_in(server: Server) -> set[str]:
    """Return the backups that have a description in the home.

    Since Barman 3.13 descriptions are in ``meta``; before, they were beside the files of a backup.
    """
    newer = {
        path.name.removesuffix("-backup.info")
        for path in server.directory.glob("meta/*-backup.info")
    }
    return newer | {path.parent.name for path in server.backups.glob("*/backup.info")}
