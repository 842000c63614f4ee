"""One attempt at a restore: what was given, and what is known so far. It becomes the record, however it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.drill import DrillSettings
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.evidence import BackupFacts, DataLossFigures, DrillRecord
from pytest_pgrestore.model.stopwatch import Stopwatch
from pytest_pgrestore.model.target import Latest
from pytest_pgrestore.restore.judgement import objectives
from pytest_pgrestore.sources.protocol import LocateRequest, is_logical

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.model.drill import Drill
    from pytest_pgrestore.model.evidence import Check, Failure, RecoveredTo, ServerFacts
    from pytest_pgrestore.restore.instance import ConnectionInfo
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms, Run, Sandbox, ToolRunner
    from pytest_pgrestore.sources.protocol import ChosenBackup, Source


@dataclass(slots=True, kw_only=True)
class Attempt:
    """Everything one restore is given, and finds out. Mutable until `record` is taken."""

    drill: Drill
    source: Source
    settings: DrillSettings
    run: Run
    progress: Callable[[str], None]
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
    said: dict[str, str] = field(default_factory=dict)
    """What backup tools printed, by the name of the log it goes to."""

    def request(self) -> LocateRequest:
        """Return what the source is asked."""
        return LocateRequest(
            target=self.drill.target,
            timeline=self.drill.timeline,
            now=self.started_at,
            find_programs=self.find_programs,
            find_tool_runner=self.find_tool_runner,
            log=self.keep,
        )

    def find_programs(self, major: int | None) -> PostgresPrograms:
        """Return programs for `major` that can read the backups; a newer server will do for a dump."""
        source = self.source
        return self.run.find_programs(
            major,
            at_least=is_logical(source),
            reads=source.places,
            requirements=source.requirements,
        )

    def find_tool_runner(self, major: int | None) -> ToolRunner:
        """Return where the source's backup tool runs while it only reads."""
        if self.source.requirements is None:
            raise HarnessError(
                f"source {self.source.name} needs no tool", hint="this is a bug: please report it."
            )
        return self.run.tool_runner(self.source.requirements, major)

    def keep(self, step: str, text: str) -> None:
        """Keep what a tool printed for the log of `step`."""
        self.said[step] = self.said.get(step, "") + text

    def enter_sandbox(self, chosen: ChosenBackup) -> Sandbox:
        """Return the drill's sandbox, with programs for the located backup's server."""
        programs = self.find_programs(chosen.server_major)
        self.sandbox = self.run.sandbox(
            self.drill.key, programs, chosen.needed_bytes, self.source.places
        )
        return self.sandbox

    @property
    def one_moment(self) -> bool:
        """Whether the backup holds one moment and no commit after it: a dump, or files without archived WAL."""
        return is_logical(self.source) or (
            self.chosen is not None and self.chosen.archive_end is None
        )

    def record(self) -> DrillRecord:
        """Return what is known now as evidence."""
        restored = self.failure is None and self.access is not None
        rpo = (
            objectives.rpo(self.drill, self.data_loss, one_moment=self.one_moment)
            if restored
            else None
        )
        phases = tuple(self.watch.phases)
        counted = sum(phase.seconds for phase in phases if phase.counts_toward_rto)
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
            phases=phases,
            recovered_to=self.recovered_to,
            rto=objectives.rto(
                self.drill,
                counted if restored else None,
                chosen.rto_not_comparable if chosen else "",
            ),
            rpo=rpo or objectives.not_measured(self.drill),
            data_loss=self.data_loss,
            checks=tuple(self.checks),
            checks_planned=check_names(self.drill, self.source),
            failure=self.failure,
            server=self.server,
            not_checked=(*(chosen.not_checked if chosen else ()), *self.not_checked),
            notes=(*(chosen.notes if chosen else ()), *self.notes),
            logs=self.logs,
        )


def check_names(drill: Drill, source: Source) -> tuple[str, ...]:
    """Return the names of the items a drill adds to the session, known before anything runs."""
    objectives = drill.objectives
    names = ["restored"]
    names += [] if is_logical(source) else ["target reached"]
    names += ["quarantine", *source.check_names(drill.target)]
    names += ["backup age"] if objectives.max_age is not None else []
    names += ["rto"] if objectives.rto is not None else []
    names += ["rpo"] if objectives.rpo is not None and isinstance(drill.target, Latest) else []
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
        start_lsn=None if backup.start_lsn is None else str(backup.start_lsn),
        stop_lsn=None if backup.stop_lsn is None else str(backup.stop_lsn),
        timeline=backup.timeline,
        system_identifier=None
        if backup.system_identifier is None
        else str(backup.system_identifier),
        chain=backup.chain,
        size_bytes=backup.size_bytes,
        written_by=backup.written_by,
        repository_bytes=backup.repository_bytes,
        restored_by=chosen.restored_by or None,
    )
