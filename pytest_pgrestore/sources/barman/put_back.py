"""What Barman leaves in a restored data directory: put back as it was in the backup, so that it can be verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.sources.basebackup.manifest import MANIFEST

if TYPE_CHECKING:
    from pytest_pgrestore.sandboxes.protocol import Sandbox

_ORIGINAL = ".origin"
_ITS_OWN = (".barman-recover.info", "barman_wal")
_SIGNALS = ("recovery.signal", "standby.signal")


def put_back(sandbox: Sandbox, label: str) -> None:
    """Undo what `barman restore` does to the copy.

    It renames the manifest, changes settings that could harm production and keeps the file as it was with the ending
    ``.origin``, and adds files of its own. All settings are moved away later, whatever they say.
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
    for name in (*_ITS_OWN, *_SIGNALS):
        path = data / name
        if path.is_dir() and not path.is_symlink():
            for inner in sorted(path.rglob("*"), reverse=True):
                inner.rmdir() if inner.is_dir() else inner.unlink()
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
