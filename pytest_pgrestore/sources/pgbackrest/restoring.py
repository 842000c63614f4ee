"""The call of ``pgbackrest restore``: all of a backup, into given directories, and nothing archived.

Source: pgBackRest command reference, "Restore Command".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.sources.pgbackrest.messages import failed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_pgrestore.sources.backup_tool import BackupTool
    from pytest_pgrestore.sources.pgbackrest.own_config import Repository

_WHOLE_AND_INSIDE = (
    "--reset-link-map",
    "--reset-tablespace-map-all",
    "--reset-db-include",
    "--reset-db-exclude",
)
"""Takes back what production's file may say of a restore: files elsewhere, some databases only."""


def restore(
    tool: BackupTool, repository: Repository, label: str, tablespaces: Mapping[int, Path]
) -> None:
    """Restore a backup.

    Args:
        tool: pgBackRest, whose variables name the data directory.
        repository: Where the backup is.
        label: Of the backup.
        tablespaces: Where each one goes, by OID.

    Raises:
        PgRestoreError: pgBackRest ended with an error; its class is about the backup or the place.
    """
    maps = [f"--tablespace-map={oid}={place}" for oid, place in tablespaces.items()]
    done = tool.run(
        "restore",
        f"--repo={repository.number}",
        f"--set={label}",
        "--type=none",
        "--archive-mode=off",
        *(maps or ["--reset-tablespace-map"]),
        *_WHOLE_AND_INSIDE,
        "restore",
    )
    if done.status != 0:
        raise failed(done, repository, f"backup {label} was not restored")
