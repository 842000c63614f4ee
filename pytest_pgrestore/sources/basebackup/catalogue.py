"""The catalogue of a directory of base backups, and choosing a backup from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.sources.basebackup import incremental
from pytest_pgrestore.sources.basebackup.find_backups import find_backups
from pytest_pgrestore.sources.basebackup.no_backups import (
    Stranger,
    require_none_newer,
    strangers_in,
    unknown_forms,
)
from pytest_pgrestore.sources.basebackup.sizes import stored_bytes
from pytest_pgrestore.sources.selection import no_backup, pick
from pytest_pgrestore.sources.wal.backup_label import moment
from pytest_pgrestore.sources.wal.history_choice import choose_backup
from pytest_pgrestore.sources.wal.history_graph import HistoryGraph
from pytest_pgrestore.sources.wal.target_position import find_position

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from pytest_pgrestore.model.wal import Lsn
    from pytest_pgrestore.sources.basebackup.directory import BackupDirectory
    from pytest_pgrestore.sources.basebackup.links import Rules
    from pytest_pgrestore.sources.basebackup.manifest import Manifest
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.wal.backup_label import BackupLabel
    from pytest_pgrestore.sources.wal.segments import WalFiles


@dataclass(frozen=True, slots=True)
class Selected:
    """The backup for a target.

    Attributes:
        backup: The backup.
        selection: Why this one, in words.
        position: Where a target that is a name or an xid lies; None if that was not looked for.
    """

    backup: Backup
    selection: str
    position: Lsn | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The backups of one place.

    Attributes:
        path: The place.
        backups: The entries, oldest first.
        directories: The directory of each entry, in the same order.
        left_out: A sentence for each backup that was never finished.
        strangers: What lies beside the backups and is none.
    """

    path: Path
    backups: list[Backup]
    directories: list[BackupDirectory]
    left_out: list[str]
    strangers: list[Stranger]

    def choose(
        self, request: LocateRequest, files: WalFiles, wanted: str | None = None
    ) -> Selected:
        """Return the backup for `request`, or the one called `wanted`.

        Raises:
            BackupNotRestorable: There is no backup.
            HarnessError: There is no backup of that name.
            TargetUnreachable: No backup reaches the target.
        """
        if not self.backups:
            require_none_newer(unknown_forms(self.strangers), None, request.target)
            raise no_backup(self.path, self.left_out)
        labels = [entry.label for entry in self.directories if entry.label is not None]
        segment_bytes = _common_segment_bytes(labels)
        if segment_bytes is None:
            return Selected(*pick(self.backups, request.target, wanted))
        histories = files.history_texts()
        graph = HistoryGraph(histories, files.segments.keys(), segment_bytes, self.backups)
        position = find_position(graph, request, files.segments)
        picked = choose_backup(graph, request, wanted, position)
        return Selected(picked.backup, picked.selection, position)

    def directory_of(self, backup: Backup) -> BackupDirectory:
        """Return the directory of an entry."""
        return self.directories[self.backups.index(backup)]

    def unusable_beside(self, chain: Sequence[BackupDirectory]) -> list[str]:
        """Return a sentence for each backup that cannot be used, and is not needed."""
        return [
            f"backup {entry.path.name} cannot be used: {entry.problem}"
            for entry in self.directories
            if entry.problem and entry not in chain
        ]


def _common_segment_bytes(labels: Sequence[BackupLabel]) -> int | None:
    """Return the segment size of all labels; None if they differ."""
    sizes = {label.segment_bytes() for label in labels}
    return sizes.pop() if len(sizes) == 1 else None


def read_catalogue(
    path: Path, files: WalFiles, rules: Rules | None = None, archive: Path | None = None
) -> Catalogue:
    """Return the catalogue of the directory `path`.

    Args:
        path: A backup, or a directory of backups.
        files: The WAL archive; its ``.backup`` files have facts about the backups.
        rules: What the user allows a backup to have.
        archive: The directory of that archive.

    Raises:
        HarnessError: The directory is missing or cannot be read.
    """
    every = find_backups(path, rules)
    finished = [directory for directory in every if not directory.unfinished]
    return Catalogue(
        path=path,
        backups=[
            facts(
                directory,
                files.history_of(directory.label),
                incremental.known_chain(directory, finished),
            )
            for directory in finished
        ],
        directories=finished,
        left_out=[
            f"backup {entry.path.name} was never finished" for entry in every if entry.unfinished
        ],
        strangers=strangers_in(path, {entry.path for entry in every}, archive),
    )


def facts(
    directory: BackupDirectory, history: BackupLabel | None, chain: tuple[str, ...]
) -> Backup:
    """Return the catalogue entry of a backup.

    Args:
        directory: The backup.
        history: Its ``.backup`` file from the archive, the only file with the exact end time.
        chain: Labels of the backups it depends on.
    """
    label, manifest = directory.label, directory.manifest
    if directory.stopped:
        history = label
    incremental = label is not None and label.incremental_from is not None
    return Backup(
        label=directory.path.name,
        location=directory.path,
        form=directory.form,
        kind="incremental" if incremental else "full",
        server_major=directory.major,
        started_at=directory.started_at(),
        stopped_at=_stopped_at(directory, history),
        start_lsn=label.start_lsn if label else None,
        stop_lsn=_stop_lsn(manifest, history),
        timeline=label.start_timeline if label else None,
        system_identifier=_system_identifier(directory),
        chain=chain,
        size_bytes=stored_bytes(directory),
    )


def _stopped_at(directory: BackupDirectory, history: BackupLabel | None) -> datetime:
    """Return when the backup ended: from the ``.backup`` file, the manifest, or the directory."""
    manifest = directory.manifest
    if history is not None:
        # The manifest has the start in UTC. That shows which zone the letters stand for.
        known = manifest.label_at if manifest else None
        stopped = moment(history.stop_time, (history.start_time, known) if known else None)
        if stopped is not None:
            return stopped
    if manifest is not None and manifest.newest_at is not None:
        return manifest.newest_at
    return directory.written_at


def _stop_lsn(manifest: Manifest | None, history: BackupLabel | None) -> Lsn | None:
    if history is not None and history.stop_lsn is not None:
        return history.stop_lsn
    return manifest.stop_lsn if manifest else None


def _system_identifier(directory: BackupDirectory) -> int | None:
    if directory.manifest is not None and directory.manifest.system_identifier is not None:
        return directory.manifest.system_identifier
    return directory.control_identifier
