"""Source `basebackup`: what pg_basebackup took, with or without a directory of archived WAL."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain as chain_of
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, TargetUnreachable
from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.target import AtLsn, AtName, AtTime, AtXid, Latest
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.wal import Lsn, Segment, is_segment_name
from pytest_pgrestore.sources import chains, commits, manifest, walarchive
from pytest_pgrestore.sources.backupdir import BackupDirectory, facts, find_backups, members
from pytest_pgrestore.sources.protocol import Located
from pytest_pgrestore.sources.selection import choose, no_backup
from pytest_pgrestore.sources.unpacking import unpack_chain, unpack_one
from pytest_pgrestore.sources.walheader import read_header

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, Tools
    from pytest_pgrestore.sources.protocol import Request
    from pytest_pgrestore.sources.walarchive import Supply, TimelinePath, WalFiles

_COMPRESSED_GROWTH = 4
"""How much larger than its compressed tar a cluster is taken to be, when no manifest tells."""

_NO_ARCHIVE = "Commits after the end of the backup: no WAL archive is configured."


@dataclass(frozen=True, slots=True)
class _Choice:
    """What `locate` found out, kept for the later steps of the same restore."""

    backup: Backup
    chain: tuple[BackupDirectory, ...]
    path: TimelinePath
    supply: Supply
    segment_bytes: int
    system_identifier: int | None
    target: RecoveryTarget
    files: WalFiles
    tools: Tools


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

    def __init__(
        self, name: str, path: str, *, wal: str | None = None, verify: bool = True, timeout_seconds: float = 3600.0
    ) -> None:
        self.name = name
        self._path = Path(path)
        self._wal = Path(wal) if wal is not None else None
        self._verify = verify
        self._timeout_seconds = timeout_seconds
        self._choices: dict[str, _Choice] = {}

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - the same for every target
        """Return the names of the checks this source reports."""
        return (*(("manifest",) if self._verify else ()), *(("archive",) if self._wal is not None else ()))

    def backups(self) -> list[Backup]:
        """Return the catalogue, oldest first."""
        return [backup for backup, _ in self._catalogue(self._files())]

    def locate(self, request: Request) -> Located:
        """Choose the backup for `request` and see whether its target can be reached."""
        files = self._files()
        catalogue = self._catalogue(files)
        if not catalogue:
            raise no_backup(self._path)
        by_label = {directory.path.name: directory for _, directory in catalogue}
        position = self._find(request, [backup for backup, _ in catalogue], files)
        backup, selection = choose([backup for backup, _ in catalogue], request.target, position)
        chain = chains.resolve(by_label[backup.label], by_label.values())
        start = _start(chain[-1])
        if backup.server_major is None:
            raise BackupNotRestorable(
                f"backup {backup.label} does not tell its server version: PG_VERSION is missing",
                hint="the backup is incomplete: take a new one.",
            )
        own = chain[-1].own_wal()
        wal = {name: path for name, path in own.items() if is_segment_name(name)} | files.segments
        segment_bytes, system_identifier = _segment_facts(wal, chain[-1], backup)
        path, notes = walarchive.follow(files, chain[-1].timeline, request.timeline, start)
        found = walarchive.supply(wal, path, start, segment_bytes)
        choice = _Choice(
            backup,
            chain,
            path,
            found,
            segment_bytes,
            system_identifier,
            request.target,
            files,
            request.find_tools(backup.server_major),
        )
        self._require_reachable(choice)
        self._choices[backup.label] = choice
        return Located(
            backup=backup,
            selection=selection,
            server_major=backup.server_major,
            needed_bytes=_needed(chain, found, segment_bytes),
            timeline=path.last,
            archive_end=found.end if found.segments and self._wal is not None else None,
            checks=self._archive_check(choice),
            not_checked=self._not_checked(files),
            notes=tuple(notes + _switches(path)),
        )

    def fetch(self, located: Located, sandbox: Sandbox) -> str:
        """Fill the sandbox's data directory from the backup, or from the chain it belongs to."""
        choice = self._choices[located.backup.label]
        words = (
            unpack_one(choice.chain[0], sandbox)
            if len(choice.chain) == 1
            else unpack_chain(choice.chain, sandbox, self._timeout_seconds)
        )
        sandbox.adopt(sandbox.data)
        sandbox.adopt(sandbox.tablespaces)
        return words

    def verify(self, located: Located, sandbox: Sandbox) -> Check:
        """Run pg_verifybackup on the restored files; WAL is checked on its own."""
        if not self._verify:
            return manifest.not_wanted()
        return manifest.verify(self._choices[located.backup.label].chain[-1], sandbox)

    def stage_wal(self, located: Located, sandbox: Sandbox) -> str:
        """Copy the WAL recovery needs into pg_wal, and check every segment of it."""
        choice = self._choices[located.backup.label]
        into = sandbox.data / "pg_wal"
        (sandbox.data / "tablespace_map").unlink(missing_ok=True)
        wanted = [(name, path) for name, path in choice.supply.segments if path != choice.chain[-1].wal_tar]
        walarchive.stage(wanted, into)
        histories = [
            (f"{number:08X}.history", path)
            for number, path in choice.files.histories.items()
            if number in {step[0] for step in choice.path.steps}
        ]
        walarchive.stage(histories, into)
        for name, _ in choice.supply.segments:
            segment = Segment.parse(name, choice.segment_bytes)
            walarchive.require_sound(segment, into / name, choice.system_identifier, choice.segment_bytes)
        sandbox.adopt(into)
        return f"{len(choice.supply.segments)} WAL segments staged"

    def reachable(self, located: Located, sandbox: Sandbox) -> list[str]:
        """Return the stops nearest the target, and the hole that cuts the archive."""
        choice = self._choices[located.backup.label]
        from_tar = [(name, sandbox.data / "pg_wal" / name) for name, _ in choice.supply.segments]
        segments = [
            pair if pair[1] != choice.chain[-1].wal_tar else staged
            for pair, staged in zip(choice.supply.segments, from_tar, strict=True)
        ]
        stops = commits.stops_in([pair for pair in segments if pair[1].exists()], sandbox.tools)
        return commits.nearest(stops, choice.target) + _hole(choice.supply)

    def _files(self) -> WalFiles:
        return walarchive.scan(self._wal) if self._wal is not None else walarchive.WalFiles()

    def _catalogue(self, files: WalFiles) -> list[tuple[Backup, BackupDirectory]]:
        directories = find_backups(self._path)
        by_start = chains.by_start_position(directories)
        entries = [
            (facts(directory, files.backups, chains.labels(directory, by_start)), directory)
            for directory in directories
        ]
        return sorted(entries, key=lambda entry: (entry[0].start_lsn or Lsn(0), entry[0].label))

    def _find(self, request: Request, backups: list[Backup], files: WalFiles) -> Lsn | None:
        """Return where a name or xid lies, when several backups make it matter."""
        if not isinstance(request.target, AtName | AtXid) or len(backups) == 1 or not files.segments:
            return None
        tools = request.find_tools(backups[-1].server_major)
        stops = commits.stops_in(sorted(files.segments.items()), tools)
        position = commits.position_of(request.target, stops)
        if position is None:
            near = [f"nearest reachable: {stop}" for stop in commits.nearest(stops, request.target)]
            raise _unreachable(request.target, "is not in the archive", near)
        return position

    def _require_reachable(self, choice: _Choice) -> None:
        """Refuse before the restore what the archive's limits rule out."""
        target, found = choice.target, choice.supply
        if self._wal is not None and not any(name in choice.files.segments for name, _ in found.segments):
            raise BackupNotRestorable(
                f"the WAL archive {self._wal} holds no segment this backup needs, from {_first_needed(choice)} on",
                hint="archiving has stopped, or `wal` names the archive of another cluster.",
            )
        if not found.segments:
            raise BackupNotRestorable(
                f"the first WAL segment the backup needs is missing: {_first_needed(choice)}",
                hint="without it the backup cannot become consistent: keep WAL from the start of every backup.",
            )
        stop = choice.backup.stop_lsn
        if stop is not None and found.end < stop:
            raise BackupNotRestorable(
                f"WAL ends at {found.end}, before the backup becomes consistent at {stop}{_and_hole(found)}",
                hint="restore the missing segments from another copy of the archive.",
            )
        if isinstance(target, Latest) and found.missing is not None:
            raise BackupNotRestorable(
                f"WAL segment {found.missing} is missing from the archive; {found.cut_off} later segments cannot be"
                " reached, and PostgreSQL would open at the hole without a word",
                hint="restore the segment from another copy, or take a new base backup now.",
            )
        if isinstance(target, AtLsn) and target.lsn > found.end:
            raise _unreachable(target, f"lies beyond the end of WAL at {found.end}", _hole(found))
        if isinstance(target, AtTime):
            self._require_a_stop(choice, target)

    def _require_a_stop(self, choice: _Choice, target: AtTime) -> None:
        """Refuse a time after which no transaction ends: recovery would have nothing to stop at."""
        found = choice.supply
        readable = [pair for pair in found.segments if pair[1] != choice.chain[-1].wal_tar]
        last = commits.last_end(readable, choice.tools)
        where = "before the hole in the archive" if found.missing else "in the archive"
        if last is not None and last.when is not None and _never_stops(last.when, target):
            raise _unreachable(target, f"lies after the last commit {where}, {last}", _hole(found))
        if last is None and len(readable) == len(found.segments) <= commits.LOOK_BACK:
            raise _unreachable(target, f"cannot be told: no transaction ends {where} after the backup", _hole(found))

    def _archive_check(self, choice: _Choice) -> tuple[Check, ...]:
        if self._wal is None:
            return ()
        found = choice.supply
        first, last = found.segments[0][0], found.segments[-1][0]
        text = f"{len(found.segments)} segments from {first} to {last} without a hole"
        return (
            Check(
                name="archive",
                verdict=Verdict.FAILED if found.missing else Verdict.PASSED,
                message=f"segment {found.missing} is missing after {last}, {found.cut_off} later ones are cut off"
                if found.missing
                else text,
                expected="no hole",
                observed=found.missing or "no hole",
            ),
        )

    def _not_checked(self, files: WalFiles) -> tuple[str, ...]:
        found = [] if self._verify else ["The files of the backup: `verify = false` left the manifest out."]
        found += [_NO_ARCHIVE] if self._wal is None else []
        found += [f"WAL still being received ({len(files.partial)} partial segments)."] if files.partial else []
        return tuple(found)


def _start(directory: BackupDirectory) -> Lsn:
    if directory.start_lsn is None:
        raise BackupNotRestorable(
            f"backup {directory.path} has no readable backup_label: a server would open it with wrong rows and no word",
            hint="take the backup with pg_basebackup, and keep the label it writes.",
        )
    return directory.start_lsn


def _segment_facts(wal: dict[str, Path], directory: BackupDirectory, backup: Backup) -> tuple[int, int | None]:
    """Return the segment size, and the system identifier as the backup or its own first segment tells it."""
    plain = [path for _, path in sorted(wal.items()) if path != directory.wal_tar]
    headers = (walarchive.header_of(path) for path in plain)
    in_tar = (read_header(data) for _, data in members(directory.wal_tar))
    header = next((found for found in chain_of(headers, in_tar) if found is not None), None)
    if header is not None:
        return header.segment_bytes, backup.system_identifier or _identifier(directory)
    raise BackupNotRestorable(
        "there is no readable WAL segment, neither in the backup nor in the archive",
        hint="name the WAL archive in `wal`, or take backups with --wal-method=stream.",
    )


def _identifier(directory: BackupDirectory) -> int | None:
    """Return the system identifier in a plain backup's pg_control: its first eight bytes."""
    path = directory.path / "global" / "pg_control"
    return int.from_bytes(path.read_bytes()[:8], "little") if path.is_file() else None


def _needed(chain: tuple[BackupDirectory, ...], found: Supply, segment_bytes: int) -> int:
    sizes = [directory.plain_bytes() for directory in chain]
    stored = sum(path.stat().st_size for directory in chain for path in directory.path.rglob("*") if path.is_file())
    known = [size for size in sizes if size is not None]
    files = max(known) * (2 if len(chain) > 1 else 1) if known else stored * _COMPRESSED_GROWTH
    return files + len(found.segments) * segment_bytes


def _switches(path: TimelinePath) -> list[str]:
    if len(path.steps) == 1:
        return []
    words = " to ".join(str(timeline) for timeline, _ in path.steps)
    return [f"recovery follows timelines {words}: production was failed over or restored in between"]


def _first_needed(choice: _Choice) -> str:
    start = _start(choice.chain[-1])
    return Segment.holding(start, choice.chain[-1].timeline, choice.segment_bytes).file_name(choice.segment_bytes)


def _hole(found: Supply) -> list[str]:
    return [f"WAL segment {found.missing} is missing, {found.cut_off} later ones are cut off"] if found.missing else []


def _and_hole(found: Supply) -> str:
    return "; " + _hole(found)[0] if found.missing else ""


def _never_stops(last: datetime, target: AtTime) -> bool:
    """Tell whether no transaction ends where recovery could notice that the time has come."""
    return last <= target.when if target.inclusive else last < target.when


def _unreachable(target: RecoveryTarget, why: str, near: list[str]) -> TargetUnreachable:
    return TargetUnreachable("; ".join([f"{target} {why}", *near]), hint="choose a point the archive reaches.")
