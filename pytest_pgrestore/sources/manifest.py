"""The manifest of a base backup: every restored file compared with what was backed up, before anything is touched.

Source: PostgreSQL docs, pg_verifybackup. It is the only check that sees a zeroed page or a file cut short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.backupdir import BackupDirectory


def verify(directory: BackupDirectory, sandbox: Sandbox) -> Check:
    """Run pg_verifybackup on the restored files, without WAL, which is checked on its own."""
    if not (sandbox.data / "backup_manifest").exists():
        return _check(
            Verdict.COULD_NOT_VERIFY,
            "the backup has no manifest, so its files cannot be verified\n"
            "HINT: take backups with a manifest, or set verify = false to go without.",
        )
    done = sandbox.tools.run("pg_verifybackup", "--no-parse-wal", str(sandbox.data), check=False)
    if done.status != 0:
        errors = [line.partition("error: ")[2] for line in done.stderr.splitlines() if "error: " in line]
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        return _check(Verdict.FAILED, f"{errors[0] if errors else done.tail()}{more}")
    unchecked = directory.unchecked_files()
    if unchecked:
        return _check(Verdict.COULD_NOT_VERIFY, f"the manifest holds no checksum of {unchecked} files")
    return _check(Verdict.PASSED, "every file has the size and checksum the manifest says")


def not_wanted() -> Check:
    """Return the check of a source that does without."""
    return _check(Verdict.SKIPPED, "switched off by `verify = false`")


def _check(verdict: Verdict, message: str) -> Check:
    return Check(name="manifest", verdict=verdict, message=message)
