"""Errors of Barman and barman-cloud, as printed, and the verdict of each."""

from __future__ import annotations

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.barman.messages import cause_in, failed
from pytest_pgrestore.system.process import Completed

NOTHING_LEARNED = [
    (
        (
            "ERROR: Barman cloud exception: SSL validation failed for https://s3/b"
            " [Errno 2] No such file or directory"
        ),
        "the file of the store's authority is not there",
    ),
    (
        "botocore.exceptions.NoCredentialsError: Unable to locate credentials",
        "there are no credentials",
    ),
    ("ERROR: Bucket ledger-backup does not exist", "the bucket or container is not there"),
    (
        "EXCEPTION: {'ret': 127, 'out': '', 'err': '/bin/sh: 1: bzip2: not found\\n'}",
        "a program that Barman needs is missing",
    ),
    ("EXCEPTION: [Errno 30] Read-only file system: '/home/stream/wals/x'", "Barman wants to write"),
    ("ModuleNotFoundError: No module named 'azure'", "a Python package"),
    ("something nobody has seen", "something nobody has seen"),
]

BAD = [
    (
        "ERROR: 00000001000000000000000C: CRC check failed 0x1 != 0x2",
        "a file of the backup is damaged",
    ),
    (
        (
            "EXCEPTION: Error decompressing /s/base.tar.gz: tar: Skipping to next header\n"
            "tar: No such file or directory"
        ),
        "a file of the backup is damaged",
    ),
    (
        "gzip: stdin: unexpected end of file\ntar: Child returned status 1",
        "a file of the backup is damaged",
    ),
    (
        'rsync: link_stat "/home/x" failed: No such file or directory (2)\nrsync error: (code 23)',
        "a file of the backup is missing",
    ),
    (
        "ERROR: Combine action failure on directory '/x'",
        "its chain of incremental backups does not combine",
    ),
]


def done(text: str) -> Completed:
    """Return a command that ended with these words."""
    return Completed(("barman",), 1, "", text)


@pytest.mark.parametrize(("text", "cause"), NOTHING_LEARNED)
def test_an_accident_is_not_a_bad_backup(text: str, cause: str) -> None:
    """An error that nobody knows is not a finding either."""
    problem = failed(done(text), "s3://b", "backup 1 was not restored")

    assert isinstance(problem, HarnessError)
    assert cause in problem.problem
    assert problem.hint


@pytest.mark.parametrize(("text", "cause"), BAD)
def test_a_bad_backup_is_a_finding(text: str, cause: str) -> None:
    """The backup was read, and it is bad."""
    problem = failed(done(text), "/home", "backup 1 was not restored")

    assert isinstance(problem, BackupNotRestorable)
    assert cause in problem.problem


def test_the_first_complaint_is_the_cause() -> None:
    """The message is not a warning before it, and not the traceback after it."""
    text = (
        "2026-11-23 05:49:19,823 [9] Command WARNING: /usr/bin/sh: 1: lsb_release: not found\n"
        "2026-11-23 05:49:19,900 [9] barman.cli ERROR: Unknown backup 'x' for server 'm'\n"
        "Traceback (most recent call last):\n"
    )

    assert cause_in(text) == "ERROR: Unknown backup 'x' for server 'm'"
