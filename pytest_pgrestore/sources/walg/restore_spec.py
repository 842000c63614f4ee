"""Tablespaces of a WAL-G restore: all of them are put into the sandbox.

Source: WAL-G, docs/PostgreSQL.md, "backup-fetch", option ``--restore-spec``. The format of the
file is that of ``Spec`` in a backup's sentinel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.sources.basebackup.unpacking import TABLESPACE_MAP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.sandboxes.protocol import Sandbox


def restore_spec(spec: Mapping[str, Any], sandbox: Sandbox) -> dict[str, Any]:
    """Return a restore specification that puts every tablespace of `spec` into the sandbox."""
    oids = [str(oid) for oid in spec.get("tablespaces") or ()]
    places = {
        oid: {"loc": str(sandbox.tablespaces / oid), "link": f"pg_tblspc/{oid}"} for oid in oids
    }
    return {"base_prefix": str(sandbox.data), "tablespaces": oids, **places}


def link_tablespaces(spec: Mapping[str, Any], sandbox: Sandbox) -> None:
    """Make the link of each tablespace point into the sandbox.

    The restored tablespace_map names paths of production. It is removed: a server makes its links
    from it (PostgreSQL, read_tablespace_map in access/transam/xlogrecovery.c).
    """
    (sandbox.data / TABLESPACE_MAP).unlink(missing_ok=True)
    for oid in spec.get("tablespaces") or ():
        link, place = sandbox.data / "pg_tblspc" / str(oid), sandbox.tablespaces / str(oid)
        if link.is_symlink():
            link.unlink()
        elif link.is_dir():
            link.rename(place)
        place.mkdir(mode=0o700, exist_ok=True)
        link.symlink_to(place)
