"""pgBackRest's errors, as printed, and the verdict of each."""

from __future__ import annotations

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.pgbackrest.messages import explained, refused
from pytest_pgrestore.sources.pgbackrest.own_config import Repository

POSIX = Repository(1, {"path": "/backups"})
OFFSITE = Repository(
    2,
    {
        "type": "s3",
        "s3-bucket": "b",
        "s3-endpoint": "e",
        "path": "/p",
        "cipher-type": "aes-256-cbc",
    },
)

NOT_DECRYPTED = (
    "[FormatError] unable to load info file '/r/backup.info' or '/r/backup.info.copy':\n"
    "FormatError: key/value found outside of section at line 1: \\xd4W\n"
    "HINT: has a stanza-create been performed?"
)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (NOT_DECRYPTED, "the passphrase is wrong"),
        (
            "[HostConnectError] unable to get address for 'b.e': [-2] Name or service not known",
            "cannot be reached",
        ),
        ("[ProtocolError] HTTP request failed with 403 (Forbidden)", "refused the credentials"),
        (
            (
                "[ProtocolError] HTTP request failed with 404 (Not Found):\n"
                "*** Response *** NoSuchBucket"
            ),
            "is not there",
        ),
        (
            "[CryptoError] unable to verify certificate presented by 'e:443': [19] self-signed",
            "is not trusted",
        ),
    ],
)
def test_a_store_that_does_not_let_us_in_is_no_bad_backup(message: str, cause: str) -> None:
    """Nothing was learned about the backup."""
    error = refused(message, OFFSITE)

    assert isinstance(error, HarnessError)
    assert cause in error.problem
    assert "repo2: s3 e bucket b /p" in error.problem


@pytest.mark.parametrize(
    ("text", "kind", "cause"),
    [
        (
            (
                "ERROR: [055]: raised from local-2 protocol:"
                " unable to open missing file '/r/bundle/1' for read"
            ),
            BackupNotRestorable,
            (
                "x: a file of the backup is missing from the repository:"
                " unable to open missing file '/r/bundle/1'"
            ),
        ),
        (
            (
                "ERROR: [026]: raised from local-1 protocol:"
                " error: actual checksum 'd8' does not match expected checksum"
            ),
            BackupNotRestorable,
            "another checksum than its manifest",
        ),
        (
            "ERROR: [095]: raised from local-1 protocol: unable to flush",
            BackupNotRestorable,
            "is damaged",
        ),
        (
            "ERROR: [045]: duplicates found for WAL segment 000000010000000000000010:",
            BackupNotRestorable,
            "two different files",
        ),
        (
            "ERROR: [046]: invalid PostgreSQL version 170000",
            HarnessError,
            "too old for the backup's PostgreSQL",
        ),
        (
            "ERROR: [040]: unable to restore to path '/d' because it contains files",
            HarnessError,
            "x: unable to restore",
        ),
        ("", HarnessError, "x: no reason given"),
    ],
)
def test_an_error_of_a_restore(text: str, kind: type[Exception], cause: str) -> None:
    """It becomes one sentence that ends with the tool's own words."""
    error = explained(text, POSIX, "x")

    assert type(error) is kind
    assert cause in error.problem
    assert "\n" not in error.problem
