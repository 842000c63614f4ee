"""The facts of a backup that pg_basebackup wrote: one directory, plain or tar.

Source: PostgreSQL docs, pg_basebackup and "Backup Manifest Format".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pytest_pgrestore.model.errors import BackupNotRestorable, PgRestoreError
from pytest_pgrestore.sources.basebackup.links import Rules, real_file
from pytest_pgrestore.sources.basebackup.manifest import MANIFEST, Manifest
from pytest_pgrestore.sources.codecs import SUFFIXES, plain_name
from pytest_pgrestore.sources.wal.backup_label import BackupLabel, moment

LABEL = "backup_label"
VERSION = "PG_VERSION"


@dataclass(frozen=True, slots=True)
class BackupDirectory:
    """One stored backup.

    Attributes:
        path: The backup's directory.
        form: ``plain``, ``tar``, ``tar.gz`` ...
        label: Content of backup_label; None if the file is missing or cannot be read.
        manifest: Content of backup_manifest; None if the file is missing or damaged.
            pg_verifybackup reports a damaged one.
        major: Server major; None if only reading a whole tar would tell.
        tablespaces: OIDs in tablespace_map. The backup must have a part for each of them.
        problem: Why there is no label; empty if there is one.
        unfinished: True if pg_basebackup still runs or was interrupted.
        written_at: When the directory was last changed; used if no file has a date.
        control_identifier: System identifier in pg_control of a plain backup, if it was read.
        stopped: True for a copy of a stopped server's directory, which needs no backup_label: its
            label says what pg_control does.
        rules: What the user allows a backup to have.
        error: Why the backup cannot even be read; None if it can. It is raised only if the backup
            is chosen: what somebody put beside a good backup must not stop the good one.
    """

    path: Path
    form: str
    label: BackupLabel | None
    manifest: Manifest | None
    major: int | None
    tablespaces: frozenset[str]
    problem: str
    unfinished: bool
    written_at: datetime
    control_identifier: int | None = None
    stopped: bool = False
    rules: Rules = field(default_factory=Rules)
    error: PgRestoreError | None = None

    @property
    def tar(self) -> bool:
        """Whether the backup is in tar format."""
        return self.form != "plain"

    @property
    def base_tar(self) -> Path | None:
        """The tar of the data directory."""
        return self._tar("base")

    @property
    def wal_tar(self) -> Path | None:
        """The tar of the backup's own WAL (``pg_basebackup --wal-method=stream``)."""
        return self._tar("pg_wal")

    @property
    def manifest_file(self) -> Path | None:
        """The manifest."""
        path = self.path / MANIFEST
        return real_file(path, self.rules) if is_there(path) else None

    def _tar(self, stem: str) -> Path | None:
        path = tar_of(self.path, stem)
        return None if path is None else real_file(path, self.rules)

    def tablespace_tars(self) -> dict[str, Path]:
        """Return the tar of each tablespace by OID."""
        named = {plain_name(entry.name): entry for entry in sorted(self.path.iterdir())}
        return {
            name.removesuffix(".tar"): real_file(entry, self.rules)
            for name, entry in named.items()
            if _is_tablespace(name)
        }

    def needed_label(self) -> BackupLabel:
        """Return the label of a backup that is about to be restored.

        Raises:
            BackupNotRestorable: The label is missing or damaged.
            PgRestoreError: The backup cannot be read.
        """
        self.require_readable()
        if self.label is None:
            # PostgreSQL's own test of this accident: src/test/recovery/t/042_low_level_backup.pl.
            raise BackupNotRestorable(
                f"backup {self.path.name} cannot be used: {self.problem}",
                hint="a server would open a copy without its label with wrong rows and no word:"
                " take the backup with pg_basebackup, and keep everything it writes.",
            )
        return self.label

    def require_readable(self) -> None:
        """Raise what reading the backup raised.

        Raises:
            PgRestoreError: The backup cannot be read.
        """
        if self.error is not None:
            raise type(self.error)(
                f"backup {self.path.name} cannot be used: {self.error.problem}", self.error.hint
            ) from self.error

    def started_at(self) -> datetime | None:
        """Return when the backup began: from the manifest (in UTC), otherwise from the label."""
        if self.manifest is not None and self.manifest.label_at is not None:
            return self.manifest.label_at
        return moment(self.label.start_time) if self.label else None


def form_of(path: Path) -> str | None:
    """Return the form of the backup in `path`; None if `path` is no backup.

    Names decide, whatever they name: a backup whose base.tar became a FIFO is a damaged backup.

    Raises:
        PermissionError: The directory cannot be read.
    """
    base = tar_of(path, "base")
    if base is not None:
        return base.name.removeprefix("base.")
    if is_there(path / VERSION) or is_there(path / LABEL):
        return "plain"
    # A manifest without a base.tar is a damaged backup in tar format.
    return "tar" if is_there(path / MANIFEST) else None


def tar_of(path: Path, stem: str) -> Path | None:
    """Return the tar called `stem`, compressed or not; None if there is none."""
    names = [f"{stem}.tar", *(f"{stem}.tar{suffix}" for suffix in SUFFIXES), f"{stem}.tgz"]
    return next((path / name for name in names if is_there(path / name)), None)


def is_there(path: Path) -> bool:
    """Return whether the name exists, whatever it names.

    Raises:
        PermissionError: We may not look.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _is_tablespace(name: str) -> bool:
    return name.endswith(".tar") and name.removesuffix(".tar").isdigit()
