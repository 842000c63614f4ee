"""What Barman's messages mean: a bad backup, or nothing learned."""

from __future__ import annotations

import re
from typing import NamedTuple

UNKNOWN_INTERFACE = "has code that this plugin does not know"
"""Part of the error of our programs for Barman's Python if its code is not as they expect."""

NO_PROGRAM = "there is no program"
NO_PYTHON = "the first line names no Python:"
"""Part of the errors of the shell script that looks for Barman's Python."""


class Sign(NamedTuple):
    """Meaning of an error."""

    patterns: tuple[str, ...]
    cause: str
    hint: str

    def stands_in(self, text: str) -> bool:
        """Return whether one of the patterns is in `text`."""
        return any(re.search(pattern, text, re.IGNORECASE) for pattern in self.patterns)


NOT_LEARNED = (
    Sign(
        (NO_PROGRAM,),
        "barman-cloud is not installed",
        "install the package barman-cli-cloud (barman alone does not have it): here, or in"
        " sandbox.packages; or name its path in `program`.",
    ),
    Sign(
        (NO_PYTHON,),
        "this is a wrapper and not barman-cloud itself",
        "name the directory of barman-cloud's own programs in `program`.",
    ),
    Sign(
        (UNKNOWN_INTERFACE,),
        "this version of barman-cloud is not known",
        "name a version of docs/barman.md in `program`, and report the message: the backup may be"
        " good.",
    ),
    Sign(
        ("No space left on device",),
        "no space is left on the device",
        "free the disk or set sandbox.directory to a larger one.",
    ),
    Sign(
        (r"SSL validation failed[^\n]*No such file", "Could not find a suitable TLS CA"),
        "the file of the store's authority is not there",
        "correct AWS_CA_BUNDLE in `env`; in a container only files named in `env` can be seen.",
    ),
    Sign(
        (
            "certificate verify failed",
            "CERTIFICATE_VERIFY_FAILED",
            "SSL validation failed",
            "invalid path: .*ca",
        ),
        "the certificate of the store is not trusted",
        "name the file of the authority that signed it as AWS_CA_BUNDLE in `env`.",
    ),
    Sign(
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
    Sign(
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
    Sign(
        ("Bucket .* does not exist", "NoSuchBucket", "ContainerNotFound"),
        "the bucket or container is not there",
        "correct `url`.",
    ),
    Sign(
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
    Sign(
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
    Sign(
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
    Sign(
        (
            "gpg: [^\n]*decryption failed",
            "No secret key",
            "(?:Bad|No) passphrase",
            "encryption_passphrase_command",
        ),
        "it is encrypted, and the key does not decrypt it here",
        "give the user who runs pytest the private key (in ~/.gnupg), and Barman's configuration"
        " its encryption_passphrase_command.",
    ),
    Sign(
        ("Read-only file system",),
        "Barman wants to write where it may not",
        "please report it with the saved logs: a drill only reads.",
    ),
    Sign(
        ("Permission denied", "Operation not permitted"),
        "a file may not be read by this user",
        "run as a user who may read Barman's home.",
    ),
    Sign(
        ("is locked", "Another .* is (?:running|in progress)", "LockFileBusy", "lock.*busy"),
        "Barman is busy with this backup",
        "wait until it has ended.",
    ),
    Sign(
        ("unrecognized arguments", "invalid choice", "unsupported backup", "Unknown backup"),
        "this Barman is older than the one that wrote the backup",
        "use production's version of Barman: another image, or `program`.",
    ),
)
"""Errors from which nothing was learned. The first match counts, so the order matters."""

BAD = (
    Sign(
        ("could not open .*incremental|pg_combinebackup|Combine action failure",),
        "its chain of incremental backups does not combine",
        "a full backup and every incremental one after it are needed, unchanged: take a new full"
        " backup.",
    ),
    Sign(
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
    Sign(
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
