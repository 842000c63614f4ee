"""pgBackRest's own configuration: its repositories, from files and variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.sources.pgbackrest.config_files import config_files
from pytest_pgrestore.sources.pgbackrest.own_config import Repository, repositories
from pytest_pgrestore.sources.pgbackrest.table import PgbackrestTable

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


def read(
    config: Path | None, env: Mapping[str, str], secrets: Mapping[str, Secret] | None = None
) -> tuple[Repository, ...]:
    """Return the repositories of stanza `main`."""
    return repositories(config_files(config, env), "main", env, secrets or {})


def test_the_repositories_of_a_configuration(tmp_path: Path) -> None:
    """Sections of the command win over the global one, and variables over the file."""
    path = tmp_path / "pgbackrest.conf"
    path.write_text(CONFIG)

    first, second = read(path, {"PGBACKREST_REPO2_S3_BUCKET": "other", "PGBACKREST_LOG_PATH": "/x"})

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
    (only,) = read(
        None,
        {
            "PGBACKREST_CONFIG_PATH": "/nonexistent",
            "PGBACKREST_REPO1_PATH": "/r",
            "PGBACKREST_REPO1_HOST": "backup",
        },
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
        read(path, {})


@pytest.fixture
def layouts(tmp_path: Path) -> Path:
    """Every layout of files: each has a repository named after its file."""
    for name in ("one.conf", "base/pgbackrest.conf", "base/conf.d/more.conf", "only/a.conf"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        number = 2 if "more" in name else 1
        path.write_text(f"[global]\nrepo{number}-path=/{path.stem}\n")
    (tmp_path / "only" / "b.conf").write_text("[global]\nrepo3-path=/b\n")
    (tmp_path / "only" / "notes.txt").write_text("not read")
    return tmp_path


@pytest.mark.parametrize(
    ("config", "env", "paths"),
    [
        ("one.conf", {}, ["/one"]),
        ("one.conf", {"INCLUDE_PATH": "only"}, ["/a", "/b"]),
        (None, {"": "one.conf"}, ["/one"]),
        (None, {"": "one.conf", "PATH": "base"}, ["/one", "/more"]),
        (None, {"PATH": "base"}, ["/pgbackrest", "/more"]),
        (None, {"PATH": "base", "INCLUDE_PATH": "only"}, ["/a", "/b"]),
        ("base", {}, ["/pgbackrest", "/more"]),
        ("only", {}, ["/a", "/b"]),
    ],
)
def test_each_way_to_name_the_configuration(
    layouts: Path, config: str | None, env: dict[str, str], paths: list[str]
) -> None:
    """As pgBackRest 2.45 reads them, by strace; a directory is that of PGO or of Debian."""
    named = {
        f"PGBACKREST_CONFIG_{end}".rstrip("_"): str(layouts / place) for end, place in env.items()
    }

    found = read(layouts / config if config else None, named)

    assert [str(repository.path) for repository in found] == paths


def test_what_a_drill_sets_for_a_directory(layouts: Path) -> None:
    """PgBackRest would read a directory as a file, and add this machine's own main file."""
    base, only = layouts / "base", layouts / "only"

    assert config_files(base, {}).variables == {"PGBACKREST_CONFIG_PATH": str(base)}
    assert config_files(only, {}).variables == {
        "PGBACKREST_CONFIG_PATH": str(only),
        "PGBACKREST_CONFIG_INCLUDE_PATH": str(only),
    }
    assert config_files(layouts / "one.conf", {}).variables == {
        "PGBACKREST_CONFIG": str(layouts / "one.conf")
    }


def test_a_directory_without_a_configuration(tmp_path: Path) -> None:
    """A volume that was not mounted is no empty configuration."""
    with pytest.raises(HarnessError, match=r"holds no \*.conf"):
        read(tmp_path, {})


def test_the_spelling_without_a_number() -> None:
    """It was the only one once, and still means repo1."""
    (only,) = read(
        None, {"PGBACKREST_CONFIG_PATH": "/nonexistent", "PGBACKREST_REPO_PATH": "/legacy"}
    )

    assert (only.number, str(only.path)) == (1, "/legacy")


def test_secrets_are_not_in_the_address() -> None:
    """The kind is known, the file is mounted, and the bucket is as hidden as the user wants it."""
    (only,) = read(
        None,
        {"PGBACKREST_CONFIG_PATH": "/nonexistent", "PGBACKREST_REPO1_TYPE": "gcs"},
        {
            "PGBACKREST_REPO1_GCS_BUCKET": Secret("mine"),
            "PGBACKREST_REPO1_GCS_KEY": Secret("/key.json"),
        },
    )

    assert only.remote
    assert only.address == "repo1: gcs bucket *** /var/lib/pgbackrest"
    assert list(only.files()) == [Path("/key.json")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"secrets": {"PGBACKREST_REPO1_PATH": "/x"}}, "decides which repository is read"),
        ({"secrets": {"PGBACKREST_CONFIG_PATH": "/x"}}, "decides which repository is read"),
        ({"config": "/a", "env": {"PGBACKREST_CONFIG": "/b"}}, "name two configurations"),
        ({"config": "/a", "env": {"PGBACKREST_CONFIG_PATH": "/b"}}, "name two configurations"),
        ({"env": {"PGBACKREST_CONFIG_PATH": "b"}}, "is no absolute path"),
    ],
)
def test_variables_that_would_make_the_evidence_false(
    changes: dict[str, object], said: str
) -> None:
    """The drill would restore from one repository and name another."""
    with pytest.raises(ValidationError, match=said):
        PgbackrestTable.model_validate({"type": "pgbackrest", "stanza": "main", **changes})
