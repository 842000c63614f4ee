"""WAL of a Barman home, brought to the sandbox: read by us, or fetched by ``barman get-wal``.

Source: Barman manual, "get-wal".
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.sources.barman.messages import failed
from pytest_pgrestore.sources.copying import copy_plain, in_parallel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_pgrestore.sources.backup_tool import BackupTool
    from pytest_pgrestore.sources.barman.own_config import Server
    from pytest_pgrestore.sources.barman.wal import Shelves
    from pytest_pgrestore.sources.wal.stored_wal import Bring

_NOT_THERE = re.compile(r"WAL file '\w+' not found in server")
"""Message of ``get-wal`` for a missing file; its status is 1 for every error."""


def bringer_of(
    shelves: ShelfBringer, barman: GetWalBringer, *, all_by_barman: bool, some_by_barman: bool
) -> tuple[Bring, str]:
    """Return what fetches segments, and how it does, in words."""
    if all_by_barman:
        return barman, "by get-wal"
    if some_by_barman:
        words = "by get-wal where they are encrypted or packed with snappy"
        return MixedBringer(shelves, barman), words
    return shelves, "read from Barman's home"


@dataclass(frozen=True, slots=True)
class ShelfBringer:
    """Decompresses segments from the home, several at a time and without a program."""

    shelves: Shelves
    segment_bytes: int

    def __call__(self, names: Sequence[str], into: Path) -> None:
        """Write each of `names` to `into`; see `stored_wal.Bring`."""

        def one(name: str) -> None:
            with suppress(FileNotFoundError):
                copy_plain(self.shelves.files[name].path, into / name, self.segment_bytes)

        in_parallel(one, names)


@dataclass(frozen=True, slots=True)
class MixedBringer:
    """Fetches segments from the home, and those that only Barman reads with its get-wal."""

    shelves: ShelfBringer
    barman: GetWalBringer

    def __call__(self, names: Sequence[str], into: Path) -> None:
        """Write each of `names` to `into`; see `stored_wal.Bring`."""
        barmans = set(self.shelves.shelves.only_barman_reads(names))
        self.shelves([name for name in names if name not in barmans], into)
        self.barman([name for name in names if name in barmans], into)


@dataclass(frozen=True, slots=True)
class GetWalBringer:
    """Fetches segments by ``barman get-wal``, as Barman's restore_command does."""

    tool: BackupTool
    server: Server

    def __call__(self, names: Sequence[str], into: Path) -> None:
        """Write each of `names` to `into`; see `stored_wal.Bring`."""

        def one(name: str) -> None:
            done = self.tool.run(
                "wal", "get-wal", "--output-directory", str(into), self.server.name, name
            )
            if done.status == 0:
                return
            (into / name).unlink(missing_ok=True)
            if not _NOT_THERE.search(done.stdout + done.stderr):
                raise failed(
                    done, str(self.server.directory), f"WAL segment {name} could not be brought"
                )

        in_parallel(one, names)
