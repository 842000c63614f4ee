"""What Barman itself says of a backup: ``check-backup`` and ``verify-backup``, each a check of the drill.

``check-backup`` writes its finding into the home, as a new status of the backup. So both are shown a mirror: the
descriptions copied, the rest as links. ``barman check`` looks at production, which a drill has no way to.
Source: Barman manual, "check-backup", "verify-backup".
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sources.barman.messages import cause_in

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sources.backuptool import BackupTool
    from pytest_pgrestore.sources.barman.catalogue import Entry
    from pytest_pgrestore.sources.barman.settings import Server

CHECK_BACKUP = "barman check-backup"
VERIFY_BACKUP = "barman verify-backup"
NAMES = (CHECK_BACKUP, VERIFY_BACKUP)

_DESCRIPTION = "backup.info"
_BAD_STATUS = "FAILED"


def mirror(server: Server, directory: Path) -> dict[str, str]:
    """Make the mirror; return the options that lead Barman to it."""
    base = directory / "base"
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (server.directory / "meta").is_dir():
        shutil.copytree(server.directory / "meta", directory / "meta", dirs_exist_ok=True)
    for backup in sorted(server.backups.iterdir()):
        if not backup.is_dir():
            continue
        (base / backup.name).mkdir(exist_ok=True)
        for entry in sorted(backup.iterdir()):
            image = base / backup.name / entry.name
            if entry.name == _DESCRIPTION:
                shutil.copyfile(entry, image)
            elif not image.is_symlink():
                image.symlink_to(entry)
    return {"backup_directory": str(directory), "basebackups_directory": str(base), "wals_directory": str(server.wals)}


def run(tool: BackupTool, server: str, entry: Entry, has_manifest: bool) -> list[Check]:
    """Return what Barman says of a backup: its printed words and its status must both be good."""
    label = entry.backup.label
    done = tool.run("check", "check-backup", server, label)
    shown = tool.run("check", "-f", "json", "show-backup", server, label)
    verdict, message = Verdict.PASSED, "all WAL that the backup needs is there"
    if done.status != 0 or "ERROR" in done.stdout + done.stderr or f'"{_BAD_STATUS}"' in shown.stdout:
        verdict, message = Verdict.FAILED, cause_in(done.stderr + done.stdout) or f"status {done.status}"
    checks = [Check(name=CHECK_BACKUP, verdict=verdict, message=message)]
    if not has_manifest:
        return [*checks, _skipped("the backup has no manifest")]
    if entry.compressed:
        return [*checks, _skipped("the backup is compressed, which Barman cannot verify")]
    done = tool.run("check", "verify-backup", server, label)
    said = done.stdout + done.stderr
    if done.status == 0 and "ERROR" not in said and "error:" not in said:
        return [
            *checks,
            Check(name=VERIFY_BACKUP, verdict=Verdict.PASSED, message="every file is as its manifest says"),
        ]
    found = "error:" in said or "checksum" in said
    verdict = Verdict.FAILED if found else Verdict.COULD_NOT_VERIFY
    return [*checks, Check(name=VERIFY_BACKUP, verdict=verdict, message=cause_in(done.stderr + done.stdout))]


def _skipped(why: str) -> Check:
    return Check(name=VERIFY_BACKUP, verdict=Verdict.SKIPPED, message=why)
