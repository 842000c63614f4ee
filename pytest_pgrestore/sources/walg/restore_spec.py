"""Tablespaces of a WAL-G restore: all of them are put into the sandbox.

Source: WAL-G, docs/PostgreSQL.md, "backup-fetch", option ``--restore-spec``. The format of the
file is that of ``Spec`` in a backup's sentinel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.sources.basebackup.unpacking import TABLESPACE_MAP
from pytest_pgrestore.sources.restored_files import own_directory, remove_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.sandboxes.protocol import Sandbox


def restore_spec(tablespaces: Sequence[int], sandbox: Sandbox) -> dict[str, Any]:
    """Return a restore specification that puts every tablespace, named by its OID, there."""
    oids = [str(oid) for oid in tablespaces]
    places = {
        oid: {"loc": str(sandbox.tablespaces / oid), "link": f"pg_tblspc/{oid}"} for oid in oids
    }
    return {"base_prefix": str(sandbox.data), "tablespaces": oids, **places}


def link_tablespaces(tablespaces: Sequence[int], sandbox: Sandbox) -> None:
    """Make the link of each tablespace point into the sandbox.

    The restored tablespace_map names paths of production. It is removed: a server makes its links
    from it (PostgreSQL, read_tablespace_map in access/transam/xlogrecovery.c).

    Raises:
        BackupNotRestorable: The backup has something else where these names lie.
    """
    remove_file(sandbox.data, TABLESPACE_MAP)
    if not tablespaces:
        return
    folder = own_directory(sandbox.data, "pg_tblspc")
    for oid in tablespaces:
        link, place = folder / str(oid), sandbox.tablespaces / str(oid)
        if link.is_symlink():
            link.unlink()
        elif link.is_dir():
            link.rename(place)
        place.mkdir(mode=0o700, exist_ok=True)
        link.symlink_to(place)
