"""Barman's own checks of a backup: ``check-backup`` and ``verify-backup``.

``check-backup`` writes its result into the home, as a new status of the backup. Both commands
get a mirror of the home: descriptions are copied, all else is a link. ``barman check`` is not run:
it connects to production. Source: Barman manual, "check-backup", "verify-backup".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sources.barman.messages import cause_in
from pytest_pgrestore.sources.codecs import reading
from pytest_pgrestore.system.regular_file import TooLargeError, read_limited

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sources.backup_tool import BackupTool
    from pytest_pgrestore.sources.barman.catalogue import Entry
    from pytest_pgrestore.sources.barman.own_config import Server

CHECK_BACKUP = "barman check-backup"
VERIFY_BACKUP = "barman verify-backup"
NAMES = (CHECK_BACKUP, VERIFY_BACKUP)

_DESCRIPTION = "backup.info"
_DESCRIPTION_BYTES = 4 << 20
"""Bytes of a description: 4 MiB. Barman writes some kilobytes, more with many tablespaces."""

_BAD_STATUS = "FAILED"


def mirror(server: Server, directory: Path) -> dict[str, str]:
    """Make the mirror, and return the options that make Barman use it."""
    base = directory / "base"
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (server.directory / "meta").is_dir():
        (directory / "meta").mkdir(mode=0o700, exist_ok=True)
        for entry in sorted((server.directory / "meta").iterdir()):
            # Barman 3.13 also keeps locks and the list of WAL there; only descriptions are needed.
            if entry.name.endswith(_DESCRIPTION):
                _copy_description(entry, directory / "meta" / entry.name)
    for backup in sorted(server.backups.iterdir()):
        if not backup.is_dir():
            continue
        (base / backup.name).mkdir(exist_ok=True)
        for entry in sorted(backup.iterdir()):
            image = base / backup.name / entry.name
            if entry.name == _DESCRIPTION:
                _copy_description(entry, image)
            elif not image.is_symlink():
                image.symlink_to(entry)
    return {
        "backup_directory": str(directory),
        "basebackups_directory": str(base),
        "wals_directory": str(server.wals),
    }


def _copy_description(path: Path, into: Path) -> None:
    """Copy the description of a backup.

    Raises:
        BackupNotRestorable: It is a link, no regular file, or far too large.
    """
    with reading(path):
        try:
            into.write_bytes(read_limited(path, _DESCRIPTION_BYTES, follow=False))
        except TooLargeError as exc:
            raise BackupNotRestorable(
                f"{path} {exc.strerror}, and the description of a backup has a few lines",
                hint="restore it from another copy of Barman's home.",
            ) from None


def linked(wals: Path, directory: Path) -> Path:
    """Make `directory` with a link to each directory of `wals`, and return it.

    ``get-wal`` writes decompressed files to the WAL directory, which would be in the home.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    for entry in sorted(wals.iterdir()):
        image = directory / entry.name
        if not image.is_symlink():
            image.symlink_to(entry)
    return directory


def check_backup(tool: BackupTool, server: str, label: str) -> Check:
    """Return whether Barman finds all WAL that the backup needs.

    The result is the status of the backup after the command; the command may end with status 0.
    """
    done = tool.run("check", "check-backup", server, label)
    shown = tool.run("check", "-f", "json", "show-backup", server, label)
    complained = done.status != 0 or "ERROR" in done.stdout + done.stderr
    if not complained and f'"{_BAD_STATUS}"' not in shown.stdout:
        return _check(CHECK_BACKUP, Verdict.PASSED, "all WAL that the backup needs is there")
    return _check(CHECK_BACKUP, Verdict.FAILED, cause_in(done.stderr + done.stdout))


def why_not_verified(entry: Entry, has_manifest: bool) -> str:
    """Return why Barman cannot verify a backup; empty if it can."""
    if not has_manifest:
        return "the backup has no manifest"
    return "the backup is compressed, which Barman cannot verify" if entry.compressed else ""


def verify_backup(tool: BackupTool, server: str, label: str) -> Check:
    """Return the result of ``verify-backup``: pg_verifybackup of the files in the home."""
    done = tool.run("check", "verify-backup", server, label)
    output = done.stderr + done.stdout
    if done.status == 0 and "ERROR" not in output and "error:" not in output:
        return _check(VERIFY_BACKUP, Verdict.PASSED, "every file is as its manifest says")
    found = "error:" in output or "checksum" in output
    verdict = Verdict.FAILED if found else Verdict.COULD_NOT_VERIFY
    return _check(VERIFY_BACKUP, verdict, cause_in(output))


def _check(name: str, verdict: Verdict, message: str) -> Check:
    return Check(name=name, verdict=verdict, message=message)
