"""WAL-G's variables: which storage they name, and a directory with a file for each of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from pytest_pgrestore.sources.walg.storage import Storage
from pytest_pgrestore.sources.walg.table import WalgTable


def table(**changes: object) -> WalgTable:
    """Return the table of a source."""
    return WalgTable.model_validate({"type": "walg", **changes})


@pytest.fixture
def envdir(tmp_path: Path) -> Path:
    """What Spilo writes: WAL-G's variables, secrets among them, and others."""
    directory = tmp_path / "env"
    directory.mkdir()
    for name, content in {
        "WALG_S3_PREFIX": "s3://bucket/spilo/shop/wal/15\n",
        "AWS_REGION": "eu-central-1",
        "AWS_SECRET_ACCESS_KEY": "very-secret  \nnot this line\n",
        "WALG_PGP_KEY_PATH": "/keys/pgp.asc",
        "WALG_S3_SSE": "",
        "PGPASSWORD": "of-production",
        "BACKUP_NUM_TO_RETAIN": "5",
        "..data": "no variable",
    }.items():
        (directory / name).write_text(content)
    return directory


def test_a_directory_of_variables(envdir: Path) -> None:
    """Only WAL-G's are taken, and what is secret among them is kept secret."""
    found = table(envdir=str(envdir))

    assert found.env == {
        "WALG_S3_PREFIX": "s3://bucket/spilo/shop/wal/15",
        "AWS_REGION": "eu-central-1",
        "WALG_PGP_KEY_PATH": "/keys/pgp.asc",
    }
    assert {name: secret.reveal() for name, secret in found.secrets.items()} == {
        "AWS_SECRET_ACCESS_KEY": "very-secret"
    }
    assert "very-secret" not in repr(found)


def test_the_settings_file_wins_over_the_directory(envdir: Path) -> None:
    """A test store has another key, and a name is never in both places."""
    found = table(
        envdir=str(envdir),
        env={"AWS_REGION": "here"},
        secrets={"AWS_SECRET_ACCESS_KEY": "other", "WALG_PGP_KEY_PATH": "/x"},
    )

    assert found.env["AWS_REGION"] == "here"
    assert "WALG_PGP_KEY_PATH" not in found.env
    assert found.secrets["AWS_SECRET_ACCESS_KEY"].reveal() == "other"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"envdir": "/nonexistent/env"}, "/nonexistent/env cannot be read: No such file"),
        ({"envdir": "/proc/self/environ"}, "cannot be read: Not a directory"),
        ({"envdir": "/proc/self/fdinfo"}, "has no file named as a variable of WAL-G"),
        ({"secrets": {"WALG_S3_PREFIX": "s3://x"}}, "decides which storage is read"),
        ({"secrets": {"WALG_CONFIG_PATH": "/x"}}, "decides which storage is read"),
        ({"config": "/a", "env": {"WALG_CONFIG_PATH": "/b"}}, "name two configurations"),
    ],
)
def test_a_mistake_in_the_variables(changes: dict[str, object], said: str) -> None:
    """It is told when the settings are read, without a value."""
    with pytest.raises(ValidationError, match=said) as caught:
        table(**changes)

    # What `settings.toml` makes of it: a problem, and a hint behind the semicolon.
    assert "; " in caught.value.errors()[0]["msg"]


def test_a_file_that_is_none(envdir: Path) -> None:
    """A directory of that name is no variable, and a FIFO would make the run wait for ever."""
    (envdir / "WALG_COMPRESSION_METHOD").mkdir()

    with pytest.raises(ValidationError, match="cannot be read: is no regular file"):
        table(envdir=str(envdir))


@pytest.mark.parametrize(
    ("env", "variable", "directory"),
    [
        ({"WALG_FILE_PREFIX": "/store"}, "WALG_FILE_PREFIX", Path("/store")),
        ({"WALE_FILE_PREFIX": "/store"}, "WALE_FILE_PREFIX", Path("/store")),
        ({"WALG_FILE_PREFIX": "/store", "WALE_S3_PREFIX": "s3://b/x"}, "WALE_S3_PREFIX", None),
        ({"WALG_GS_PREFIX": "gs://b/x", "WALG_FILE_PREFIX": "/s"}, "WALG_FILE_PREFIX", Path("/s")),
        ({"AWS_REGION": "x"}, "", None),
    ],
)
def test_which_prefix_counts(env: dict[str, str], variable: str, directory: Path | None) -> None:
    """As WAL-G 3.0.9 was seen to choose if there are several."""
    storage = Storage(table(env=env))

    assert (storage.variable, storage.directory) == (variable, directory)


def test_a_configuration_named_by_its_variable(tmp_path: Path) -> None:
    """The evidence names the storage of that file, and the file is mounted."""
    config = tmp_path / "walg.json"
    config.write_text('{"WALG_FILE_PREFIX": "/store"}')

    storage = Storage(table(env={"WALG_CONFIG_PATH": str(config)}))

    assert storage.location == "/store"
    assert config in storage.files
