"""Links in backups: where they may lead.

A backup may come from somebody who wants to read other files of this machine: a link in it names
any of them, and root reads them all. pg_basebackup makes two kinds of links, both only in plain
backups: ``pg_tblspc/OID`` to a tablespace (``--tablespace-mapping``), and ``pg_wal``
(``--waldir``).
"""

from __future__ import annotations

import errno
import os
import struct
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError
from pytest_pgrestore.sources.basebackup.manifest import MANIFEST, MAX_FILES
from pytest_pgrestore.sources.codecs import reading
from pytest_pgrestore.sources.trees import open_directory
from pytest_pgrestore.system.regular_file import open_regular, read_limited

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLESPACES = "pg_tblspc"
_CONTROL = struct.Struct("<QII")
"""Start of pg_control: system identifier, version of the file, version of the catalog."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the user allows a backup to have.

    Attributes:
        linked_paths: Directories that links in a backup may lead into.
        max_files: Most files of a backup.
        verified: Whether the restored files will be compared with the backup's manifest.
    """

    linked_paths: tuple[Path, ...] = ()
    max_files: int = MAX_FILES
    verified: bool = True

    def allow(self, target: Path) -> bool:
        """Return whether a link may lead to `target`, a path without links."""
        return any(target.is_relative_to(path.resolve()) for path in self.linked_paths)


@dataclass(frozen=True, slots=True)
class Tablespace:
    """A tablespace of a plain backup, opened.

    Attributes:
        descriptor: Of its directory.
        place: Path of its directory, without links.
        content: The only name in it that belongs to the backup; None if all of them do.
    """

    descriptor: int
    place: Path
    content: str | None


def real_file(path: Path, rules: Rules) -> Path:
    """Return a file of a backup; if it is a link, the file that it leads to.

    Raises:
        BackupNotRestorable: It leads to a place that is not allowed.
    """
    if not path.is_symlink():
        return path
    target = _end_of(path)
    if not rules.allow(target):
        raise BackupNotRestorable(
            f"{path} is a link to {target}, outside the backups",
            hint="put the file itself there, or name the directory it is in in linked_paths.",
        )
    return target


def wal_folder(backup: Path, rules: Rules) -> Path | None:
    """Return the WAL directory of a plain backup; None if there is none that may be read.

    ``pg_basebackup --waldir`` makes it a link. Then it must belong to the owner of the backup, and
    look like a WAL directory.
    """
    path = backup / "pg_wal"
    if not path.is_dir():
        return None
    if not path.is_symlink():
        return path
    target = _end_of(path)
    ours = _owner_fits(backup, target.stat().st_uid)
    looks_right = (target / "archive_status").is_dir()
    return target if rules.allow(target) or (ours and looks_right) else None


def tablespaces_of(backup: Path) -> list[str]:
    """Return the OIDs below ``pg_tblspc`` of a plain backup, in order.

    A server reads no other name there; a desktop leaves a ``.DS_Store``, for example.
    """
    try:
        names = sorted(os.listdir(backup / TABLESPACES))  # noqa: PTH208 - names, not paths
        return [name for name in names if name.isascii() and name.isdigit()]
    except (FileNotFoundError, NotADirectoryError):
        return []


@contextmanager
def open_tablespace(backup: Path, oid: str, rules: Rules) -> Iterator[Tablespace]:
    """Open a tablespace of a plain backup: a directory in it, or one that a link leads to.

    A link is followed into the directories that `rules` allow. Elsewhere, its end must belong to
    the owner of the backup, see `_owner_fits`, and be compared with the backup's manifest: only who
    knows what the files contain can name them there. In both cases the tablespace must have a
    directory of the backup's server version, and nothing but this directory belongs to the backup.

    Raises:
        BackupNotRestorable: There is no such tablespace.
        HarnessError: It belongs to somebody else or is not verified, and `rules` do not allow it.
    """
    path = backup / TABLESPACES / oid
    linked = path.is_symlink()
    target = _end_of(path) if linked else path
    with ExitStack() as opened:
        try:
            # A link is resolved, so that what is opened is what is judged.
            descriptor = opened.enter_context(open_directory(target, follow=False))
        except OSError as exc:
            if exc.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                raise
            raise _no_tablespace(path) from exc
        content = None
        if linked:
            content = _require_tablespace(backup, path, descriptor, target)
            why_not = _why_not(backup, os.fstat(descriptor).st_uid, rules)
            if why_not and not rules.allow(target):
                raise HarnessError(
                    f"{path} is a link to {target}, {why_not}",
                    hint="if it is the backup's tablespace, name the directory it is in in"
                    " linked_paths of the source.",
                )
        yield Tablespace(descriptor, target, content)


def linked_tablespace(path: Path, rules: Rules) -> Path | None:
    """Return the directory of a tablespace that a link below ``pg_tblspc`` may lead to, or None."""
    if not path.is_symlink():
        return None
    try:
        with open_tablespace(path.parent.parent, path.name, rules) as space:
            return space.place
    except (PgRestoreError, OSError):
        return None  # `open_tablespace` raises it again if the backup is chosen


def _require_tablespace(backup: Path, path: Path, descriptor: int, target: Path) -> str:
    """Return the name of the directory of the backup's server version.

    Raises:
        BackupNotRestorable: There is none.
    """
    wanted = _version_directory(backup)
    found = [name for name in sorted(os.listdir(descriptor)) if name.startswith(wanted)]
    if not found:
        raise BackupNotRestorable(
            f"{path} is a link to {target}, which is no tablespace of this backup: it has no"
            f" directory {wanted}",
            hint="copy the tablespace directories along with the backup, or take it in tar format.",
        )
    return found[0]


def _version_directory(backup: Path) -> str:
    """Return the name of the directory in each tablespace, or its beginning, PG_MAJOR_.

    Sources: src/include/common/relpath.h, TABLESPACE_VERSION_DIRECTORY;
    src/include/catalog/pg_control.h, ControlFileData: the catalog version is the fourth number.
    """
    with reading(backup):
        try:
            major = read_limited(backup / "PG_VERSION", 64, follow=False).decode().strip()
            with open_regular(backup / "global" / "pg_control", follow=False) as stream:
                start = stream.read(_CONTROL.size)
        except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
            return "PG_"
    catalog = _CONTROL.unpack(start)[2] if len(start) == _CONTROL.size else ""
    return f"PG_{major}_{catalog}"


def _why_not(backup: Path, uid: int, rules: Rules) -> str:
    """Return why a link to what belongs to `uid` is not followed by itself; empty if it is."""
    if not _owner_fits(backup, uid):
        return "which belongs to another user than the backup"
    if not rules.verified:
        return "and `verify` is off, so nothing shows that it belongs to the backup"
    if not (backup / MANIFEST).is_file():
        return "and no manifest shows that it belongs to the backup"
    return ""


def _owner_fits(backup: Path, uid: int) -> bool:
    """Return whether the owner of a backup could have made what belongs to `uid`.

    A backup that belongs to whoever runs the drill was copied or fetched by them. The copy's
    tablespaces may still be the original ones.
    """
    return backup.stat().st_uid in {uid, os.geteuid()}


def _end_of(link: Path) -> Path:
    """Return the path that a link leads to, without links, whether it exists or not.

    Raises:
        BackupNotRestorable: It leads to itself.
    """
    try:
        return link.resolve()
    except RuntimeError as exc:  # of Path.resolve before Python 3.13
        raise _no_tablespace(link) from exc


def _no_tablespace(path: Path) -> BackupNotRestorable:
    what = "is no directory"
    if path.is_symlink():
        what = f"is a link to {path.readlink()}, which is not there"
    return BackupNotRestorable(
        f"{path} {what}",
        hint="copy the tablespace directories along with the backup, or take it in tar format.",
    )
