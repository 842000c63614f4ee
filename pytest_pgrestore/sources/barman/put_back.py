"""Barman's restored data directory, made equal to the backup: only then can it be verified.

Source: Barman, barman/recovery_executor.py. `barman restore` renames
``backup_manifest`` to ``backup_manifest.ID``, writes ``.barman-recover.info`` and recovery
settings, and changes settings that could harm production; it keeps the original of each changed
file with the suffix ``.origin``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.sources.basebackup.manifest import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Sandbox

_ORIGINAL = ".origin"
_OF_BARMAN = (".barman-recover.info", "barman_wal")
_SIGNALS = ("recovery.signal", "standby.signal")


def tablespace_options(tablespaces: Iterable[tuple[str, int]], sandbox: Sandbox) -> list[str]:
    """Make a directory for each tablespace, and return the options that make Barman use them.

    Args:
        tablespaces: Name and OID of each.
        sandbox: Where the backup is restored to.
    """
    options: list[str] = []
    for name, oid in tablespaces:
        place = sandbox.tablespaces / str(oid)
        place.mkdir(mode=0o700)
        options += ["--tablespace", f"{name}:{place}"]
    return options


def put_back(sandbox: Sandbox, label: str) -> None:
    """Undo the changes that `barman restore` made to the copy.

    The original settings need not be safe: all settings files are moved away later.
    """
    data = sandbox.data
    renamed = data / f"{MANIFEST}.{label}"
    if renamed.exists():
        renamed.rename(data / MANIFEST)
    for pattern in (f"*{_ORIGINAL}", f"*/*{_ORIGINAL}"):
        for original in data.glob(pattern):
            changed = original.with_name(original.name.removesuffix(_ORIGINAL))
            if changed.exists():
                original.rename(changed)
    for name in (*_OF_BARMAN, *_SIGNALS):
        _remove(data / name)


def _remove(path: Path) -> None:
    """Remove a file or a directory, if it is there."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    for inner in sorted(path.rglob("*"), reverse=True):
        if inner.is_dir():
            inner.rmdir()
        else:
            inner.unlink()
    path.rmdir()
