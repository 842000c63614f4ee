"""A production that is backed up by scripts of its own: the repository of source `command`."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.sources.command.source import CommandSource
from pytest_pgrestore.sources.command.table import CommandTable
from pytest_pgrestore.sources.protocol import PhysicalSource
from pytest_pgrestore.sources.wal.backup_label import parse_label
from tests.real.tool_histories import MAJOR, run_as_server
from tests.real.tool_worlds import table_of


@dataclass
class Scripts:
    """Base backups in a directory, a list of them in a file, and their WAL.

    Attributes:
        directory: Holds `store`.
    """

    directory: Path

    @property
    def store(self) -> Path:
        """Directory of list, backups and WAL."""
        return self.directory / "store"

    @property
    def wal(self) -> Path:
        """Directory of the WAL."""
        return self.store / "wal"

    def prepare(self, cluster: Cluster) -> None:
        """Make the directories."""
        for path in (self.store, self.wal):
            path.mkdir()
            cluster.programs.account.own(path)

    def push(self, data: Path) -> str:  # noqa: ARG002 - of the protocol
        """Return the archive_command."""
        return f"cp %p {self.wal}/%f"

    def back_up(self, cluster: Cluster, *options: str) -> str:  # noqa: ARG002 - of the protocol
        """Take a base backup, and add it to the list."""
        entries = self._entries()
        label = f"b{len(entries) + 1}"
        place = self.store / label
        words = ("--wal-method=none", "--checkpoint=fast", "--no-sync", "--username=postgres")
        run_as_server(
            cluster, "pg_basebackup", "-D", str(place), "-h", str(cluster.directory), *words
        )
        begins = parse_label((place / "backup_label").read_text(), "backup_label")
        manifest = json.loads((place / "backup_manifest").read_text())
        entry = {
            "label": label,
            "server_major": MAJOR,
            "stopped_at": cluster.now().isoformat(),
            "start_lsn": str(begins.start_lsn),
            "start_file": begins.start_file,
            "stop_lsn": manifest["WAL-Ranges"][-1]["End-LSN"],
        }
        (self.store / "list.json").write_text(json.dumps([*entries, entry]))
        return label

    def _entries(self) -> list[object]:
        file = self.store / "list.json"
        found: list[object] = json.loads(file.read_text()) if file.exists() else []
        return found

    def restore(self, cluster: Cluster, label: str, into: Path) -> None:
        """Copy a backup."""
        run_as_server(cluster, "cp", "-a", f"{self.store / label}/.", str(into))

    def copied(self) -> tuple[Scripts, Path]:
        """Return a copy of the store."""
        copy = Scripts(short_directory())
        subprocess.run(["cp", "-a", self.store, copy.directory], check=True)
        return copy, copy.wal

    def source(self, **changes: object) -> PhysicalSource:
        """Return the source a user would configure."""
        plain = {
            "type": "command",
            "list": ["cat", f"{self.store}/list.json"],
            "fetch": ["sh", "-c", 'cp -a "$0/$1/." "$2"', str(self.store), "{backup}", "{data}"],
            "wal_list": ["ls", str(self.wal)],
            "wal_fetch": [shutil.which("cp"), f"{self.wal}/{{file}}", "{path}"],
            "read_paths": [self.store],
        }
        return CommandSource("shop", table_of(CommandTable, plain, changes))
