"""pgBackRest's errors as one sentence and a verdict: bad backup, or nothing learned.

Every error has a code and one or more names, as in ``ERROR: [055]: unable to open missing file``.
Retries print it again. Source: pgBackRest, src/build/error/error.yaml; docs/pgbackrest.md lists
errors that were observed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError
from pytest_pgrestore.sources.backup_tool import ends_of
from pytest_pgrestore.system.who_may_read import advice_in

if TYPE_CHECKING:
    from pytest_pgrestore.sources.pgbackrest.own_config import Repository
    from pytest_pgrestore.system.process import Completed

_ERROR = re.compile(r"ERROR: \[(\d{3})\]: (.*)")
_RAISED = re.compile(r"^raised from \S+ protocol: ")
"""Prefix of an error that a worker process passes on."""

_DENIED = "Permission denied"
_LONGEST = 300
"""Characters of pgBackRest's text in a message."""


class _Sign(NamedTuple):
    """Meaning of an error from which nothing was learned about the backup."""

    patterns: tuple[str, ...]
    cause: str
    hint: str

    def stands_in(self, text: str) -> bool:
        """Return whether one of the patterns is in `text`."""
        return any(re.search(pattern, text, re.IGNORECASE | re.DOTALL) for pattern in self.patterns)


_NOT_LEARNED = (
    _Sign(
        ("certificate", "TLS error", "SSL"),
        "the certificate of the store is not trusted",
        "name the authority that signed it in repoN-storage-ca-file.",
    ),
    _Sign(
        ("requires option",),
        "a setting is missing that production gives elsewhere",
        "pass it on: its variable (PGBACKREST_...) by name in `secrets`, or with its value in"
        " `env`.",
    ),
    _Sign(
        ("NoSuchBucket", r"404 \(Not Found\)", "ContainerNotFound"),
        "the bucket or container of the repository is not there",
        "correct its name in the configuration.",
    ),
    _Sign(
        (
            r"40[013] \(",
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "AccessDenied",
            "AuthenticationFailed",
            "ExpiredToken",
            "public key authentication failed",
        ),
        "the store refused the credentials",
        "renew them, and pass their variables by name in `secrets`.",
    ),
    _Sign(
        (
            "HostConnectError",
            "unable to get address",
            "unable to connect",
            "Connection refused",
            "timeout (?:connecting|waiting)",
            "known_hosts",
            "host key",
            "fingerprint",
            "handshake",
        ),
        "the repository cannot be reached",
        "check its address, and the network of the tool (sandbox.tool_network).",
    ),
    _Sign(
        (
            r"\[075\]: no backup set found",
            "unable to load info file .*(?:FormatError|CryptoError)",
            "cipher header invalid",
            "key/value found outside of section",
        ),
        "its catalogue cannot be read: the passphrase is wrong, or the catalogue damaged",
        "compare repoN-cipher-pass with the one production uses; keep it where a drill can get it.",
    ),
    _Sign(
        (
            "invalid PostgreSQL version",
            "unexpected (?:control|catalog) version",
            "is this version of PostgreSQL supp",
        ),
        "this pgBackRest is too old for the backup's PostgreSQL",
        "use a newer pgBackRest: another image, or `program`.",
    ),
    _Sign(
        (r"expected format \d+ but found", r"\[031\]: invalid option"),
        "the repository was written by a newer pgBackRest than this one",
        "use production's version of pgBackRest: another image, or `program`.",
    ),
    _Sign(
        (_DENIED,),
        "a file of the repository or the configuration may not be read by this user",
        "run as a user who may read the repository.",
    ),
    _Sign(
        ("No space left on device",),
        "no space is left on the device",
        "free the disk or set sandbox.directory to a larger one.",
    ),
    _Sign(
        ("unable to acquire lock", "stop file exists"),
        "pgBackRest is locked or stopped here",
        "wait until it has ended, or run `pgbackrest start`.",
    ),
)
"""The first match counts, so the order matters."""

_BAD: tuple[tuple[str, str], ...] = (
    (
        r"unable to open missing file|FileMissingError",
        "a file of the backup is missing from the repository",
    ),
    (
        r"does not match expected checksum|ChecksumError",
        "a file of the backup has another checksum than its manifest",
    ),
    (r"duplicates found", "two different files claim to be the same WAL segment"),
    (
        (
            r"unable to flush|CryptoError|zlib|lz4|zstd?\b|bz2|FormatError"
            r"|unexpected eof|checksum|data error|size"
        ),
        "a file of the repository is damaged",
    ),
)
"""Patterns and causes of a bad backup, looked for after those above; the first match counts."""


def refused(message: str, repository: Repository) -> PgRestoreError:
    """Return the error for a catalogue that could not be read.

    Args:
        message: Message of the status that ``info`` reports.
        repository: The repository.
    """
    message = ends_of(message)
    for sign in _NOT_LEARNED:
        if sign.stands_in(message):
            hint = _hint(sign, message, repository)
            return HarnessError(f"{sign.cause} ({repository.address})", hint=hint)
    return HarnessError(
        f"pgBackRest cannot read {repository.address}: {_first(message)}",
        hint="read the saved log.",
    )


def failed(done: Completed, repository: Repository, what: str) -> PgRestoreError:
    """Return the error for a command that failed.

    Args:
        done: The command with its output.
        repository: The repository that it read.
        what: The consequence, as in ``backup 20261123-052556F was not restored``.
    """
    return explained(done.stdout + done.stderr, repository, what)


def explained(text: str, repository: Repository, what: str) -> PgRestoreError:
    """Return the error for pgBackRest's output `text`; the other arguments as of `failed`."""
    text = ends_of(text)
    match = _ERROR.search(text)
    said = _RAISED.sub("", _first(match[2] if match else text))
    for meaning in _NOT_LEARNED:
        if meaning.stands_in(text):
            return HarnessError(
                f"{what}: {meaning.cause} ({repository.address}): {said}",
                hint=_hint(meaning, text, repository),
            )
    for sign, cause in _BAD:
        if re.search(sign, text):
            return BackupNotRestorable(
                f"{what}: {cause}: {said}",
                hint="restore that file of the repository from another copy, or take a new full"
                " backup; `pgbackrest verify` lists what else is wrong.",
            )
    return HarnessError(f"{what}: {said}", hint="read the saved log of pgBackRest.")


def _hint(sign: _Sign, text: str, repository: Repository) -> str:
    """Return the hint of a sign; for a file of this machine, who may read it."""
    if repository.remote or _DENIED not in sign.patterns:
        return sign.hint
    return advice_in(text, sign.hint)


def _first(text: str) -> str:
    """Return the printable letters of the first line, at most `_LONGEST`."""
    line = next(iter(text.strip().splitlines()), "no reason given")
    return "".join(letter for letter in line if letter.isprintable())[:_LONGEST]
