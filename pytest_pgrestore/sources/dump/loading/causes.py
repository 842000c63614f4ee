"""Causes of errors while a dump is loaded: the backup's fault or the sandbox's, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.sources.dump.loading.messages import Complaint

_ADD_GLOBALS = (
    'add globals = "..." (output of pg_dumpall --globals-only) to the source, or owners = false.'
)
_INSTALL_EXTENSION = (
    "install the extension's package for that PostgreSQL, or set sandbox.bindir to a server that"
    " has it."
)


def blame(what: str, found: list[Complaint]) -> PgRestoreError:
    """Return the error that `found` stands for: the first cause, and the number of other errors.

    A cause in the sandbox comes before one in the backup, because all other errors may be its
    consequences.

    Args:
        what: The tool and its file, for example ``pg_restore, shop.dump``.
        found: The errors of the tool, at least one.
    """
    for kind in (HarnessError, BackupNotRestorable):
        for complaint in found:
            cause = _cause(complaint.text)
            if cause is not None and cause.kind is kind:
                named = cause.name(found) if cause.name else ""
                problem = f"{what}: {named or complaint}{_further(found, named=bool(named))}"
                return kind(cause.prefix + problem, hint=cause.hint)
    return BackupNotRestorable(
        f"{what}: {found[0]}{_further(found)}",
        hint="restore it by hand to see the whole message, then mend the backup.",
    )


def missing_roles(found: list[Complaint]) -> list[str]:
    """Return the roles that do not exist according to the messages, in order."""
    return list(
        dict.fromkeys(match[1] for entry in found if (match := _NO_ROLE.search(entry.text)))
    )


def roles_missing(what: str, roles: list[str]) -> BackupNotRestorable:
    """Return the error for a dump that needs roles which are in no file."""
    listed = ", ".join(roles)
    return BackupNotRestorable(
        f"{what} needs {'the role' if len(roles) == 1 else 'the roles'} {listed},"
        f" and {'nothing makes it' if len(roles) == 1 else 'nothing makes them'}",
        hint=_ADD_GLOBALS,
    )


def extensions_missing(what: str, names: list[str]) -> HarnessError:
    """Return the error for PostgreSQL programs without extensions that a dump needs."""
    listed = ", ".join(names)
    return HarnessError(
        f"{what} needs {'the extension' if len(names) == 1 else 'the extensions'} {listed},"
        " which the PostgreSQL programs used here do not have",
        hint=_INSTALL_EXTENSION,
    )


@dataclass(frozen=True, slots=True)
class _Cause:
    """A known cause of errors.

    Attributes:
        pattern: Part of the message.
        kind: Class of the error; it says whose fault it is.
        hint: What to do.
        name: Returns the cause from all errors, instead of the first message.
        prefix: Words before the message.
    """

    pattern: re.Pattern[str]
    kind: type[PgRestoreError]
    hint: str
    name: Callable[[list[Complaint]], str] | None = None
    prefix: str = ""


_NO_ROLE = re.compile(r'role "(.*?)" does not exist')
_NO_EXTENSION = re.compile(
    r'extension "(.*?)" is not available|extension control file ".*/(.*?)\.control"'
)


def _named_extensions(found: list[Complaint]) -> str:
    names = [match[1] or match[2] for entry in found if (match := _NO_EXTENSION.search(entry.text))]
    return f"the PostgreSQL programs used here lack the extension {', '.join(dict.fromkeys(names))}"


# Sandbox causes: SQLSTATE class 53, missing packages, programs that are too old, a lost server.
_CAUSES = (
    _Cause(
        re.compile(r"No space left on device|disk full|Disk quota exceeded"),
        HarnessError,
        "free the disk or set sandbox.directory to a larger one.",
    ),
    _Cause(
        _NO_EXTENSION,
        HarnessError,
        _INSTALL_EXTENSION,
        _named_extensions,
    ),
    _Cause(
        re.compile(r"could not access file \"|could not load library"),
        HarnessError,
        "install the package that has this library, or set sandbox.bindir to a server that has it.",
    ),
    _Cause(
        re.compile(
            r"not supported by this build|does not support compression|this build does not support"
        ),
        HarnessError,
        "set sandbox.bindir to PostgreSQL programs built with that compression.",
    ),
    _Cause(
        re.compile(r"unsupported version \("),
        HarnessError,
        "the dump was made by a newer pg_dump: install that PostgreSQL version, or name it in"
        " sandbox.bindir.",
    ),
    _Cause(
        re.compile(r"invalid command \\(?:un)?restrict"),
        HarnessError,
        "the dump was made by a newer minor version: update the PostgreSQL programs used here.",
    ),
    _Cause(
        re.compile(r"backslash commands are restricted"),
        HarnessError,
        "the dump hides a psql command, which could run programs on this machine: find out who"
        " wrote it.",
        prefix="psql refused a command: ",
    ),
    _Cause(
        re.compile(r"unrecognized configuration parameter"),
        HarnessError,
        "the dump sets what these PostgreSQL programs do not know: use its own major version, with"
        " its extensions.",
    ),
    _Cause(
        re.compile(
            r"could not open (?:input|output|TOC) file .*: Permission denied|Permission denied$"
        ),
        HarnessError,
        "run the drill as a user who may read the backup.",
    ),
    _Cause(
        re.compile(
            r"terminating connection|server closed the connection"
            r"|connection to server .* failed|out of memory"
        ),
        HarnessError,
        "read the saved server log: the sandbox's server ended or refused.",
    ),
    _Cause(
        _NO_ROLE,
        BackupNotRestorable,
        _ADD_GLOBALS,
    ),
    _Cause(
        re.compile(r'tablespace "(.*?)" does not exist'),
        BackupNotRestorable,
        'add globals = "..." (output of pg_dumpall --globals-only), which makes the tablespaces'
        " inside the sandbox.",
    ),
    _Cause(
        re.compile(
            r"end of file|unexpected end|could not read|could not find block|could not uncompress"
            r"|could not decompress|corrupt|did not find magic|valid archive|checksum"
        ),
        BackupNotRestorable,
        "find out where pg_dump or the copy of its file was interrupted.",
        prefix="the dump is cut short or damaged: ",
    ),
)


def _cause(text: str) -> _Cause | None:
    return next((cause for cause in _CAUSES if cause.pattern.search(text)), None)


def _further(found: list[Complaint], *, named: bool = False) -> str:
    more = len(found) - 1
    if more <= 0:
        return ""
    word = "error" if more == 1 else "errors"
    return f" (and {more} more {word})" if named else f"; and {more} further {word}"
