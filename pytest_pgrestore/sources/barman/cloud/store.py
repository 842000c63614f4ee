"""An object store, as barman-cloud's programs read it, restore from it and bring WAL out of it.

Source: Barman manual, "barman-cloud-backup-list", "barman-cloud-restore", "barman-cloud-wal-restore".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.barman import catalogue
from pytest_pgrestore.sources.barman.cloud import scripts
from pytest_pgrestore.sources.barman.messages import failed
from pytest_pgrestore.sources.copying import WORKERS, in_parallel
from pytest_pgrestore.sources.wal.stored_wal import StoredWal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.sources.backup_tool import BackupTool
    from pytest_pgrestore.sources.barman.catalogue import Entry
    from pytest_pgrestore.sources.barman.table import BarmanTable

LIST, RESTORE, WAL = "barman-cloud-backup-list", "barman-cloud-restore", "barman-cloud-wal-restore"
_SEGMENT_DIGITS = 24
_HISTORY = ".history"
_AT_ONCE = 32
"""Segments a process brings: enough to make its start small, few enough for several at work."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the store holds of a server.

    Attributes:
        entries: Backups that can be read, oldest first.
        unreadable: Ids of backups whose description cannot be read.
        names: WAL segments and histories.
        version: Of Barman.
    """

    entries: list[Entry]
    unreadable: list[str]
    names: list[str]
    version: str


class Store:
    """One server's part of an object store.

    Args:
        table: The source's table of the settings file; `url` is given.
        tool: barman-cloud, with its variables.
    """

    def __init__(self, table: BarmanTable, tool: BackupTool) -> None:
        self._table = table
        self._tool = tool
        self._url = table.url or ""

    @property
    def place(self) -> str:
        """Where it is, in words."""
        at = f" at {self._table.endpoint_url}" if self._table.endpoint_url else ""
        return f"{self._url}{at} (server {self._table.server})"

    def read(self) -> Holdings:
        """Return what the store holds.

        Raises:
            HarnessError: It could not be read, or has nothing of the server.
        """
        script = ("-c", scripts.BESIDE, self._program(LIST), scripts.CATALOGUE)
        done = self._tool.run("catalogue", *script, *self._server, program="sh", quiet=True)
        if done.status != 0:
            problem = failed(done, self.place, "the catalogue could not be read")
            raise HarnessError(problem.problem, hint=problem.hint)
        try:
            document: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
        except ValueError:
            raise HarnessError(
                f"barman-cloud's answer about {self.place} is not understood",
                hint="read the saved log of `catalogue`.",
            ) from None
        if not (document["backups"] or document["wals"] or document["unreadable"]):
            raise HarnessError(
                f"there is nothing of server {self._table.server!r} in {self._url}",
                hint="correct `server` or `url`.",
            )
        location = f"{self._url.rstrip('/')}/{self._table.server}"
        entries = catalogue.entries(document["backups"], location)
        return Holdings(entries, document["unreadable"], document["wals"], document["version"])

    def wal(self, found: Holdings) -> StoredWal:
        """Return the WAL of the store, its histories with their texts.

        Raises:
            PgRestoreError: A history could not be read.
        """
        segments = [name for name in found.names if len(name) == _SEGMENT_DIGITS]
        histories = {
            int(name.removesuffix(_HISTORY), 16): self._history(name)
            for name in found.names
            if name.endswith(_HISTORY)
        }
        return StoredWal(segments=dict.fromkeys(segments), histories=histories)

    def restore(self, label: str, options: Sequence[str], data: Path) -> None:
        """Restore a backup into `data`.

        Raises:
            PgRestoreError: barman-cloud ended with an error.
        """
        place = (*self._options, *options, self._url, self._table.server, label, str(data))
        done = self._tool.run("restore", *place, program=self._program(RESTORE))
        if done.status != 0:
            raise failed(done, self.place, f"backup {label} was not restored")

    def bring(self, names: Sequence[str], into: Path) -> None:
        """Bring WAL segments into a directory, in several processes.

        Raises:
            PgRestoreError: A process ended with an error; a segment that is absent is none.
        """
        share = min(_AT_ONCE, -(-len(names) // WORKERS) or 1)
        batches = [names[begin : begin + share] for begin in range(0, len(names), share)]
        script = ("-c", scripts.BESIDE, self._program(WAL), scripts.WAL)

        def bring_batch(batch: Sequence[str]) -> None:
            place = (*self._server, str(into), ",".join(batch))
            done = self._tool.run("wal", *script, *place, program="sh", quiet=True)
            if done.status != 0:
                raise failed(done, self.place, "WAL could not be brought")

        in_parallel(bring_batch, batches)

    def _history(self, name: str) -> str:
        # The tool's own file, so its own memory: only what it prints comes back.
        path = str(self._tool.tool_runner.writable / name)
        done = self._tool.run("catalogue", *self._server, name, path, program=self._program(WAL))
        if done.status != 0:
            raise failed(done, self.place, f"{name} could not be read")
        return self._tool.run("catalogue", path, program="cat").stdout

    def _program(self, name: str) -> str:
        return program_beside(self._table.program_name, name)

    @property
    def _server(self) -> tuple[str, ...]:
        """Arguments that every program takes: options, address, server."""
        return (*self._options, self._url, self._table.server)

    @property
    def _options(self) -> tuple[str, ...]:
        table = self._table
        provider = ("--cloud-provider", table.cloud_provider) if table.cloud_provider else ()
        endpoint = ("--endpoint-url", table.endpoint_url) if table.endpoint_url else ()
        return (*provider, *endpoint)


def program_beside(barman: str, name: str) -> str:
    """Return a program of barman-cloud: beside Barman where that is named by its path."""
    named = Path(barman)
    return str(named.with_name(name)) if named.is_absolute() else name
