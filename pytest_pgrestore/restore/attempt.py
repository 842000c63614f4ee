"""One attempt at a restore: its inputs, and the findings so far. It becomes the drill's record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from pytest_pgrestore.checks import repository
from pytest_pgrestore.model.drill import DrillSettings
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.evidence import BackupFacts, DataLossFigures, DrillRecord
from pytest_pgrestore.model.stopwatch import Stopwatch
from pytest_pgrestore.model.target import Latest
from pytest_pgrestore.restore.judgement import objectives
from pytest_pgrestore.sources.protocol import LocateRequest, is_logical

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_pgrestore.model.drill import Drill
    from pytest_pgrestore.model.evidence import (
        Check,
        Failure,
        ObjectiveResult,
        RecoveredTo,
        ServerFacts,
    )
    from pytest_pgrestore.model.past import ArchiverFigures
    from pytest_pgrestore.restore.instance import ConnectionInfo
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms, Run, Sandbox, ToolRunner
    from pytest_pgrestore.sources.protocol import ChosenBackup, LogicalSource, PhysicalSource


@dataclass(slots=True, kw_only=True)
class Attempt:
    """The inputs of one restore and what it finds out. It changes until `record` is called.

    Attributes:
        drill: The drill that was requested.
        source: The source of its backups.
        settings: The source's settings that do not concern its tool.
        run: The run that owns the sandbox.
        progress: Called with the text to show while WAL is replayed.
        nonce: cluster_name of the server, so that no other one is mistaken for it.
        tool_output: What backup tools printed, by the name of its log.
    """

    drill: Drill
    source: LogicalSource | PhysicalSource
    settings: DrillSettings
    run: Run
    progress: Callable[[str], None]
    nonce: str = field(default_factory=lambda: uuid4().hex)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    watch: Stopwatch = field(default_factory=Stopwatch)
    chosen: ChosenBackup | None = None
    sandbox: Sandbox | None = None
    access: ConnectionInfo | None = None
    recovered_to: RecoveredTo | None = None
    data_loss: DataLossFigures = field(default_factory=DataLossFigures)
    checks: list[Check] = field(default_factory=list)
    server: ServerFacts | None = None
    failure: Failure | None = None
    logs: tuple[str, ...] = ()
    not_checked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tool_output: dict[str, str] = field(default_factory=dict)
    databases: tuple[str, ...] = ()
    restored_bytes: int | None = None
    archiver: ArchiverFigures | None = None

    def locate(self) -> ChosenBackup:
        """Choose the backup for the drill, reading only.

        Raises:
            PgRestoreError: As `Source.locate` does.
        """
        chosen = self.chosen = self.source.locate(self.request())
        self.checks.extend(chosen.checks)
        return chosen

    def provision(self, chosen: ChosenBackup) -> Sandbox:
        """Make the drill's sandbox, and list the backup's files before anything of them runs.

        Raises:
            HarnessError: No server programs of the backup's major, or no room.
        """
        programs = self.find_programs(chosen.server_major)
        sandbox = self.sandbox = self.run.sandbox(
            self.drill.key, programs, chosen.needed_bytes, self.source.places
        )
        repository.remember(
            chosen.backup_paths,
            chosen.wal_archive_paths,
            listing_path(self.run, self.drill.key),
        )
        return sandbox

    def request(self) -> LocateRequest:
        """Return the request that `Source.locate` takes."""
        return LocateRequest(
            target=self.drill.target,
            timeline=self.drill.timeline,
            now=self.started_at,
            find_programs=self.find_programs,
            find_tool_runner=self.find_tool_runner,
            log=self.keep_output,
            scratch=self.run.root / "scratch",
        )

    def find_programs(self, major: int | None) -> PostgresPrograms:
        """Return programs of `major` that can read the backups; for a dump a newer major will do.

        Raises:
            HarnessError: There are none.
        """
        source = self.source
        return self.run.find_programs(
            major,
            at_least=is_logical(source),
            reads=source.places,
            requirements=source.requirements,
        )

    def find_tool_runner(self, major: int | None) -> ToolRunner:
        """Return where the source's backup tool runs while it only reads.

        Raises:
            HarnessError: It cannot run, or the source has no tool.
        """
        if self.source.requirements is None:
            raise HarnessError(
                f"source {self.source.name} needs no tool", hint="this is a bug: please report it."
            )
        return self.run.tool_runner(self.source.requirements, major)

    def keep_output(self, step: str, text: str) -> None:
        """Add what a tool printed to the log of `step`."""
        self.tool_output[step] = self.tool_output.get(step, "") + text

    @property
    def one_moment(self) -> bool:
        """Whether the backup holds one moment and no later commit: a dump, or no archived WAL."""
        if is_logical(self.source):
            return True
        return self.chosen is not None and self.chosen.archive_end is None

    @property
    def restored(self) -> bool:
        """Whether a server came up and nothing failed."""
        return self.failure is None and self.access is not None

    def record(self) -> DrillRecord:
        """Return what is known now as evidence."""
        chosen = self.chosen
        return DrillRecord(
            drill=self.drill.key,
            source=self.source.name,
            source_type=self.source.type,
            target=str(self.drill.target),
            timeline_asked=str(self.drill.timeline),
            started_at=self.started_at,
            ended_at=datetime.now(UTC),
            database=self.access.database if self.access else self.settings.database,
            backup=backup_facts(chosen) if chosen else None,
            phases=tuple(self.watch.phases),
            recovered_to=self.recovered_to,
            rto=self._rto(),
            rpo=self._rpo(),
            data_loss=self.data_loss,
            checks=tuple(self.checks),
            checks_planned=check_names(self.drill, self.source),
            failure=self.failure,
            server=self.server,
            not_checked=(*(chosen.not_checked if chosen else ()), *self.not_checked),
            notes=(*(chosen.notes if chosen else ()), *self.notes),
            logs=self.logs,
            databases=self.databases,
            restored_bytes=self.restored_bytes,
            archiver=self.archiver,
        )

    def _rto(self) -> ObjectiveResult:
        seconds = sum(phase.seconds for phase in self.watch.phases if phase.counts_toward_rto)
        not_comparable = self.chosen.rto_not_comparable if self.chosen else ""
        return objectives.rto(self.drill, seconds if self.restored else None, not_comparable)

    def _rpo(self) -> ObjectiveResult:
        if not self.restored:
            return objectives.not_measured(self.drill)
        return objectives.rpo(self.drill, self.data_loss, one_moment=self.one_moment)


def listing_path(run: Run, drill_key: str) -> Path:
    """Return the path that `checks.repository` keeps its listing at, for any process of the run.

    The server's user cannot write there.
    """
    return run.root / "state" / run.drill_root(drill_key).name


def check_names(drill: Drill, source: LogicalSource | PhysicalSource) -> tuple[str, ...]:
    """Return the names of the items a drill adds to the session, known before anything runs."""
    promised = drill.objectives
    names = ["restored"]
    if not is_logical(source):
        names.append("target reached")
    names += ["quarantine", *source.check_names(drill.target)]
    if promised.max_age is not None:
        names.append("backup age")
    if promised.rto is not None:
        names.append("rto")
    if promised.rpo is not None and isinstance(drill.target, Latest):
        names.append("rpo")
    return tuple(names)


def backup_facts(chosen: ChosenBackup) -> BackupFacts:
    """Return the chosen backup as evidence."""
    backup = chosen.backup
    return BackupFacts(
        label=backup.label,
        location=str(backup.location),
        form=backup.form,
        kind=backup.kind,
        selection=chosen.selection,
        server_major=chosen.server_major,
        started_at=backup.started_at,
        stopped_at=backup.stopped_at,
        start_lsn=_text(backup.start_lsn),
        stop_lsn=_text(backup.stop_lsn),
        timeline=backup.timeline,
        system_identifier=_text(backup.system_identifier),
        chain=backup.chain,
        size_bytes=backup.size_bytes,
        written_by=backup.written_by,
        repository_bytes=backup.repository_bytes,
        restored_by=chosen.restored_by or None,
    )


def _text(value: int | None) -> str | None:
    """Return the text of a value of 64 bits, of which readers of JSON numbers may keep 53."""
    return None if value is None else str(value)
