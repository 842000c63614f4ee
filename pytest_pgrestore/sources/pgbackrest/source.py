"""Source `pgbackrest`: chooses a backup of a stanza, and lets pgBackRest restore it.

WAL is fetched from the repository before the server starts; see `sources.wal.stored_wal`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_pgrestore.sources.pgbackrest import checks
from pytest_pgrestore.sources.pgbackrest.commands import TESTED
from pytest_pgrestore.sources.pgbackrest.delta import UNTIMED, Kept
from pytest_pgrestore.sources.pgbackrest.kept_wal import (
    kept_words,
    require_archive,
    take_kept,
    with_kept,
)
from pytest_pgrestore.sources.pgbackrest.locating import locate, other_cluster_words
from pytest_pgrestore.sources.pgbackrest.stanza import Stanza
from pytest_pgrestore.sources.pgbackrest.stopped_server import plan_of
from pytest_pgrestore.sources.pgbackrest.wal import Archive, Bringer
from pytest_pgrestore.sources.protocol import ChosenBackup
from pytest_pgrestore.sources.tool_source import (
    Choice,
    ToolSource,
    hand_over,
    log_nothing,
    required,
    untested,
)
from pytest_pgrestore.sources.wal import stored_wal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRequirements, ToolRunner
    from pytest_pgrestore.sources.pgbackrest.commands import Pgbackrest
    from pytest_pgrestore.sources.pgbackrest.locating import Located
    from pytest_pgrestore.sources.pgbackrest.table import PgbackrestTable
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.wal.stored_wal import WalPlan

_GROWTH = 1.1
"""Disk for a restore, as a multiple of the size that the catalogue reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What `locate` found out, kept for the later steps of the same restore.

    Attributes:
        chosen: The answer to the request. It is kept so that its `id` stays unique.
        request: The request.
        located: The chosen backup.
        archive: The WAL of the repository and of the backup.
        tablespaces: OID of each tablespace.
        wal: The WAL that the restore needs; None if only the restored files tell.
    """

    chosen: ChosenBackup
    request: LocateRequest
    located: Located
    archive: Archive
    tablespaces: tuple[int, ...]
    wal: WalPlan | None

    @property
    def log(self) -> Callable[[str, str], None]:
        """Keeps the output of the tool under the name of a step."""
        return self.request.log


class PgbackrestSource(ToolSource[Choice]):
    """Implements `sources.protocol.PhysicalSource` for pgBackRest.

    Args:
        name: The user's name for the source.
        table: Its table of the settings file.
        timeout_seconds: How long to wait for another drill that uses the same `delta`.
    """

    type = "pgbackrest"

    def __init__(self, name: str, table: PgbackrestTable, timeout_seconds: float = 3600.0) -> None:
        super().__init__(name)
        self._table = table
        self._stanza = Stanza(name, table)
        self._timeout_seconds = timeout_seconds
        self._found: dict[int, _Found] = {}

    @property
    def requirements(self) -> ToolRequirements:
        """What pgBackRest needs to run; see `Stanza.requirements`."""
        return self._stanza.requirements

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - of the protocol
        """Return the names of the checks that this source reports, for every target."""
        own = (checks.VERIFY,) if self._table.verify else ()
        return (stored_wal.CHECK, checks.PAGES, *own)

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first."""
        pgbackrest = self._stanza.open(required(tool_runner, "pgBackRest"), log_nothing)
        return [entry.backup for entry in pgbackrest.catalogue().entries]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and check that its target can be reached; read only."""
        first = self._stanza.open(request.find_tool_runner(None), request.log)
        catalogue = first.catalogue()
        place = f"{first.repository.address}, stanza {self._table.stanza}"
        located = locate(first, catalogue, request, self._table.backup, place)
        entry, picked = located.entry, located.picked
        _, pgbackrest = self._read_again(
            request, picked, first, lambda tool_runner: self._stanza.open(tool_runner, request.log)
        )
        about = pgbackrest.details(picked.backup.label)
        restored_by = f"{pgbackrest.version}, {pgbackrest.tool.tool_runner.origin}"
        chosen, archive, wal = self._planned(request, located, pgbackrest, restored_by)
        chosen = replace(
            chosen,
            needed_bytes=int((picked.backup.size_bytes or 0) * _GROWTH)
            + (0 if wal is None else wal.needed_bytes),
            checks=(*chosen.checks, checks.pages(entry, about)),
            not_checked=self._stanza.not_checked(),
            notes=(
                *chosen.notes,
                *other_cluster_words(catalogue, entry),
                *self._stanza.notes(catalogue),
                *untested("pgBackRest", pgbackrest.version.partition(" ")[2], *TESTED),
            ),
            rto_not_comparable="" if self._table.delta is None else UNTIMED,
        )
        chosen = self._stanza.with_paths(chosen, entry)
        self._found[id(chosen)] = _Found(
            chosen=chosen,
            request=request,
            located=located,
            archive=archive,
            tablespaces=about.tablespaces,
            wal=wal,
        )
        return chosen

    def _planned(
        self, request: LocateRequest, located: Located, pgbackrest: Pgbackrest, restored_by: str
    ) -> tuple[ChosenBackup, Archive, WalPlan | None]:
        """Return the chosen backup, and the WAL that its restore needs, if that is known yet."""
        entry, picked, label = located.entry, located.picked, located.picked.backup.label
        if not entry.start_file:
            chosen = ChosenBackup(
                backup=picked.backup,
                selection=picked.selection,
                server_major=picked.backup.server_major or 0,
                notes=(f"backup {label} is of a stopped server (--no-online)",),
                other_candidates=picked.other_candidates,
                restored_by=restored_by,
            )
            return chosen, located.archive, None
        archive = with_kept(pgbackrest, entry, located.archive)
        wal = stored_wal.plan(request, picked.backup, entry.start_file, archive.wal, located.graph)
        require_archive(archive, wal.found, request.target, label)
        chosen = self._chosen(picked, wal, restored_by)
        notes = (*chosen.notes, *kept_words(archive, wal.found))
        return replace(chosen, notes=notes), archive, wal

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Let pgBackRest restore into the sandbox, and fetch the WAL."""
        found, backup = self._found[id(chosen)], chosen.backup
        if self._table.delta is None:
            pgbackrest = self._open_for(sandbox, found)
            places = {oid: sandbox.tablespaces / str(oid) for oid in found.tablespaces}
            for place in places.values():
                place.mkdir(mode=0o700)
            pgbackrest.restore(backup.label, places)
        else:
            pgbackrest = self._restore_kept(Kept(self._table.delta), found, sandbox)
        archive, wal = found.archive, found.wal
        if wal is None:
            others = [entry.backup for entry in found.located.online]
            wal, archive = plan_of(found.request, backup, archive, others, sandbox)
            self._found[id(chosen)] = replace(found, archive=archive)
        self._keep(chosen, Choice(wal=wal, log=found.log))
        take_kept(archive.kept, sandbox)
        words = stored_wal.bring(wal, Bringer(pgbackrest, archive), sandbox)
        hand_over(sandbox)
        return (
            f"backup {backup.label} ({backup.kind}) restored by pgBackRest,"
            f" its checksums compared; {words}"
        )

    def settled(self, chosen: ChosenBackup) -> ChosenBackup:
        """Add what only the restored files of a stopped server tell; see `protocol.settled`."""
        found, choice = self._found[id(chosen)], self._choice_of(chosen)
        if found.wal is not None:
            return chosen
        wal = choice.wal
        archived = any(file.name not in found.archive.kept for file in wal.found.files)
        placed = replace(
            chosen,
            backup=replace(
                chosen.backup, start_lsn=wal.start, stop_lsn=wal.stop, timeline=wal.path.steps[0][0]
            ),
            timeline=wal.path.last,
            timeline_begins=wal.path.last_begins,
            archive_end=wal.end if archived else None,
            notes=(*chosen.notes, *wal.notes),
        )
        self._found[id(placed)] = replace(found, chosen=placed)
        return self._keep(placed, choice)

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:
        """Run ``pgbackrest verify`` if the settings ask for it.

        Without it nothing is left out: a restore has compared the checksum of every file.
        """
        found = self._found[id(chosen)]
        late = () if found.wal is not None else (self._choice_of(chosen).wal.check(),)
        if not self._table.verify:
            return late
        return (*late, checks.verified(self._open_for(sandbox, found).verify()))

    def _open_for(self, sandbox: Sandbox, found: _Found) -> Pgbackrest:
        return self._stanza.open(sandbox.tool_runner(self.requirements), found.log, sandbox)

    def _restore_kept(self, kept: Kept, found: _Found, sandbox: Sandbox) -> Pgbackrest:
        """Restore onto the kept directory with ``--delta``, and copy the result to the sandbox."""
        kept.claim()
        # Made now: the container of the tool mounts the directory, so it must exist.
        pgbackrest = self._open_for(sandbox, found)
        with kept.held(self._timeout_seconds):
            kept.make_tablespaces({str(oid) for oid in found.tablespaces})
            pgbackrest.restore(
                found.chosen.backup.label,
                {oid: kept.tablespaces / str(oid) for oid in found.tablespaces},
                {"PGBACKREST_PG1_PATH": str(kept.data), "PGBACKREST_DELTA": "y"},
            )
            kept.copy_into(sandbox)
        return pgbackrest
