"""Tablespaces of a backup of Barman's, put into the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.barman.catalogue import Entry


def tablespace_options(entry: Entry, sandbox: Sandbox) -> list[str]:
    """Make a directory for each tablespace; return the options that name them.

    Source: Barman manual, "restore", option ``--tablespace NAME:LOCATION``.
    """
    options: list[str] = []
    for name, oid in entry.tablespaces:
        place = sandbox.tablespaces / str(oid)
        place.mkdir(mode=0o700)
        options += ["--tablespace", f"{name}:{place}"]
    return options
