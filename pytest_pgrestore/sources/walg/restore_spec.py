"""Tablespaces of a WAL-G backup, put into the sandbox by a restore specification.

Source: WAL-G, docs/PostgreSQL.md, "backup-fetch", option ``--restore-spec``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.sources.basebackup.unpacking import TABLESPACE_MAP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.sandboxes.protocol import Sandbox


def into(sandbox: Sandbox, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a restore specification that puts every tablespace into the sandbox."""
    oids = [str(oid) for oid in spec.get("tablespaces") or ()]
    places = {
        oid: {"loc": str(sandbox.tablespaces / oid), "link": f"pg_tblspc/{oid}"} for oid in oids
    }
    return {"base_prefix": str(sandbox.data), "tablespaces": oids, **places}


def link_tablespaces(sandbox: Sandbox, spec: Mapping[str, Any]) -> None:
    """Link each tablespace into the sandbox.

    The ``tablespace_map`` of the backup is removed: it names production's paths, and beats links.
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
