"""Files of the copy made harmless before a server reads them: moved away, emptied, links refused."""

from __future__ import annotations

import os
import shutil
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable

if TYPE_CHECKING:
    from pytest_pgrestore.sandboxes.protocol import Sandbox

CARRIED_FILES = (
    "standby.signal",
    "recovery.signal",
    "recovery.conf",
    "postmaster.pid",
    "postmaster.opts",
    "postgresql.auto.conf",
    "postgresql.conf",
    "pg_hba.conf",
    "pg_ident.conf",
)
"""Files of the copy that would steer the server; none of them is wanted, and a bad one is FATAL."""

ATTIC = "carried"
"""Directory of the sandbox they are moved to."""


def sanitise(sandbox: Sandbox) -> list[str]:
    """Make the copied files harmless, in place; return what was moved away.

    Keeps ``backup_label``: without it a server opens the copy as if it had crashed, with wrong rows and no complaint.

    Raises:
        BackupNotRestorable: A link in the data directory leaves the sandbox.
    """
    attic = sandbox.root / ATTIC
    attic.mkdir(mode=0o700)
    moved = []
    for name in CARRIED_FILES:
        path = sandbox.data / name
        if path.exists() or path.is_symlink():
            path.rename(attic / name)
            moved.append(name)
    # It is read even when config_file points elsewhere, so it must be there and be empty.
    (sandbox.data / "postgresql.auto.conf").write_text("")
    _empty(sandbox.data / "pg_replslot")
    (sandbox.data / "recovery.signal").write_text("")
    for name in ("postgresql.auto.conf", "recovery.signal", "pg_replslot"):
        sandbox.adopt(sandbox.data / name)
    sandbox.data.chmod(0o700)
    _refuse_links_that_leave(sandbox)
    return moved


def _empty(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _refuse_links_that_leave(sandbox: Sandbox) -> None:
    # By the words of each link and not by where it leads from here: the sandbox may be another file system's view.
    for folder, folders, files in chain(os.walk(sandbox.data), os.walk(sandbox.tablespaces)):
        for name in (*folders, *files):
            path = Path(folder) / name
            if (
                path.is_symlink()
                and sandbox.root
                not in Path(os.path.normpath(path.parent / path.readlink())).parents
            ):
                raise BackupNotRestorable(
                    f"the copy's {path.relative_to(sandbox.root)} is a link to {path.readlink()}, outside the sandbox",
                    hint="a server started on it would write there: back the linked directory up as a tablespace.",
                )
