"""WAL-G's errors as one sentence and a verdict: bad backup, or nothing learned.

WAL-G logs to standard error, and the last ERROR line ends it. Source: WAL-G 3.0.9 as observed;
docs/walg.md lists the errors.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError
from pytest_pgrestore.sources.backup_tool import ends_of
from pytest_pgrestore.system.who_may_read import advice_in

if TYPE_CHECKING:
    from pytest_pgrestore.system.process import Completed

_ERROR = re.compile(r"(?:ERROR|FATAL): (?:\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d+ )?(.+)")
_DENIED = "permission denied"
_LONGEST = 300
"""Characters of WAL-G's text in a message."""

_NOT_LEARNED: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("x509", "certificate"),
        "the certificate of the store is not trusted",
        "name the authority that signed it in WALG_S3_CA_CERT_FILE, in `env`.",
    ),
    (
        ("NoSuchBucket", "bucket does not exist", "StatusCode: 404", "status code: 404"),
        "the bucket of the prefix is not there",
        "correct WALG_S3_PREFIX, WALG_GS_PREFIX or WALG_AZ_PREFIX in `env`, or in `config`.",
    ),
    (
        (
            "SignatureDoesNotMatch",
            "InvalidAccessKeyId",
            "AccessDenied",
            "ExpiredToken",
            "status code: 403",
            "Forbidden",
        ),
        "the store refused the credentials",
        "renew them, and pass their variables by name in `secrets`.",
    ),
    (
        ("connection refused", "no such host", "i/o timeout", "dial tcp", "network is unreachable"),
        "the store cannot be reached",
        "check AWS_ENDPOINT and the like, and the network of the tool (sandbox.tool_network).",
    ),
    (
        (
            "root directory doesn't exist",
            "Failed to find any configured storage",
            "configure primary storage",
        ),
        "the storage is not there or not configured",
        "correct WALG_FILE_PREFIX, WALG_S3_PREFIX or another prefix in `env`, or in `config`.",
    ),
    (
        ("openpgp", "crypter", "decrypt", "key ring", "keyring"),
        "the backup cannot be decrypted with the key that was given",
        (
            "name the private key that production's public key belongs to (WALG_PGP_KEY_PATH), and"
            " its passphrase."
        ),
    ),
    (
        ("no space left on device",),
        "no space is left on the device",
        "free the disk or set sandbox.directory to a larger one.",
    ),
    (
        (_DENIED,),
        "a file may not be read by this user",
        "run as a user who may read the storage.",
    ),
)
"""Signs in the output, cause and hint of errors from which nothing was learned.

The first match counts, so the order matters.
"""

_BAD: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        (
            "did not provide files",
            "does not exist",
            "no such file",
            "key does not exist",
            "object not found",
        ),
        "a part of it is missing",
    ),
    (
        (
            "corrupt",
            "lz4:",
            "lz4 ",
            "zstd",
            "checksum",
            "unexpected EOF",
            "invalid",
            "tar",
            "decompress",
        ),
        "a part of it is damaged",
    ),
)
"""Signs and cause of a bad backup, looked for after those above; the first match counts."""


def failed(done: Completed, what: str) -> PgRestoreError:
    """Return the error for a command that failed.

    Args:
        done: The command with its output.
        what: The consequence, as in ``backup base_0001 was not fetched``.
    """
    text = ends_of(done.stderr + done.stdout)
    error = _first_error(text)
    for signs, cause, hint in _NOT_LEARNED:
        if any(sign.lower() in text.lower() for sign in signs):
            if _DENIED in signs:
                hint = advice_in(error, hint)  # noqa: PLW2901 - of this match alone
            return HarnessError(f"{what}: {cause}: {error}", hint=hint)
    for signs, cause in _BAD:
        if any(sign.lower() in text.lower() for sign in signs):
            return BackupNotRestorable(
                f"{what}: {cause}: {error}",
                hint="restore it from another copy of the storage, or take a new full backup.",
            )
    return HarnessError(f"{what}: {error}", hint="read the saved log of WAL-G.")


def _first_error(text: str) -> str:
    """Return the first error of the log: its printable letters, at most `_LONGEST`."""
    match = _ERROR.search(text)
    line = match[1] if match else next(iter(text.strip().splitlines()), "no reason given")
    return "".join(letter for letter in line if letter.isprintable())[:_LONGEST]
