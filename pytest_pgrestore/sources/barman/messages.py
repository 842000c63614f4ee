"""Barman's errors as one sentence and a verdict: bad backup, or nothing learned.

Barman ends with status 1 for every error. It prints the messages of rsync, tar, PostgreSQL's
programs and stores. docs/barman.md lists errors that were observed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError
from pytest_pgrestore.sources.backup_tool import ends_of
from pytest_pgrestore.sources.barman.signs import BAD, NOT_LEARNED

if TYPE_CHECKING:
    from pytest_pgrestore.system.process import Completed

_LONGEST = 300
"""Characters of Barman's text in a message."""

_LOGGED = re.compile(
    r"^\d{4}-\d\d-\d\d [\d:,]+ (?:\[\d+\] )?\S+ (?:DEBUG|INFO|WARNING|ERROR|CRITICAL): "
)
_ERROR = re.compile(r"(?:ERROR|EXCEPTION|exception|CRITICAL|FATAL|error):", re.IGNORECASE)


def failed(done: Completed, place: str, what: str) -> PgRestoreError:
    """Return the error for a command that failed.

    Args:
        done: The command with its output.
        place: Path or address of the backups.
        what: The consequence, as in ``backup 20261123T054846 was not restored``.
    """
    text = ends_of(f"{done.stderr}\n{done.stdout}")
    said = cause_in(text)
    for sign in NOT_LEARNED:
        if sign.stands_in(text):
            return HarnessError(f"{what}: {sign.cause} ({place}): {said}", hint=sign.hint)
    for sign in BAD:
        if sign.stands_in(text):
            return BackupNotRestorable(f"{what}: {sign.cause}: {said}", hint=sign.hint)
    return HarnessError(
        f"{what}: {said} (status {done.status})", hint="read the saved log of Barman."
    )


def cause_in(text: str) -> str:
    """Return the first error in `text`: its printable letters, at most `_LONGEST`."""
    lines = [
        _LOGGED.sub(lambda match: _level(match[0]), line.strip())
        for line in ends_of(text).splitlines()
        if line.strip()
    ]
    last = lines[-1] if lines else "no reason given"
    error = next((line for line in lines if _ERROR.search(line)), last)
    return "".join(letter for letter in error if letter.isprintable())[:_LONGEST]


def _level(prefix: str) -> str:
    """Return the level from the prefix of a log line, as in ``ERROR: ``."""
    return f"{prefix.rstrip(': ').rpartition(' ')[2]}: "
