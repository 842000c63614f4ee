"""pgBackRest's own configuration: its repositories, from files and variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.pgbackrest.own_config import repositories

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


def test_the_repositories_of_a_configuration(tmp_path: Path) -> None:
    """Sections of the command win over the global one, and variables over the file."""
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
    """Many containers are set up in this way."""
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
    """The error is a sentence, without a traceback of a parser."""
    path = tmp_path / "pgbackrest.conf"
    if text is not None:
        path.write_text(text)

    with pytest.raises(HarnessError, match=said):
        repositories(path, "main", {})
