"""Source `basebackup`: backups of pg_basebackup, with or without a directory of archived WAL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.sources.basebackup import (
    incremental,
    manifest_check,
    no_backups,
    stopped,
    wal_checks,
    wal_needed,
)
from pytest_pgrestore.sources.basebackup.catalogue import read_catalogue
from pytest_pgrestore.sources.basebackup.links import Rules, linked_tablespace
from pytest_pgrestore.sources.basebackup.manifest import MAX_FILES
from pytest_pgrestore.sources.basebackup.sizes import needed_bytes
from pytest_pgrestore.sources.basebackup.unpacking import Places, lay_out
from pytest_pgrestore.sources.protocol import ChosenBackup
from pytest_pgrestore.sources.wal import archive_findings, segments
from pytest_pgrestore.sources.wal.segments import WalFile, WalFiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.basebackup.directory import BackupDirectory
    from pytest_pgrestore.sources.basebackup.wal_needed import Wal
    from pytest_pgrestore.sources.protocol import LocateRequest


@dataclass(frozen=True, slots=True)
class _Choice:
    """What `locate` found, for the later steps of the same restore.

    Attributes:
        chosen: The answer to the request. It is kept so that its `id` stays unique.
        chain: The backups that are restored together, the full one first.
        wal: The WAL of the restore.
        target: Where recovery stops.
    """

    chosen: ChosenBackup
    chain: tuple[BackupDirectory, ...]
    wal: Wal
    target: RecoveryTarget


class BasebackupSource:
    """Implements `sources.protocol.PhysicalSource` for pg_basebackup.

    Args:
        name: The user's name for the source.
        path: One backup, or a directory of several.
        wal: Directory of archived WAL, compressed or not; None uses the WAL inside the backup.
        backup: Name of the backup to restore; None chooses one for the target.
        verify: Whether the files are compared with the manifest.
        linked_paths: Directories outside `path` that links in a backup may lead into.
        max_files: Most files of a backup.
        timeout_seconds: Deadline of one tool.
    """

    type = "basebackup"
    requirements = None

    def __init__(  # noqa: PLR0913 - the settings of a source
        self,
        name: str,
        path: str,
        *,
        wal: str | None = None,
        backup: str | None = None,
        verify: bool = True,
        linked_paths: Sequence[Path] = (),
        max_files: int = MAX_FILES,
        timeout_seconds: float = 3600.0,
    ) -> None:
        self.name = name
        self._path = Path(path)
        self._wal = Path(wal) if wal is not None else None
        self._backup = backup
        self._verify = verify
        self._rules = Rules((self._path, *linked_paths), max_files, verify)
        self._timeout_seconds = timeout_seconds
        self._choices: dict[int, _Choice] = {}

    @property
    def places(self) -> tuple[Path, ...]:
        """The directories of backups, of the tablespaces of plain backups, and of the archive."""
        links = (*self._path.glob("pg_tblspc/*"), *self._path.glob("*/pg_tblspc/*"))
        spaces = (space for link in links if (space := linked_tablespace(link, self._rules)))
        return (self._path, *spaces, *((self._wal,) if self._wal is not None else ()))

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - protocol
        """Return the names of the checks this source reports."""
        return (
            manifest_check.NAME if self._verify else manifest_check.INSTEAD,
            *((archive_findings.CHECK,) if self._wal is not None else ()),
        )

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:  # noqa: ARG002 - protocol
        """Return the catalogue, oldest first. Backups that were never finished are left out."""
        return read_catalogue(self._path, self._archive(), self._rules).backups

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and check that its target can be reached. Reads only."""
        files = self._archive()
        catalogue = read_catalogue(self._path, files, self._rules, self._wal)
        selected = catalogue.choose(request, files, self._backup)
        backup = selected.backup
        directory = catalogue.directory_of(backup)
        chain = incremental.chain_of(directory, catalogue.directories)
        for link in chain:
            link.require_readable()
        wal = wal_needed.wal_for(request, backup, directory, files, catalogue.backups)
        if self._wal is not None:
            wal_checks.require_known_forms(self._wal, request, wal, files)
        foreign = []
        if self._backup is None:
            foreign = wal_checks.require_no_other(request, wal, backup, files)
        if self._wal is not None and not stopped.precedes(files, directory):
            wal_checks.require_some_from(self._wal, request, wal, files)
        wal_checks.require_reachable(request, wal, selected.position)
        if self._backup is None and request.timeline == "latest":
            no_backups.require_none_newer(catalogue.strangers, directory.path, request.target)
        chosen = ChosenBackup(
            backup=backup,
            selection=selected.selection,
            server_major=wal.major,
            needed_bytes=needed_bytes(chain, len(wal.found.files) * wal.expected.segment_bytes),
            timeline=wal.path.last,
            timeline_begins=wal.path.last_begins,
            archive_end=wal.end if self._wal is not None else None,
            checks=(archive_findings.check(wal.found),) if self._wal is not None else (),
            not_checked=self._not_checked(),
            notes=(
                *catalogue.left_out,
                *no_backups.notes(catalogue.strangers, self._path),
                *catalogue.unusable_beside(chain),
                *wal.notes,
                *foreign,
                *self._notes(wal, files),
            ),
            backup_paths=tuple(directory.path for directory in chain),
            wal_archive_paths=() if self._wal is None else (self._wal,),
        )
        # The key is the identity: two drills of one backup may have different targets.
        self._choices[id(chosen)] = _Choice(chosen, chain, wal, request.target)
        return chosen

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Fill the sandbox's data directory from the backup, or from its chain of backups."""
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
        """Run pg_verifybackup on the restored files. WAL is checked in `stage_wal`."""
        chain = self._choices[id(chosen)].chain
        if not self._verify:
            return (manifest_check.switched_off(),)
        inputs = incremental.inputs_of(chain, sandbox) if len(chain) > 1 else []
        check = manifest_check.verify(
            sandbox,
            inputs,
            unpacked={path for path in inputs if path.is_relative_to(sandbox.root)},
            max_files=self._rules.max_files,
        )
        incremental.forget(sandbox)
        return (check,)

    def stage_wal(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Copy the WAL recovery needs into pg_wal and check each segment."""
        return wal_needed.stage(self._choices[id(chosen)].wal, sandbox)

    def reachable(self, chosen: ChosenBackup, sandbox: Sandbox) -> list[str]:
        """Return the stops nearest to the target, and why the archive ends early, if it does."""
        choice = self._choices[id(chosen)]
        staged = sandbox.data / "pg_wal"
        files = [
            file if file.in_tar is None else WalFile(file.name, staged / file.name)
            for file in choice.wal.found.files
        ]
        existing = [file for file in files if file.path.exists()]
        return archive_findings.nearest_stops(
            existing, choice.wal.found, choice.target, sandbox.programs
        )

    def _archive(self) -> WalFiles:
        return segments.scan(self._wal) if self._wal is not None else WalFiles()

    def _not_checked(self) -> tuple[str, ...]:
        sentences = []
        if not self._verify:
            sentences.append("The files of the backup: verify = false left the manifest out.")
        if self._wal is None:
            sentences.append("Commits after the end of the backup: no WAL archive is configured.")
        return tuple(sentences)

    def _notes(self, wal: Wal, files: WalFiles) -> list[str]:
        sentences = archive_findings.notes(wal.path, wal.found, files.partial)
        if self._wal is None:
            sentences.append("no WAL archive: latest is the end of the backup")
        elif wal.found.files and not wal_checks.any_from(files, wal.found):
            sentences.append(
                f"the WAL archive {self._wal} holds no segment this backup needs; only the WAL"
                " inside the backup was used"
            )
        return sentences
