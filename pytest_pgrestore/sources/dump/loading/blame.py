"""From the errors of a load to the one error that a drill reports: whose fault, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError
from pytest_pgrestore.sources.dump.loading import causes
from pytest_pgrestore.sources.dump.loading.messages import Complaint, redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.sources.dump.loading.causes import Row
    from pytest_pgrestore.sources.dump.loading.server_errors import ServerError

_BAD_VALUE = "22"
"""Class of the SQLSTATEs of bad values. In a COPY, no role, library or locale brings one about."""

_JUDGED_CHARACTERS = 2000
"""Of a message. A name in it may be long, and a pattern that begins with a word is quadratic."""

_NO_ROLE = re.compile(r'role "(.*?)" does not exist')


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the user set, as far as it changes whose fault an error is.

    Attributes:
        whole: Whether the backup was to bring roles and tablespaces: by `globals`, or because it
            is the output of pg_dumpall.
        prelude: Whether `before` or `skip_extensions` is set.
    """

    whole: bool = False
    prelude: bool = False

    def verdict(self, row: Row) -> str:
        """Return HERE, MACHINE or BACKUP for a row of the table."""
        if row.verdict == causes.OUTSIDE:
            return causes.BACKUP if self.whole else causes.HERE
        return causes.HERE if row.verdict == causes.PRELUDE else row.verdict

    def applies(self, row: Row) -> bool:
        """Return whether a row of the table is about this drill."""
        return self.prelude or row.verdict != causes.PRELUDE


@dataclass(frozen=True, slots=True)
class _Judged:
    """One error, and the row of the table that it belongs to."""

    row: Row
    verdict: str
    complaint: Complaint
    text: str


def blame(
    what: str,
    found: list[Complaint],
    errors: Sequence[ServerError] = (),
    situation: Situation | None = None,
) -> PgRestoreError:
    """Return the error that a tool's complaints stand for: the first cause, and how many follow.

    What ended the load on this machine comes first, then a bad value in the dump's rows, then what
    this machine lacks: all other errors may be its consequences.

    Args:
        what: The tool and its file, for example ``pg_restore, shop.dump``.
        found: The errors of the tool, at least one.
        errors: The errors that the server logged.
        situation: What the user set.
    """
    judged = _judged(found, errors, situation or Situation())
    for wanted in (causes.MACHINE, causes.HERE, causes.BACKUP):
        if wanted == causes.HERE and (bad := _bad_value(found, errors)) is not None:
            return _bad(what, bad, found)
        for entry in judged:
            if entry.verdict == wanted:
                return _error(what, entry, judged, found)
    return _bad(what, found[0], found)


def missing_roles(found: list[Complaint]) -> list[str]:
    """Return the roles that do not exist according to the messages, in order."""
    return list(
        dict.fromkeys(match[1] for entry in found if (match := _NO_ROLE.search(entry.text)))
    )


def roles_missing(what: str, roles: list[str], *, whole: bool = False) -> PgRestoreError:
    """Return the error for a dump that needs roles which are in no file.

    Args:
        what: The dump.
        roles: Their names.
        whole: Whether the backup was to bring them.
    """
    one = len(roles) == 1
    problem = (
        f"{what} needs {'the role' if one else 'the roles'} {', '.join(roles)},"
        f" and {'nothing makes it' if one else 'nothing makes them'}"
    )
    if not whole:
        return HarnessError(problem, hint=causes.SET_OWNERS)
    return BackupNotRestorable(
        problem,
        hint="let the same job write the roles (pg_dumpall --globals-only) and the dump, or set"
        " owners = false.",
    )


def extensions_missing(what: str, names: list[str]) -> HarnessError:
    """Return the error for PostgreSQL programs without extensions that a dump needs."""
    listed = ", ".join(names)
    return HarnessError(
        f"{what} needs {'the extension' if len(names) == 1 else 'the extensions'} {listed},"
        " which the PostgreSQL programs used here do not have",
        hint=causes.INSTALL_EXTENSION,
    )


def _judged(
    found: list[Complaint], errors: Sequence[ServerError], situation: Situation
) -> list[_Judged]:
    """Return the errors that belong to a row.

    A tool's word counts only where the server reported nothing: a message of the server can hold
    any lines, and psql ends at its first one.
    """
    known: list[_Judged] = []
    for error in errors:
        row = _row_of(error.text, error.state) if error.own else None
        if row is not None and situation.applies(row):
            known.append(_Judged(row, situation.verdict(row), _of(error, found), error.text))
    if any(complaint.from_server for complaint in found):
        return known
    for complaint in found:
        row = _row_of(complaint.text, None)
        if row is not None:
            known.append(_Judged(row, situation.verdict(row), complaint, complaint.text))
    return known


def _row_of(text: str, state: str | None) -> Row | None:
    text = text[:_JUDGED_CHARACTERS]
    for row in causes.TABLE:
        if (state is None) != (not row.states):
            continue
        if (state is None or state.startswith(row.states)) and row.pattern.search(text):
            return row
    return None


def _of(error: ServerError, found: list[Complaint]) -> Complaint:
    """Return the tool's complaint about a server's error: it has the place."""
    text = redact(error.text)
    return next((entry for entry in found if entry.text.endswith(text)), Complaint(text))


def _bad_value(found: list[Complaint], errors: Sequence[ServerError]) -> Complaint | None:
    """Return the first complaint about a row of a COPY whose value or form is bad."""
    for error in errors:
        if error.state.startswith(_BAD_VALUE) and error.own:
            complaint = _of(error, found)
            if complaint.where.startswith("COPY "):
                return complaint
    return None


def _bad(what: str, complaint: Complaint, found: list[Complaint]) -> BackupNotRestorable:
    return BackupNotRestorable(
        f"{what}: {complaint}{_further(found)}",
        hint="restore it by hand to see the whole message, then mend the backup.",
    )


def _error(
    what: str, entry: _Judged, judged: list[_Judged], found: list[Complaint]
) -> PgRestoreError:
    kind = BackupNotRestorable if entry.verdict == causes.BACKUP else HarnessError
    names = [name for other in judged if other.row is entry.row if (name := _name(other))]
    listed = ", ".join(dict.fromkeys(names))
    if entry.row.lacks and listed:
        problem = f"{what}: {entry.row.lacks} {listed}{_further(found, named=True)}"
    else:
        problem = f"{entry.row.prefix}{what}: {entry.complaint}{_further(found)}"
    return kind(problem, hint=entry.row.hint.replace("{0}", names[0] if names else "..."))


def _name(entry: _Judged) -> str:
    match = entry.row.pattern.search(entry.text[:_JUDGED_CHARACTERS])
    return next((group for group in match.groups() if group), "") if match else ""


def _further(found: list[Complaint], *, named: bool = False) -> str:
    more = len(found) - 1
    if more <= 0:
        return ""
    word = "error" if more == 1 else "errors"
    return f" (and {more} more {word})" if named else f"; and {more} further {word}"
