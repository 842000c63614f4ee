"""Barman's restored data directory, made equal to the backup: only then can it be verified.

Source: Barman, barman/recovery_executor.py. `barman restore` renames
``backup_manifest`` to ``backup_manifest.ID``, writes ``.barman-recover.info`` and recovery
settings, and changes settings that could harm production; it keeps the original of each changed
file with the suffix ``.origin``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.basebackup.manifest import MANIFEST
from pytest_pgrestore.sources.restored_files import is_file, own_directories, remove_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_pgrestore.sandboxes.protocol import Sandbox

_ORIGINAL = ".origin"
_OF_BARMAN = (".barman-recover.info", "barman_wal")
_SIGNALS = ("recovery.signal", "standby.signal")


def tablespace_options(tablespaces: Iterable[tuple[str, int]], sandbox: Sandbox) -> list[str]:
    """Make a directory for each tablespace, and return the options that make Barman use them.

    Args:
        tablespaces: Name and OID of each.
        sandbox: Where the backup is restored to.

    Raises:
        HarnessError: The name of a tablespace cannot be spelled for Barman.
    """
    options: list[str] = []
    for name, oid in tablespaces:
        # Barman splits at the first colon, so a name with a colon would choose the directory.
        # Source: Barman, barman/cli.py, function recover.
        if ":" in name:
            raise HarnessError(
                f"Barman cannot be told where tablespace {name!r} is to go: its name has a colon",
                hint="rename the tablespace in production and take a new backup, or drill another"
                " kind of backup.",
            )
        place = sandbox.tablespaces / str(oid)
        place.mkdir(mode=0o700)
        options.append(f"--tablespace={name}:{place}")
    return options


def put_back(sandbox: Sandbox, label: str) -> None:
    """Undo the changes that `barman restore` made to the copy.

    The original settings need not be safe: all settings files are moved away later.
    """
    data = sandbox.data
    renamed = data / f"{MANIFEST}.{label}"
    if is_file(renamed):
        renamed.rename(data / MANIFEST)
    for folder in (data, *own_directories(data)):
        for original in folder.glob(f"*{_ORIGINAL}"):
            changed = original.with_name(original.name.removesuffix(_ORIGINAL))
            if is_file(original) and is_file(changed):
                original.rename(changed)
    for name in (*_OF_BARMAN, *_SIGNALS):
        remove_file(data, name)
