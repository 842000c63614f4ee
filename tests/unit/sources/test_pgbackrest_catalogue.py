"""pgBackRest's catalogue and checks, from text that it printed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.pgbackrest.catalogue import parse
from pytest_pgrestore.sources.pgbackrest.checks import pages, verified
from pytest_pgrestore.sources.pgbackrest.entries import Cluster, Details
from pytest_pgrestore.sources.pgbackrest.own_config import Repository
from pytest_pgrestore.system.process import Completed

POSIX = Repository(1, {"path": "/backups"})
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
    status_of = {"code": code, "message": message}
    return json.dumps(
        [
            {
                "archive": [{"database": {"id": 1, "repo-key": 1}, "id": "17-1"}],
                "backup": backups,
                "db": [{"id": 1, "repo-key": 1, "system-id": 7711233903222460439, "version": "17"}],
                "name": "main",
                "repo": [{"cipher": "none", "key": 1, "status": status_of}],
                "status": {**status_of, "lock": {"backup": {"held": True}}},
            }
        ]
    )


def test_an_entry_of_the_catalogue() -> None:
    """It has every value that the evidence shows."""
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


def test_a_backup_of_a_stopped_server() -> None:
    """Of such a backup the catalogue has no position."""
    offline = {**BACKUP, "archive": {"start": None, "stop": None}, "error": None}
    del offline["lsn"]

    (entry,) = parse(answer((0, "ok"), offline), "main", POSIX).entries

    assert (entry.start_file, entry.stop_file, entry.backup.start_lsn) == ("", "", None)
    assert (entry.archive, entry.cluster) == ("17-1", 1)


def test_the_cluster_that_a_stanza_is_of_now() -> None:
    """The one with the highest number, in this repository alone."""
    (stanza,) = json.loads(answer((0, "ok"), BACKUP))
    stanza["db"] += [
        {"id": 2, "repo-key": 1, "system-id": 7711233903222460440, "version": "18"},
        {"id": 3, "repo-key": 2, "system-id": 7711233903222460441, "version": "18"},
    ]
    stanza["archive"] += [
        {
            "database": {"id": 2, "repo-key": 1},
            "id": "18-2",
            "max": "000000010000000000000009",
            "min": "000000010000000000000008",
        },
        {"database": {"id": 3, "repo-key": 2}, "id": "18-3", "max": None, "min": None},
    ]

    found = parse(json.dumps([stanza]), "main", POSIX)

    assert found.production == Cluster(2, 7711233903222460440, "000000010000000000000009")


def test_a_stanza_without_backups_is_an_empty_catalogue() -> None:
    """It is no error here; the source reports it as a finding."""
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
    """`info` ends with status 0 for each of them."""
    with pytest.raises(HarnessError, match=said):
        parse(text, "main", POSIX)


@pytest.mark.parametrize(
    ("error", "about", "verdict", "said"),
    [
        (False, Details(), "passed", "no page had a wrong checksum"),
        (
            True,
            Details(bad_files=("base/5/16389",)),
            "failed",
            "was taken: base/5/16389",
        ),
        (True, Details(), "failed", "was taken"),
        (None, Details(), "skipped", "did not look"),
    ],
)
def test_what_the_catalogue_says_of_pages(
    error: bool | None, about: Details, verdict: str, said: str
) -> None:
    """`info` and its status are 0 for a backup of damaged pages; `info --set` names the files."""
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
    """The check passes only if its text and its exit status are both good."""
    assert verified(Completed(("pgbackrest",), status, text, "")).verdict.value == verdict
