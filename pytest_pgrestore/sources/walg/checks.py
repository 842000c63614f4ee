"""What WAL-G itself can check of a backup, and what it leaves to us."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sources.walg.messages import failed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.backup_tool import BackupTool

VERIFY = "wal-g wal-verify"
FILES = "files"
_NAMED = 3
_VERIFY_SECONDS = 120.0


def wal_verify(tool: BackupTool) -> Check:
    """Return the result of ``wal-verify``, which compares the storage with production's server.

    Source: WAL-G, docs/PostgreSQL.md, "wal-verify".
    """
    arguments = ("wal-verify", "integrity", "timeline", "--json")
    done = tool.run("verify", *arguments, timeout_seconds=_VERIFY_SECONDS)
    if done.status != 0:
        problem = failed(done, "wal-verify did not run").problem
        return Check(name=VERIFY, verdict=Verdict.COULD_NOT_VERIFY, message=problem)
    found = {name: part["status"] for name, part in json.loads(done.stdout).items()}
    words = ", ".join(f"{name} {status}" for name, status in found.items())
    bad = "FAILURE" in found.values()
    return Check(name=VERIFY, verdict=Verdict.FAILED if bad else Verdict.PASSED, message=words)


def files(listed: Sequence[str] | None, sandbox: Sandbox) -> Check:
    """Return whether every file of the backup came back.

    WAL-G fetches the parts that are there, and ends with 0 when one is gone.

    Args:
        listed: The backup's own list of its files; None if it keeps none.
        sandbox: What was restored into.
    """
    if listed is None:
        return Check(
            name=FILES,
            verdict=Verdict.COULD_NOT_VERIFY,
            message="the backup keeps no list of its files: take backups without --without-files-metadata",
        )
    missing = [path for path in listed if not (sandbox.data / path).exists()]
    if missing:
        named = ", ".join(missing[:_NAMED]) + (" ..." if len(missing) > _NAMED else "")
        return Check(
            name=FILES,
            verdict=Verdict.FAILED,
            message=f"{len(missing)} of the {len(listed)} files of the backup did not come back: {named}",
        )
    return Check(
        name=FILES,
        verdict=Verdict.PASSED,
        message=f"all {len(listed)} files of the backup came back",
    )
