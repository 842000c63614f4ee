"""What a source is asked for, and what it answers: values of the sources' protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget, Timeline
    from pytest_pgrestore.model.wal import Lsn
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms, ToolRunner


@dataclass(frozen=True, slots=True)
class LocateRequest:
    """What `locate` of a source needs to know.

    Attributes:
        target: Where recovery stops.
        timeline: Which timeline recovery follows.
        now: Start of the drill, with a timezone. Ages are measured from it.
        find_programs: Returns PostgreSQL's programs of a server major; None means the newest.
        find_tool_runner: Returns where the backup tool runs, for a server major. It only reads.
        log: Saves a tool's output under a name, in the drill's logs.
        scratch: The run's directory for files that tools read; removed with the run.
    """

    target: RecoveryTarget
    timeline: Timeline
    now: datetime
    find_programs: Callable[[int | None], PostgresPrograms]
    find_tool_runner: Callable[[int | None], ToolRunner]
    log: Callable[[str, str], None]
    scratch: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenBackup:
    """The backup chosen for a request, and what its restore needs.

    Attributes:
        backup: The chosen entry of the catalogue.
        selection: Why this backup was chosen, in words.
        server_major: Major version of the server to restore under.
        needed_bytes: Estimate of the disk space the restore needs; None if unknown.
        timeline: Timeline on which recovery must end; None if there is no recovery.
        timeline_begins: Where that timeline begins; None if it is the backup's own.
        archive_end: End of the last WAL segment before any gap; None without an archive.
        checks: Checks that are finished already, for example that the archive has no gap.
        not_checked: What this source cannot verify, one sentence each.
        notes: Other facts for the reader of the report.
        backup_paths: Files and directories of the backup. They must be unchanged after the drill.
        wal_archive_paths: Directories to which production adds WAL while the drill runs.
        other_candidates: Older backups that might reach the target although this one cannot; only
            their WAL can tell.
        restored_by: Backup tool, its version and where it runs; empty without such a tool.
        rto_not_comparable: Why this restore time differs from a real disaster's; empty if not.
        extensions: Extensions that a dump creates. Some must be preloaded for that.
        loaded_into: The database that a dump is loaded into; None if it makes several.
        prepared_seconds: Time in `locate` that a restore by hand needs, too: decrypting.
    """

    backup: Backup
    selection: str
    server_major: int
    needed_bytes: int | None = None
    timeline: int | None = None
    timeline_begins: Lsn | None = None
    archive_end: Lsn | None = None
    checks: tuple[Check, ...] = ()
    not_checked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    backup_paths: tuple[Path, ...] = ()
    wal_archive_paths: tuple[Path, ...] = ()
    other_candidates: tuple[str, ...] = ()
    restored_by: str = ""
    rto_not_comparable: str = ""
    extensions: tuple[str, ...] = ()
    loaded_into: str | None = None
    prepared_seconds: float = 0.0


class Loaded(NamedTuple):
    """What a source loaded.

    Attributes:
        database: The database in which assertions run.
        how: What was done, for the phase's report.
        notes: What was tolerated, one sentence each.
        not_checked: What was left out, one sentence each.
    """

    database: str
    how: str
    notes: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()
