"""Source `barman` with `url`: backups that barman-cloud wrote to an object store.

Source: Barman manual, "barman-cloud-restore".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.sources.backup_tool import BackupTool
from pytest_pgrestore.sources.barman import catalogue
from pytest_pgrestore.sources.barman.choosing import Catalogue, choose_entry
from pytest_pgrestore.sources.barman.cloud.store import LIST, RESTORE, Bringer, Store, Stored
from pytest_pgrestore.sources.barman.messages import failed
from pytest_pgrestore.sources.barman.put_back import put_back, tablespace_options
from pytest_pgrestore.sources.tool_source import (
    Choice,
    ToolSource,
    hand_over,
    log_nothing,
    required,
)
from pytest_pgrestore.sources.wal import stored_wal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.barman.catalogue import Entry
    from pytest_pgrestore.sources.barman.table import BarmanTable
    from pytest_pgrestore.sources.protocol import ChosenBackup, LocateRequest

_NO_MANIFEST = "The files of the backup: barman-cloud stores no manifest to compare them with."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice(Choice):
    """What `locate` found out, kept for the later steps of the same restore.

    Attributes:
        entry: The chosen entry of the catalogue.
    """

    entry: Entry


class BarmanCloudSource(ToolSource[_Choice]):
    """Implements `sources.protocol.PhysicalSource` for an object store.

    Args:
        name: The user's name for the source.
        table: Its table of the settings file; `url` is not None.
    """

    type = "barman"

    def __init__(self, name: str, table: BarmanTable) -> None:
        super().__init__(name)
        self._table = table
        self._store = Store(table)

    @property
    def requirements(self) -> ToolRequirements:
        """What barman-cloud needs to run.

        A variable whose value is the path of a file, e.g. AWS_CA_BUNDLE, means that file is read.
        """
        table = self._table
        files = (Path(value) for value in table.env.values() if value.startswith("/"))
        return ToolRequirements(
            program=self._store.program(LIST),
            packages=("barman-cli-cloud", "ca-certificates"),
            reads=tuple(path for path in files if path.exists()),
            network=True if table.network is None else table.network,
            on_host=table.on_host,
        )

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - of the protocol
        """Return the names of the checks that this source reports, for every target."""
        return (stored_wal.CHECK,)

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first, without backups that are not complete."""
        found = self._read(required(tool_runner, "Barman"), log_nothing)
        return [entry.backup for entry in found.entries if entry.status in catalogue.COMPLETE]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and check that its target can be reached; read only."""
        place = self._store.place
        tool = self._tool(request.find_tool_runner(None), request.log)
        first = self._store.read(tool)
        _require_readable(first, place)
        stored, traces = self._store.wal(tool, first)
        known = Catalogue(first.entries, stored, {}, traces, place)
        best = choose_entry(known, request, self._table.backup)
        tool_runner, found = self._read_again(
            request, best.picked, first, lambda runner: self._read(runner, request.log)
        )
        entry, backup = best.entry, best.picked.backup
        _require_known_suffixes(found, entry.start_file)
        wal = stored_wal.plan(request, backup, entry.start_file, stored, best.graph)
        restored_by = f"barman-cloud {found.version}, {tool_runner.origin}"
        chosen = self._chosen(best.picked, wal, restored_by)
        unreadable = [
            f"the description of backup {label} cannot be read" for label in found.unreadable
        ]
        unreadable += [
            f"backup {label} has no backup.info: it is being taken, or was interrupted"
            for label in found.unfinished
        ]
        chosen = replace(
            chosen,
            needed_bytes=(entry.restored_bytes + wal.needed_bytes) or None,
            not_checked=(_NO_MANIFEST,),
            notes=(*best.notes, *unreadable, *chosen.notes, f"restored from {place}"),
        )
        return self._keep(chosen, _Choice(wal=wal, log=request.log, entry=entry))

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Let barman-cloud restore into the sandbox, and fetch the WAL."""
        choice, label = self._choice_of(chosen), chosen.backup.label
        tool = self._tool(sandbox.tool_runner(self.requirements), choice.log)
        maps = tablespace_options(choice.entry.tablespaces, sandbox)
        arguments = (*self._store.arguments(*maps), label, str(sandbox.data))
        done = tool.run("restore", *arguments, program=self._store.program(RESTORE))
        if done.status != 0:
            raise failed(done, self._store.place, f"backup {label} was not restored")
        put_back(sandbox, label)
        words = stored_wal.bring(choice.wal, Bringer(self._store, tool), sandbox)
        hand_over(sandbox)
        return f"backup {label} restored by barman-cloud; {words}"

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:  # noqa: ARG002 - of the protocol
        """Return nothing: barman-cloud stores no manifest."""
        return ()

    def _read(self, tool_runner: ToolRunner, log: Callable[[str, str], None]) -> Stored:
        return self._store.read(self._tool(tool_runner, log))

    def _tool(self, tool_runner: ToolRunner, log: Callable[[str, str], None]) -> BackupTool:
        return BackupTool(
            tool_runner=tool_runner,
            program=self._store.program(LIST),
            # boto3 makes 5 attempts by default; a store that is not there is reported sooner.
            env={"AWS_MAX_ATTEMPTS": "3", **self._table.env},
            secrets=self._table.secrets,
            log=log,
        )


def _require_readable(found: Stored, place: str) -> None:
    """Refuse to say that there is no backup if this Barman cannot read any of them.

    Raises:
        HarnessError: There are descriptions, and none can be read.
    """
    if found.unreadable and not found.entries:
        raise HarnessError(
            f"barman-cloud {found.version} cannot read the description of"
            f" {len(found.unreadable)} backups in {place}, and of no other; the newest is"
            f" {max(found.unreadable)}",
            hint="a newer Barman may have written them: name production's version in `program`, or"
            " use another image. If it cannot read them either, they are damaged.",
        )


def _require_known_suffixes(found: Stored, first: str) -> None:
    """Refuse to judge WAL that this Barman cannot see.

    Barman 3.12 added the suffixes .zst, .lz4 and .xz. An older one passes over such segments
    without a word, and they would count as missing.

    Raises:
        HarnessError: A segment from `first` on has a suffix that this Barman does not know.
    """
    unseen = [name for name in found.unknown if name >= first]
    if unseen:
        raise HarnessError(
            f"barman-cloud {found.version} does not know the suffix of {len(unseen)} WAL segments,"
            f" such as {unseen[0]}",
            hint="use production's version of barman-cloud: name it in `program`, or use another"
            " image.",
        )
