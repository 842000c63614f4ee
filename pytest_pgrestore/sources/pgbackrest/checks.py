"""Checks of the drill that pgBackRest makes: page checksums at backup time, and ``verify``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    from pytest_pgrestore.sources.pgbackrest.entries import Details, Entry
    from pytest_pgrestore.system.process import Completed

PAGES = "page checksums in the backup"
VERIFY = "pgbackrest verify"
_NAMED = 20
"""Most files that a message names."""

_STATUS = re.compile(r"^\s*status: (\w+)", re.MULTILINE)


def pages(entry: Entry, about: Details) -> Check:
    """Return the check of page checksums that pgBackRest made when it took the backup.

    ``info`` and ``restore`` end with status 0 for a backup with damaged pages too.
    Source: pgBackRest configuration reference, "checksum-page".

    Args:
        entry: The chosen backup.
        about: What ``info --set`` reports of it.
    """
    if entry.page_errors is None:
        return Check(
            name=PAGES,
            verdict=Verdict.SKIPPED,
            message="pgBackRest did not look at page checksums: the server had none, or"
            " checksum-page is off",
        )
    if not entry.page_errors:
        return Check(
            name=PAGES,
            verdict=Verdict.PASSED,
            message="no page had a wrong checksum when it was backed up",
        )
    named = ", ".join(about.bad_files[:_NAMED]) + (" ..." if about.bad_files[_NAMED:] else "")
    where = f": {named}" if named else ""
    return Check(
        name=PAGES,
        verdict=Verdict.FAILED,
        message="pages of production had wrong checksums when backup"
        f" {entry.backup.label} was taken{where}",
    )


def verified(done: Completed) -> Check:
    """Return the result of ``verify``, from its text.

    ``verify`` ends with status 0 for invalid files too (pgbackrest/pgbackrest issue 2502).
    """
    lines = [line.strip() for line in done.stdout.splitlines()]
    overall = next((match[1] for match in _STATUS.finditer(done.stdout)), "")
    bad = [line for line in lines if "invalid, total files" in line or "status: error" in line]
    if done.status != 0 or not overall:
        verdict = Verdict.COULD_NOT_VERIFY
        message = f"pgbackrest verify ended with status {done.status}"
    elif overall != "ok" or bad:
        verdict, message = Verdict.FAILED, "; ".join(bad) or f"status: {overall}"
    else:
        verdict, message = Verdict.PASSED, "every file of the repository has its checksum"
    return Check(name=VERIFY, verdict=verdict, message=message)
