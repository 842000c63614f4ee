"""Source `basebackup`: what pg_basebackup took, with or without a directory of archived WAL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, TargetUnreachable
from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.target import AtName, AtXid
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sources.basebackup import incremental, manifest_check, wal_needed
from pytest_pgrestore.sources.basebackup.directory import (
    BackupDirectory,
    facts,
    find_backups,
    restored_bytes,
    stored_bytes,
)
from pytest_pgrestore.sources.basebackup.unpacking import Places, lay_out
from pytest_pgrestore.sources.protocol import ChosenBackup
from pytest_pgrestore.sources.selection import choose, no_backup
from pytest_pgrestore.sources.wal import commits, preflight, segments, timelines
from pytest_pgrestore.sources.wal.segments import Supply, WalFile, WalFiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.model.wal import Lsn
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.basebackup.wal_needed import Wal
    from pytest_pgrestore.sources.protocol import LocateRequest

_COMPRESSED_GROWTH = 4
"""How much larger than its compressed tar a cluster is taken to be, when no manifest tells."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """What `locate` found out, kept for the later steps of the same restore."""

    chosen: ChosenBackup
    chain: tuple[BackupDirectory, ...]
    wal: Wal
    target: RecoveryTarget


class BasebackupSource:
    """Implements `sources.protocol.PhysicalSource` for pg_basebackup.

    Args:
        name: The user's name for it.
        path: One backup, or a directory of several.
        wal: Directory of archived WAL, plain or compressed; None uses the WAL inside the backup.
        verify: Whether to verify the files against the manifest.
        timeout_seconds: Deadline of one tool.
    """

    type = "basebackup"
    requirements = None

    def __init__(
        self,
        name: str,
        path: str,
        *,
        wal: str | None = None,
        verify: bool = True,
        timeout_seconds: float = 3600.0,
    ) -> None:
        self.name = name
        self._path = Path(path)
        self._wal = Path(wal) if wal is not None else None
        self._verify = verify
        self._timeout_seconds = timeout_seconds
        self._choices: dict[int, _Choice] = {}

    @property
    def places(self) -> tuple[Path, ...]:
        """Where the backups, the tablespaces of plain ones and the archive are."""
        links = (*self._path.glob("pg_tblspc/*"), *self._path.glob("*/pg_tblspc/*"))
        # What a link leads to counts only when it looks like a tablespace: a backup must not open other places.
        spaces = (
            link.resolve() for link in links if link.is_symlink() and any(link.glob("PG_[0-9]*"))
        )
        return (self._path, *spaces, *((self._wal,) if self._wal is not None else ()))

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - the same for every target
        """Return the names of the checks this source reports."""
        return (
            *((manifest_check.NAME,) if self._verify else ()),
            *(("archive",) if self._wal is not None else ()),
        )

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:  # noqa: ARG002 - no tool but PostgreSQL's
        """Return the catalogue, oldest first; backups that were never finished are left out."""
        files = self._archive()
        return [entry for entry, _ in _catalogue(find_backups(self._path), files)]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and see whether its target can be reached; reads only."""
        files = self._archive()
        every = find_backups(self._path)
        left_out = [
            f"backup {entry.path.name} was never finished" for entry in every if entry.unfinished
        ]
        catalogue = _catalogue(every, files)
        if not catalogue:
            raise no_backup(self._path, left_out)
        entries = [entry for entry, _ in catalogue]
        backup, selection = choose(entries, request.target, _position(request, catalogue, files))
        directory = catalogue[entries.index(backup)][1]
        chain = incremental.chain_of(directory, [directory for _, directory in catalogue])
        wal = wal_needed.wal_for(request, backup, directory, files)
        self._require_some_from(files, wal.found)
        _require_reachable(request, wal, files)
        chosen = ChosenBackup(
            backup=backup,
            selection=selection,
            server_major=wal.major,
            needed_bytes=_needed(chain, len(wal.found.files) * wal.expected.segment_bytes),
            timeline=wal.path.last,
            archive_end=wal.end if self._wal is not None else None,
            checks=self._archive_check(wal.found),
            not_checked=self._not_checked(),
            notes=(*left_out, *wal.notes, *self._notes(wal, files)),
            backup_paths=tuple(directory.path for directory in chain),
            wal_archive_paths=() if self._wal is None else (self._wal,),
        )
        # By identity: two drills of one backup differ in what they want of it.
        self._choices[id(chosen)] = _Choice(chosen, chain, wal, request.target)
        return chosen

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Fill the sandbox's data directory from the backup, or from the chain it belongs to."""
        chain = self._choices[id(chosen)].chain
        if len(chain) == 1:
            count = lay_out(chain[0], Places(sandbox.data, sandbox.tablespaces, sandbox.wal))
            words = f"{count} files of {chain[0].path.name} ({chain[0].form})"
        else:
            words = incremental.combine(chain, sandbox, self._timeout_seconds)
            if not self._verify:
                incremental.forget(sandbox)
        for folder in (sandbox.data, sandbox.tablespaces):
            sandbox.adopt(folder)
        sandbox.data.chmod(0o700)
        return words

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:
        """Run pg_verifybackup on the restored files; WAL is checked on its own."""
        chain = self._choices[id(chosen)].chain
        if not self._verify:
            return (manifest_check.switched_off(),)
        inputs = incremental.inputs_of(chain, sandbox) if len(chain) > 1 else []
        check = manifest_check.verify(sandbox, inputs)
        incremental.forget(sandbox)
        return (check,)

    def stage_wal(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Copy the WAL recovery needs into pg_wal, and check every segment of it; the archive is only read."""
        return wal_needed.stage(self._choices[id(chosen)].wal, sandbox)

    def reachable(self, chosen: ChosenBackup, sandbox: Sandbox) -> list[str]:
        """Return the stops nearest the target, and what cuts the archive."""
        choice = self._choices[id(chosen)]
        staged = sandbox.data / "pg_wal"
        files = [
            file if file.in_tar is None else WalFile(file.name, staged / file.name)
            for file in choice.wal.found.files
        ]
        there = [file for file in files if file.path.exists()]
        stops = commits.stops_in(there, sandbox.programs, named=isinstance(choice.target, AtName))
        broken = choice.wal.found.break_words()
        return commits.nearest(stops, choice.target) + ([broken] if broken else [])

    def _archive(self) -> WalFiles:
        return segments.scan(self._wal) if self._wal is not None else WalFiles()

    def _require_some_from(self, files: WalFiles, found: Supply) -> None:
        """Refuse an archive that has nothing to do with the backup: its own WAL would restore it, and hide that.

        Raises:
            BackupNotRestorable: None of the segments needed lies in the archive.
        """
        if (
            self._wal is not None
            and not found.broken
            and not any(files.segments.get(file.name) is file for file in found.files)
        ):
            first = found.files[0].name if found.files else "its first one"
            raise BackupNotRestorable(
                f"the WAL archive {self._wal} holds no segment this backup needs, from {first} on",
                hint="archiving has stopped, or `wal` names the archive of another cluster.",
            )

    def _archive_check(self, found: Supply) -> tuple[Check, ...]:
        if self._wal is None:
            return ()
        after = f"; after them {found.break_words()}" if found.broken else ""
        message = f"{found.words()} without a hole{after}"
        return (Check(name="archive", verdict=Verdict.PASSED, message=message),)

    def _not_checked(self) -> tuple[str, ...]:
        said = (
            []
            if self._verify
            else ["The files of the backup: verify = false left the manifest out."]
        )
        said += (
            ["Commits after the end of the backup: no WAL archive is configured."]
            if self._wal is None
            else []
        )
        return tuple(said)

    def _notes(self, wal: Wal, files: WalFiles) -> list[str]:
        path, found = wal.path, wal.found
        said = [f"recovery follows timelines {path}"] if len(path.steps) > 1 else []
        said += (
            [f"not used, because not complete: {', '.join(files.partial)}"] if files.partial else []
        )
        said += (
            [f"the archive breaks off after {found.end}: {found.break_words()}"]
            if found.broken
            else []
        )
        said += ["no WAL archive: latest is the end of the backup"] if self._wal is None else []
        return said


def _catalogue(
    every: Sequence[BackupDirectory], files: WalFiles
) -> list[tuple[Backup, BackupDirectory]]:
    finished = [directory for directory in every if not directory.unfinished]
    return [
        (
            facts(
                directory,
                files.history_of(directory.label),
                incremental.known_chain(directory, finished),
            ),
            directory,
        )
        for directory in finished
    ]


def _position(
    request: LocateRequest, catalogue: Sequence[tuple[Backup, BackupDirectory]], files: WalFiles
) -> Lsn | None:
    """Return where a name or xid lies, when several backups make it matter: asked from the WAL.

    Raises:
        TargetUnreachable: It is not there.
    """
    target = request.target
    labels = [directory.label for _, directory in catalogue if directory.label is not None]
    sizes = {label.segment_bytes() for label in labels}
    if (
        not isinstance(target, AtName | AtXid)
        or len(catalogue) == 1
        or not files.segments
        or len(sizes) != 1
    ):
        return None
    segment_bytes = sizes.pop()
    if segment_bytes is None:
        return None
    first = min(labels, key=lambda label: label.start_lsn)
    path, _ = timelines.follow(
        files.history_texts(), first.start_timeline, request.timeline, first.start_lsn
    )
    found = segments.supply(files.segments, path, first.start_lsn, segment_bytes)
    programs = request.find_programs(
        next((entry.server_major for entry, _ in catalogue if entry.server_major), None)
    )
    stops = commits.stops_in(found.files, programs, named=isinstance(target, AtName))
    stop = commits.find(target, stops)
    if stop is None:
        near = "; ".join(
            [*commits.nearest(stops, target), *([found.break_words()] if found.broken else [])]
        )
        raise TargetUnreachable(
            f"{target} is not in the WAL from {first.start_lsn} to {found.end}; nearest reachable: {near or 'nothing'}",
            hint="choose a point that is there; xid and name are those of the server the backup was taken from.",
        )
    return stop.lsn


def _require_reachable(request: LocateRequest, wal: Wal, files: WalFiles) -> None:
    programs = request.find_programs(wal.major)
    segment_bytes = wal.expected.segment_bytes
    if request.timeline == "latest" and len(wal.path.steps) > 1:
        preflight.refuse_foreign(wal.path, files, segment_bytes, programs)
    preflight.require_reachable(
        preflight.Question(request.target, wal.stop, wal.found, request.now, programs)
    )


def _needed(chain: Sequence[BackupDirectory], wal_bytes: int) -> int:
    """Return an estimate of the disk the restore takes."""
    known = [restored_bytes(directory) for directory in chain]
    sizes = [
        stored_bytes(directory) * _COMPRESSED_GROWTH if size is None else size
        for directory, size in zip(chain, known, strict=True)
    ]
    unpacked = sum(
        size
        for directory, size in zip(chain, sizes, strict=True)
        if directory.tar and len(chain) > 1
    )
    # A combined backup is about as large as the full one it starts from.
    return max(sizes) + unpacked + wal_bytes
