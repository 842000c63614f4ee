"""pgBackRest repositories in real stores: exact restores, and stores that refuse access."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.real.pgbackrest_worlds import BUCKET, STORES, Stored, stored
from tests.real.production import digests
from tests.real.stores import Certificates
from tests.real.tool_worlds import could_not_verify
from tests.real.worlds import Drilled

Drilling = Callable[..., Drilled]

MAJOR = 17
pytestmark = pytest.mark.parametrize("tool_run", ["docker"], indirect=True)


@pytest.fixture(scope="module")
def world() -> Iterator[Stored]:
    """A server whose repositories are in stores."""
    with stored(MAJOR) as made:
        yield made


@pytest.fixture
def changed(world: Stored, tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a copy of the configuration with one text replaced."""

    def _changed(old: str, new: str) -> Path:
        text = world.config.read_text()
        assert old in text
        path = tmp_path / "pgbackrest.conf"
        path.write_text(text.replace(old, new))
        return path

    return _changed


@pytest.mark.parametrize(
    ("store", "point"),
    [("s3", "time"), ("s3", "latest"), ("sftp", "name"), ("azure", "xid"), ("azure", "latest")],
)
def test_recovery_stops_exactly_there(
    world: Stored, tool_drill: Drilling, store: str, point: str
) -> None:
    """Only the tool has the network; the evidence reports until when."""
    target, last = world.server.points[point]
    assert world.s3 is not None
    before = world.s3.digests(BUCKET)

    drilled = tool_drill(
        world.source(STORES[store], secrets=world.env), target, database="postgres"
    )

    assert drilled.rows() == last
    assert drilled.verdict_of("target reached") == "passed"
    assert drilled.verdict_of("quarantine") == "passed"
    record = drilled.result.record
    assert record.server is not None
    assert record.server.network.startswith("cut")
    assert any(
        "pgbackrest had the network (Docker network host) until " in note for note in record.notes
    )
    assert record.backup is not None
    assert record.backup.location.startswith(f"repo{STORES[store]}: {store} ")
    assert world.s3.digests(BUCKET) == before


def test_no_secret_is_in_evidence_or_logs(
    world: Stored, tool_drill: Drilling, tmp_path: Path
) -> None:
    """The passphrase is in production's file, and the secret in a variable."""
    assert world.s3 is not None

    drilled = tool_drill(world.source(1, secrets=world.env), database="postgres")

    texts = [path.read_text() for path in (tmp_path / "logs").rglob("*.log")] + [
        repr(drilled.result.record)
    ]
    assert len(texts) > 3
    assert not any(world.s3.secret in text or "three-quiet-owls" in text for text in texts)


def test_wrong_credentials(world: Stored, tool_drill: Drilling) -> None:
    """Expired ones give the same error."""
    source = world.source(1, secrets={"PGBACKREST_REPO1_S3_KEY_SECRET": "0" * 32})

    could_not_verify(tool_drill(source), "the store refused the credentials")


def test_credentials_that_were_not_passed_on(world: Stored, tool_drill: Drilling) -> None:
    """Production has them in its environment."""
    could_not_verify(
        tool_drill(world.source(1)), "a setting is missing that production gives elsewhere"
    )


def test_a_bucket_that_is_not_there(
    world: Stored, tool_drill: Drilling, changed: Callable[[str, str], Path]
) -> None:
    """There is a typo in its name."""
    config = changed("repo1-s3-bucket=backups", "repo1-s3-bucket=backup")

    could_not_verify(
        tool_drill(world.source(1, config=config, secrets=world.env)), "the bucket or container"
    )


def test_a_certificate_nobody_trusts(
    world: Stored, tool_drill: Drilling, changed: Callable[[str, str], Path], tmp_path: Path
) -> None:
    """The given authority is not the one that signed it."""
    other = Certificates.make(tmp_path / "tls")
    assert world.s3 is not None
    config = changed(f"repo1-storage-ca-file={world.s3.ca}", f"repo1-storage-ca-file={other.ca}")

    could_not_verify(
        tool_drill(world.source(1, config=config, secrets=world.env)),
        "the certificate of the store is not trusted",
    )


def test_a_store_that_does_not_answer(
    world: Stored, tool_drill: Drilling, changed: Callable[[str, str], Path]
) -> None:
    """The tool ends by a deadline."""
    assert world.s3 is not None
    config = changed(f"repo1-storage-port={world.s3.port}", "repo1-storage-port=1")
    source = world.source(1, config=config, secrets=world.env, env={"PGBACKREST_IO_TIMEOUT": "3"})

    could_not_verify(tool_drill(source), "the repository cannot be reached")


def test_a_host_that_is_another_one(
    world: Stored, tool_drill: Drilling, changed: Callable[[str, str], Path]
) -> None:
    """SFTP compares the host's fingerprint."""
    assert world.sftp is not None
    config = changed(world.sftp.fingerprint, "0" * 64)

    could_not_verify(
        tool_drill(world.source(2, config=config, secrets=world.env)),
        "the repository cannot be reached",
    )


def test_a_tool_without_a_network_cannot_reach_it(world: Stored, tool_drill: Drilling) -> None:
    """A container has a network only if the source needs one."""
    source = world.source(1, network=False, secrets=world.env, env={"PGBACKREST_IO_TIMEOUT": "3"})

    could_not_verify(tool_drill(source), "the repository cannot be reached")


def test_a_missing_object_in_the_store(world: Stored, tool_drill: Drilling, tmp_path: Path) -> None:
    """The error is the same as on a disk."""
    assert world.sftp is not None
    gone = max(world.sftp.directory.rglob("*.zst"), key=lambda path: path.stat().st_size)
    shutil.move(gone, tmp_path / "gone")
    try:
        drilled = tool_drill(world.source(2, secrets=world.env))
    finally:
        shutil.move(tmp_path / "gone", gone)

    assert drilled.result.record.verdict() == "failed"
    assert "a file of the backup is missing from the repository" in drilled.cause
    assert digests(world.sftp.directory)
