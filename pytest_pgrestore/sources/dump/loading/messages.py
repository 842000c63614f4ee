"""What psql and pg_restore complain about, without row values or passwords, and who is to blame for it.

Messages are English because the tools run with LC_MESSAGES=C.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 300
"""Characters kept of one message: a cause fits, a statement that was quoted does not."""

_FIRST_LINE = re.compile(
    r"^(?:psql|pg_restore)(?::<stdin>:(?P<line>\d+))?: (?P<level>error|ERROR|FATAL|PANIC|fatal|warning): +(?P<text>.*)$"
)
_SERVER_LINE = re.compile(r"^(?:ERROR|FATAL|PANIC): +(?P<text>.*)$")
_SERVER_PART = re.compile(r"^(?P<outer>.*?)(?:ERROR|FATAL|PANIC): +(?P<inner>.*)$")
_COPY_CONTEXT = re.compile(r"^CONTEXT: +COPY (?P<table>\"[^\"]+\"|[^,\s]+), line (?P<line>\d+)")
_IGNORED = re.compile(r"errors ignored on restore: (\d+)")
_SECRET = re.compile(r"(password\s*=?\s*).*", re.IGNORECASE | re.DOTALL)
_CONNINFO = re.compile(r"\bCONNECTION\s+'.*", re.DOTALL)
# `invalid input syntax for type integer: "<value>"`, `value "<value>" is out of range`, `...: 0xe9 0x20`
_QUOTED_VALUE = re.compile(
    r"""(: )(?:".*"|0x[0-9a-f]{2}.*)$|(\bvalue )".*"(?= is out of range| for )""", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One error of a tool."""

    text: str
    where: str = ""

    def __str__(self) -> str:
        """Return the message, and where it arose."""
        return f"{self.text} ({self.where})" if self.where else self.text


def redact(text: str) -> str:
    """Return `text` without row values, without what follows the word PASSWORD, and not too long."""
    text = _SECRET.sub(r"\1***", _CONNINFO.sub("CONNECTION ***", text))
    text = _QUOTED_VALUE.sub(lambda match: f"{match[1] or match[2]}(not shown)", text)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def complaints(stderr: str) -> list[Complaint]:
    """Return every error in what a tool printed, in order; warnings and notices are none.

    DETAIL, STATEMENT and the like are dropped, because they quote rows; of a COPY's context the table and the line
    are kept.
    """
    found: list[Complaint] = []
    for text in stderr.splitlines():
        match = _FIRST_LINE.match(text) or _SERVER_LINE.match(text)
        if match is not None:
            groups = match.groupdict()
            if groups.get("level") != "warning":
                line = groups.get("line")
                found.append(Complaint(_one(groups["text"]), f"line {line}" if line else ""))
            continue
        context = _COPY_CONTEXT.match(text)
        if context is not None and found:
            found[-1] = Complaint(
                found[-1].text, f"COPY {context['table']}, line {context['line']}"
            )
    return found


def ignored(stderr: str) -> int:
    """Return how many errors pg_restore says it ignored."""
    match = _IGNORED.search(stderr)
    return int(match[1]) if match else 0


def blame(what: str, found: list[Complaint]) -> PgRestoreError:
    """Return the error that stands for `found`: the first cause on top, how many more there are.

    A cause in the sandbox beats one in the backup: whatever else went wrong may be its consequence.

    Args:
        what: The file and the tool, e.g. ``pg_restore of /backups/shop.dump``.
        found: What the tool complained about; must not be empty.
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
    """Return the roles the messages say do not exist, in order."""
    return list(
        dict.fromkeys(match[1] for entry in found if (match := _NO_ROLE.search(entry.text)))
    )


def roles_missing(what: str, roles: list[str]) -> BackupNotRestorable:
    """Return the finding that the dump needs roles that nothing makes."""
    listed = ", ".join(roles)
    return BackupNotRestorable(
        f"{what} needs {'the role' if len(roles) == 1 else 'the roles'} {listed},"
        f" and {'nothing makes it' if len(roles) == 1 else 'nothing makes them'}",
        hint='add globals = "..." (output of pg_dumpall --globals-only) to the source, or owners = false.',
    )


def extensions_missing(what: str, names: list[str]) -> HarnessError:
    """Return the finding that the server's programs lack extensions: the backup is not to blame."""
    listed = ", ".join(names)
    return HarnessError(
        f"{what} needs {'the extension' if len(names) == 1 else 'the extensions'} {listed},"
        " which the PostgreSQL programs used here do not have",
        hint="install the extension's package for that PostgreSQL, or set sandbox.bindir to a server that has it.",
    )


@dataclass(frozen=True, slots=True)
class _Cause:
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


_CAUSES = (
    _Cause(
        re.compile(r"No space left on device|disk full|Disk quota exceeded"),
        HarnessError,
        "free the disk or set sandbox.directory to a larger one.",
    ),
    _Cause(
        _NO_EXTENSION,
        HarnessError,
        "install the extension's package for that PostgreSQL, or set sandbox.bindir to a server that has it.",
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
        "the dump was made by a newer pg_dump: install that PostgreSQL version, or name it in sandbox.bindir.",
    ),
    _Cause(
        re.compile(r"invalid command \\(?:un)?restrict"),
        HarnessError,
        "the dump was made by a newer minor version: update the PostgreSQL programs used here.",
    ),
    _Cause(
        re.compile(r"unrecognized configuration parameter"),
        HarnessError,
        "the dump sets what these PostgreSQL programs do not know: use its own major version, with its extensions.",
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
            r"terminating connection|server closed the connection|connection to server .* failed|out of memory"
        ),
        HarnessError,
        "read the saved server log: the sandbox's server ended or refused.",
    ),
    _Cause(
        _NO_ROLE,
        BackupNotRestorable,
        'add globals = "..." (output of pg_dumpall --globals-only) to the source, or owners = false.',
    ),
    _Cause(
        re.compile(r'tablespace "(.*?)" does not exist'),
        BackupNotRestorable,
        'add globals = "..." (output of pg_dumpall --globals-only), which makes the tablespaces inside the sandbox.',
    ),
    _Cause(
        re.compile(
            r"end of file|unexpected end|could not read|could not find block|could not uncompress|could not decompress"
            r"|corrupt|did not find magic|valid archive|checksum"
        ),
        BackupNotRestorable,
        "find out where pg_dump or the copy of its file was interrupted.",
        prefix="the dump is cut short or damaged: ",
    ),
)


def _cause(text: str) -> _Cause | None:
    return next((cause for cause in _CAUSES if cause.pattern.search(text)), None)


def _one(text: str) -> str:
    """Return the server's own words of a message that pg_restore or psql wrapped."""
    match = _SERVER_PART.match(text)
    if match is None:
        return redact(text)
    outer = match["outer"].strip().rstrip(":")
    inner = redact(match["inner"])
    return inner if outer in {"", "could not execute query"} else f"{redact(outer)}: {inner}"


def _further(found: list[Complaint], *, named: bool = False) -> str:
    more = len(found) - 1
    if more <= 0:
        return ""
    word = "error" if more == 1 else "errors"
    return f" (and {more} more {word})" if named else f"; and {more} further {word}"
