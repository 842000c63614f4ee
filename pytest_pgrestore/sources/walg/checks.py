"""Checks of the drill that use WAL-G: are all files there, and what does ``wal-verify`` report?"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sources.json_answer import parse, understood
from pytest_pgrestore.sources.walg.messages import failed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_pgrestore.sources.backup_tool import BackupTool

VERIFY = "wal-g wal-verify"
FILES = "files"
_NAMED = 3
"""Most files that a message names."""

_LONGEST = 100
"""Characters of a status."""

_VERIFY_SECONDS = 120.0
"""WAL-G retries without a message if production or the store does not answer."""


def files_restored(listed: Sequence[str] | None, data: Path) -> Check:
    """Return whether each file of the backup's own list is in `data`.

    WAL-G restores the parts that there are, and ends with status 0 if one is missing.

    Args:
        listed: Paths relative to the data directory; None if the backup has no list.
        data: The restored data directory.
    """
    if listed is None:
        return Check(
            name=FILES,
            verdict=Verdict.COULD_NOT_VERIFY,
            message="the backup keeps no list of its files: take backups without"
            " --without-files-metadata",
        )
    missing = [path for path in listed if not (data / path).exists()]
    if missing:
        named = ", ".join(missing[:_NAMED]) + (" ..." if len(missing) > _NAMED else "")
        return Check(
            name=FILES,
            verdict=Verdict.FAILED,
            message=f"{len(missing)} of the {len(listed)} files of the backup did not come back:"
            f" {named}",
        )
    return Check(
        name=FILES,
        verdict=Verdict.PASSED,
        message=f"all {len(listed)} files of the backup came back",
    )


def wal_verified(tool: BackupTool) -> Check:
    """Return the result of ``wal-verify``, which compares the storage with production's server."""
    arguments = ("wal-verify", "integrity", "timeline", "--json")
    done = tool.run("verify", *arguments, timeout_seconds=_VERIFY_SECONDS)
    if done.status != 0:
        problem = failed(done, "wal-verify did not run").problem
        return Check(name=VERIFY, verdict=Verdict.COULD_NOT_VERIFY, message=problem)
    found = statuses_in(done.stdout)
    words = ", ".join(f"{name} {status}" for name, status in found.items())
    bad = any(status == "FAILURE" for status in found.values())
    return Check(name=VERIFY, verdict=Verdict.FAILED if bad else Verdict.PASSED, message=words)


def statuses_in(text: str) -> dict[str, str]:
    """Return the status of each part of ``wal-verify``.

    Raises:
        HarnessError: The output has another format.
    """
    with understood("WAL-G's answer is not understood", hint="read the saved log of `verify`."):
        return {
            name: part["status"].text(longest=_LONGEST)
            for name, part in islice(parse(text).items(), _NAMED)
        }
