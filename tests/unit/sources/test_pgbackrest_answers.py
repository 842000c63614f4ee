"""pgBackRest's configuration, catalogue and errors: what it really printed, and what becomes of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.pgbackrest.catalogue import parse
from pytest_pgrestore.sources.pgbackrest.checks import pages, verified
from pytest_pgrestore.sources.pgbackrest.messages import explained, refused
from pytest_pgrestore.sources.pgbackrest.own_config import Repository, repositories
from pytest_pgrestore.system.process import Completed

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

CONFIG = """
[global]
repo1-path=/backups
repo1-bundle=y
# repo9-path=/nowhere
repo2-type=s3
repo2-s3-bucket=bucket
repo2-s3-endpoint=store.example
repo2-s3-key-secret=very secret = indeed
repo2-storage-ca-file=/etc/ca.pem
repo2-path=/shop

[global:restore]
repo1-path=/mirror

[main]
pg1-path=/data
"""

BACKUP = {
    "archive": {"start": "00000001000000000000000B", "stop": "00000001000000000000000B"},
    "backrest": {"format": 5, "version": "2.55.1"},
    "database": {"id": 1, "repo-key": 1},
    "error": False,
    "info": {
        "delta": 41216,
        "repository": {"delta": 1759, "delta-map": 28, "size-map": 18385},
        "size": 23233453,
    },
    "label": "20261123-052556F_20261123-052557D",
    "lsn": {"start": "0/B00028", "stop": "0/B00120"},
    "prior": "20261123-052556F",
    "reference": ["20261123-052556F"],
    "timestamp": {"start": 1795411557, "stop": 1795411558},
    "type": "diff",
}


def answer(status: tuple[int, str] = (0, "ok"), *backups: object) -> str:
    """Return what ``info --output=json`` prints."""
    code, message = status
    told = {"code": code, "message": message}
    return json.dumps(
        [
            {
                "archive": [{"database": {"id": 1, "repo-key": 1}, "id": "17-1"}],
                "backup": backups,
                "db": [{"id": 1, "repo-key": 1, "system-id": 7711233903222460439, "version": "17"}],
                "name": "main",
                "repo": [{"cipher": "none", "key": 1, "status": told}],
                "status": {**told, "lock": {"backup": {"held": True}}},
            }
        ]
    )


def test_the_repositories_of_a_configuration(tmp_path: Path) -> None:
    """Sections of the command beat the global one, variables beat the file; secrets stay out of addresses."""
    path = tmp_path / "pgbackrest.conf"
    path.write_text(CONFIG)

    first, second = repositories(
        path, "main", {"PGBACKREST_REPO2_S3_BUCKET": "other", "PGBACKREST_LOG_PATH": "/x"}
    )

    assert (first.number, first.path, first.remote, first.address) == (
        1,
        Path("/mirror"),
        False,
        "repo1: /mirror",
    )
    assert list(first.files()) == [Path("/mirror")]
    assert (second.kind, second.remote) == ("s3", True)
    assert second.address == "repo2: s3 store.example bucket other /shop"
    assert list(second.files()) == [Path("/etc/ca.pem")]


def test_a_repository_of_variables_alone() -> None:
    """Containers are often set up like that."""
    (only,) = repositories(
        None, "main", {"PGBACKREST_REPO1_PATH": "/r", "PGBACKREST_REPO1_HOST": "backup"}
    )

    assert (only.path, only.remote) == (Path("/r"), True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("repo1-path=/x\n", "is no configuration of pgBackRest"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str | None, said: str) -> None:
    """A sentence, and no stack of a parser."""
    path = tmp_path / "pgbackrest.conf"
    if text is not None:
        path.write_text(text)

    with pytest.raises(HarnessError, match=said):
        repositories(path, "main", {})


def test_an_entry_of_the_catalogue() -> None:
    """Everything an auditor asks for."""
    found = parse(answer((0, "ok"), BACKUP), "main", POSIX)

    (entry,) = found.entries
    backup = entry.backup
    assert (entry.archive, entry.start_file, entry.page_errors) == (
        "17-1",
        "00000001000000000000000B",
        False,
    )
    assert (backup.kind, backup.server_major, backup.timeline) == ("differential", 17, 1)
    assert (backup.start_lsn, backup.stop_lsn) == (Lsn(0xB00028), Lsn(0xB00120))
    assert backup.stopped_at == datetime(2026, 11, 23, 5, 25, 58, tzinfo=UTC)
    assert backup.chain == ("20261123-052556F",)
    assert (backup.size_bytes, backup.repository_bytes) == (23233453, 1759)
    assert (backup.system_identifier, backup.written_by) == (
        7711233903222460439,
        "pgBackRest 2.55.1",
    )
    assert found.locked


def test_a_stanza_without_backups_is_an_empty_catalogue() -> None:
    """The source says what that means."""
    assert parse(answer((2, "no valid backups")), "main", POSIX).entries == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (answer((1, "missing stanza path")), "stanza 'main' is not in repo1"),
        (answer((3, "missing stanza data")), "stanza 'main' is not in repo1"),
        (
            answer((99, "[PermissionError] unable to open: [13] Permission denied")),
            "may not be read by this user",
        ),
        ("[]", "is not understood"),
        ("not JSON", "is not understood"),
    ],
)
def test_a_catalogue_that_says_nothing(text: str, said: str) -> None:
    """`info` ends with status 0 all the same."""
    with pytest.raises(HarnessError, match=said):
        parse(text, "main", POSIX)


NOT_DECRYPTED = (
    "[FormatError] unable to load info file '/r/backup.info' or '/r/backup.info.copy':\n"
    "FormatError: key/value found outside of section at line 1: \\xd4W\nHINT: has a stanza-create been performed?"
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
            "[ProtocolError] HTTP request failed with 404 (Not Found):\n*** Response *** NoSuchBucket",
            "is not there",
        ),
        (
            "[CryptoError] unable to verify certificate presented by 'e:443': [19] self-signed",
            "is not trusted",
        ),
    ],
)
def test_a_store_that_does_not_let_us_in_is_no_bad_backup(message: str, cause: str) -> None:
    """Nothing was learned."""
    error = refused(message, OFFSITE)

    assert isinstance(error, HarnessError)
    assert cause in error.problem
    assert "repo2: s3 e bucket b /p" in error.problem


@pytest.mark.parametrize(
    ("text", "kind", "cause"),
    [
        (
            "ERROR: [055]: raised from local-2 protocol: unable to open missing file '/r/bundle/1' for read",
            BackupNotRestorable,
            "x: a file of the backup is missing from the repository: unable to open missing file '/r/bundle/1'",
        ),
        (
            "ERROR: [026]: raised from local-1 protocol: error: actual checksum 'd8' does not match expected checksum",
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
    """One sentence, the tool's own words at its end; what is not known could not verify."""
    error = explained(text, POSIX, "x")

    assert type(error) is kind
    assert cause in error.problem
    assert "\n" not in error.problem


@pytest.mark.parametrize(
    ("error", "about", "verdict", "said"),
    [
        (False, {}, "passed", "no page had a wrong checksum"),
        (
            True,
            {"error": True, "error-list": ["base/5/16389"]},
            "failed",
            "was taken: base/5/16389",
        ),
        (True, {"error": True}, "failed", "was taken"),
        (None, {}, "skipped", "did not look"),
    ],
)
def test_what_the_catalogue_says_of_pages(
    error: bool | None, about: dict[str, object], verdict: str, said: str
) -> None:
    """`info --set` names the files; status and exit status are 0 for a backup of damaged pages too."""
    entry = parse(answer((0, "ok"), {**BACKUP, "error": error}), "main", POSIX).entries[0]

    check = pages(entry, about)

    assert check.verdict.value == verdict
    assert said in check.message


VERIFIED = """stanza: main
status: {status}
  archiveId: 17-1, total WAL checked: 9, total valid WAL: 9
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: 20261123-052556F, status: {backup}, total files checked: 981, total valid files: {valid}
"""


@pytest.mark.parametrize(
    ("text", "status", "verdict"),
    [
        (VERIFIED.format(status="ok", backup="valid", valid=981), 0, "passed"),
        (VERIFIED.format(status="error", backup="invalid", valid=980), 0, "failed"),
        ("", 0, "could not verify"),
        (VERIFIED.format(status="ok", backup="valid", valid=981), 29, "could not verify"),
    ],
)
def test_what_verify_found(text: str, status: int, verdict: str) -> None:
    """Its text and its exit status must both say that all is well."""
    assert verified(Completed(("pgbackrest",), status, text, "")).verdict.value == verdict
