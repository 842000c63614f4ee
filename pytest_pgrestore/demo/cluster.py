"""A small production server and its backups, for the demo, the scenarios and the tests."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.demo.server import PORT, SUPERUSER, Server

if TYPE_CHECKING:
    from pytest_pgrestore.system.process import Completed

__all__ = ["PORT", "Cluster", "short_directory"]


class Cluster(Server):
    """A production server that backups are taken of with PostgreSQL's own programs."""

    def arguments(self) -> list[str]:
        """Return the connection arguments of the client programs."""
        return ["--host", str(self.directory), "--port", str(PORT), "--username", SUPERUSER]

    def client(self, tool: str, *arguments: str) -> Completed:
        """Run a client program against this server, as the server's operating system user."""
        return self.programs.run(tool, *self.arguments(), *arguments)

    def dump(self, path: Path, database: str, *arguments: str, form: str = "custom") -> Path:
        """Take a pg_dump of `database` into `path`; returns `path`."""
        self._writable(path.parent)
        self.client("pg_dump", "--format", form, "--file", str(path), *arguments, database)
        return path

    def dump_all(self, path: Path, *arguments: str) -> Path:
        """Take a pg_dumpall into `path`; returns `path`."""
        self._writable(path.parent)
        self.client("pg_dumpall", "--file", str(path), *arguments)
        return path

    def base_backup(self, path: Path, *arguments: str) -> Path:
        """Take a pg_basebackup into `path`; returns `path`."""
        self._writable(path.parent)
        self.client(
            "pg_basebackup", "--pgdata", str(path), "--checkpoint", "fast", "--no-sync", *arguments
        )
        return path

    def _writable(self, folder: Path) -> None:
        """Make `folder` and its missing parents, and give all of them to the server's user."""
        made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for parent in (*made, folder):
            self.programs.account.own(parent)


def short_directory() -> Path:
    """Make a directory that every user can enter, with a path short enough for a socket's."""
    directory = Path(tempfile.mkdtemp(prefix="pgrlab-"))
    directory.chmod(0o755)
    return directory
