"""An archive that needs an extension, and server programs that do not have it."""

from __future__ import annotations

import shutil
from pathlib import Path

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.sandboxes.local.find_programs import search

EXTENSION = "pgcrypto"
"""In Debian's package; the wheel with PostgreSQL 18 is built without OpenSSL, and so without it."""


def archive_with_extension(dumps: Path) -> tuple[Path, str]:
    """Return a custom dump of the oldest server here, and the name of an extension it needs."""
    directory = short_directory()
    try:
        with Cluster.create(
            directory / "c", min(entry.major for entry in search().found)
        ) as cluster:
            cluster.sql(f"create extension {EXTENSION}")
            archive = cluster.dump(directory / "dumps" / "ext.custom", "postgres")
        return Path(shutil.copy(archive, dumps / "ext.custom")), EXTENSION
    finally:
        shutil.rmtree(directory)


def programs_without(extension: str) -> Path:
    """Return the directory of programs whose server does not know `extension`."""
    without = [
        entry.directory
        for entry in search().found
        if not list(entry.directory.parent.rglob(f"{extension}.control"))
        and not list(
            Path("/usr/share/postgresql").glob(f"{entry.major}/extension/{extension}.control")
        )
    ]
    return without[0]
