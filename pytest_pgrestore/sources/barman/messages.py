"""Barman's errors as one sentence and a verdict: bad backup, or nothing learned.

Barman ends with status 1 for every error. It prints the messages of rsync, tar, PostgreSQL's
programs and stores. docs/barman.md lists errors that were observed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError
from pytest_pgrestore.sources.backup_tool import ends_of

if TYPE_CHECKING:
    from pytest_pgrestore.system.process import Completed

UNKNOWN_INTERFACE = "has code that this plugin does not know"
"""Part of the error of our programs for Barman's Python if its code is not as they expect."""

NO_PROGRAM = "there is no program"
NO_PYTHON = "the first line names no Python:"
"""Part of the errors of the shell script that looks for Barman's Python."""

_LONGEST = 300
"""Characters of Barman's text in a message."""

_LOGGED = re.compile(
    r"^\d{4}-\d\d-\d\d [\d:,]+ (?:\[\d+\] )?\S+ (?:DEBUG|INFO|WARNING|ERROR|CRITICAL): "
)
_ERROR = re.compile(r"(?:ERROR|EXCEPTION|exception|CRITICAL|FATAL|error):", re.IGNORECASE)


class _Sign(NamedTuple):
    """Meaning of an error."""

    patterns: tuple[str, ...]
    cause: str
    hint: str

    def stands_in(self, text: str) -> bool:
        """Return whether one of the patterns is in `text`."""
        return any(re.search(pattern, text, re.IGNORECASE) for pattern in self.patterns)


_NOT_LEARNED = (
    _Sign(
        (NO_PROGRAM,),
        "barman-cloud is not installed",
        "install the package barman-cli-cloud (barman alone does not have it): here, or in"
        " sandbox.packages; or name its path in `program`.",
    ),
    _Sign(
        (NO_PYTHON,),
        "this is a wrapper and not barman-cloud itself",
        "name the directory of barman-cloud's own programs in `program`.",
    ),
    _Sign(
        (UNKNOWN_INTERFACE,),
        "this version of barman-cloud is not known",
        "name a version of docs/barman.md in `program`, and report the message: the backup may be"
        " good.",
    ),
    _Sign(
        ("No space left on device",),
        "no space is left on the device",
        "free the disk or set sandbox.directory to a larger one.",
    ),
    _Sign(
        (r"SSL validation failed[^\n]*No such file", "Could not find a suitable TLS CA"),
        "the file of the store's authority is not there",
        "correct AWS_CA_BUNDLE in `env`; in a container only files named in `env` can be seen.",
    ),
    _Sign(
        (
            "certificate verify failed",
            "CERTIFICATE_VERIFY_FAILED",
            "SSL validation failed",
            "invalid path: .*ca",
        ),
        "the certificate of the store is not trusted",
        "name the file of the authority that signed it as AWS_CA_BUNDLE in `env`.",
    ),
    _Sign(
        (
            "Unable to locate credentials",
            "NoCredentialsError",
            "Partial credentials",
            "could not be found: profile",
        ),
        "there are no credentials for the store",
        "pass their variables by name in `secrets`, e.g. AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY.",
    ),
    _Sign(
        (
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "AccessDenied",
            "ExpiredToken",
            "InvalidToken",
            "AuthenticationFailed",
            r"\(40[013]\)",
            "Forbidden",
            "AuthorizationFailure",
        ),
        "the store refused the credentials",
        "renew them, and pass their variables by name in `secrets`.",
    ),
    _Sign(
        ("Bucket .* does not exist", "NoSuchBucket", "ContainerNotFound"),
        "the bucket or container is not there",
        "correct `url`.",
    ),
    _Sign(
        (
            "Could not connect to the endpoint",
            "EndpointConnectionError",
            "Connect timeout",
            "Connection refused",
            "Can't connect to cloud provider",
            "Name or service not known",
            "Read timeout",
        ),
        "the store cannot be reached",
        "check `endpoint_url`, and the network of the tool (sandbox.tool_network).",
    ),
    _Sign(
        (
            "No module named",
            "module not found",
            "ModuleNotFoundError",
            "requires .* library",
            "not installed",
        ),
        "a Python package that Barman needs for this store or compression is missing",
        "add it to sandbox.packages, or install it beside Barman on this machine.",
    ),
    _Sign(
        (
            r"\b(?:zstd|lz4|bzip2|xz|pigz|gzip|gpg|rsync|tar)\b[^\n]*: not found",
            r"\b(?:pg_combinebackup|pg_verifybackup)\b[^\n]*: not found",
            r"\b(?:zstd|lz4|bzip2|xz|pigz|gzip|gpg|rsync|tar): Cannot exec",
            "command not found",
            "could not be (?:found|identified)",
            "pg_combinebackup[^\n]*(?:not installed|missing|No such file)",
        ),
        "a program that Barman needs is missing",
        "add its package to sandbox.packages, or install it on this machine.",
    ),
    _Sign(
        ("Read-only file system",),
        "Barman wants to write where it may not",
        "please report it with the saved logs: a drill only reads.",
    ),
    _Sign(
        ("Permission denied", "Operation not permitted"),
        "a file may not be read by this user",
        "run as a user who may read Barman's home.",
    ),
    _Sign(
        ("is locked", "Another .* is (?:running|in progress)", "LockFileBusy", "lock.*busy"),
        "Barman is busy with this backup",
        "wait until it has ended.",
    ),
    _Sign(
        ("unrecognized arguments", "invalid choice", "unsupported backup", "Unknown backup"),
        "this Barman is older than the one that wrote the backup",
        "use production's version of Barman: another image, or `program`.",
    ),
)
"""Errors from which nothing was learned. The first match counts, so the order matters."""

_BAD = (
    _Sign(
        ("could not open .*incremental|pg_combinebackup|Combine action failure",),
        "its chain of incremental backups does not combine",
        "a full backup and every incremental one after it are needed, unchanged: take a new full"
        " backup.",
    ),
    _Sign(
        (
            "unexpected end of file",
            "unexpected EOF",
            "crc error",
            "not in gzip format",
            "invalid compressed data",
            "Child returned status",
            "does not look like a tar",
            "corrupted",
            "checksum",
            "Decoding error",
            "Error -3",
            "Compressed file ended",
            "Not a gzipped file",
            "CRC check failed",
            "unexpected end of data",
            "premature end",
            "Error decompressing",
            "Skipping to next header",
        ),
        "a file of the backup is damaged",
        "compare it with another copy, or take a new backup.",
    ),
    _Sign(
        (
            "No such file or directory",
            "does not exist",
            "NoSuchKey",
            r"\(404\)",
            "code 23",
            "Missing file",
            "not found in the cloud",
            "missing .*file",
            "Cannot find",
        ),
        "a file of the backup is missing",
        "restore it from another copy, or take a new backup.",
    ),
)
"""Errors of a bad backup, looked for after those above; the first match counts."""


def failed(done: Completed, place: str, what: str) -> PgRestoreError:
    """Return the error for a command that failed.

    Args:
        done: The command with its output.
        place: Path or address of the backups.
        what: The consequence, as in ``backup 20261123T054846 was not restored``.
    """
    text = ends_of(f"{done.stderr}\n{done.stdout}")
    said = cause_in(text)
    for sign in _NOT_LEARNED:
        if sign.stands_in(text):
            return HarnessError(f"{what}: {sign.cause} ({place}): {said}", hint=sign.hint)
    for sign in _BAD:
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
