"""A Barman home on this machine: whether it can be read, and whether Barman sees what lies in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.barman import catalogue
from pytest_pgrestore.sources.barman.messages import failed

if TYPE_CHECKING:
    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.sources.backup_tool import BackupTool
    from pytest_pgrestore.sources.barman.catalogue import Entry
    from pytest_pgrestore.sources.barman.own_config import Server


def require_home(server: Server) -> None:
    """Refuse a home that is not here.

    Raises:
        HarnessError: It is missing, or this user may not read it.
    """
    for place in server.places:
        if not place.is_dir():
            raise HarnessError(
                f"{place} of Barman's server {server.name} is not on this machine",
                hint="run the drill where Barman's home is, or mount it at the same path.",
            )
        if not os.access(place, os.R_OK | os.X_OK):
            raise HarnessError(
                f"{place} may not be read by this user",
                hint="run the drill as Barman's user, as root, or as a member of its group.",
            )


def require_files(server: Server, backup: Backup) -> None:
    """Refuse a backup whose files are gone, or those of a backup it depends on.

    Raises:
        BackupNotRestorable: A directory is missing.
    """
    for label in (*backup.chain, backup.label):
        if (server.backup(label) / "data").is_dir():
            continue
        depends = f", and backup {backup.label} depends on it" if label != backup.label else ""
        raise BackupNotRestorable(
            f"the files of backup {label} are not in {server.backup(label)}{depends}",
            hint="find out what removed them; take a new full backup.",
        )


def read_catalogue(tool: BackupTool, server: Server, place: str) -> tuple[list[Entry], str]:
    """Return every backup that Barman knows, and Barman's version.

    Args:
        tool: Barman.
        server: Of its configuration.
        place: Where that is, in words, for messages.

    Raises:
        HarnessError: It could not be read, or Barman does not see what lies there.
    """
    done = tool.run("catalogue", "diagnose", quiet=True)
    if done.status != 0:
        raise failed(done, place, "the catalogue could not be read")
    every = catalogue.parse(done.stdout, server.name, str(server.directory))
    version = catalogue.version(done.stdout)
    unseen = sorted(_labels_in(server) - {entry.backup.label for entry in every})
    if unseen:
        raise HarnessError(
            f"Barman {version} does not see backup {unseen[0]}, which lies in {server.directory}",
            hint="a newer Barman wrote it: use production's version, by another image or `program`.",
        )
    return every, version


def _labels_in(server: Server) -> set[str]:
    """Return the backups whose descriptions lie in the home: in ``meta`` since Barman 3.13, beside the files before."""
    newer = {
        path.name.removesuffix("-backup.info")
        for path in server.directory.glob("meta/*-backup.info")
    }
    return newer | {path.parent.name for path in server.backups.glob("*/backup.info")}
