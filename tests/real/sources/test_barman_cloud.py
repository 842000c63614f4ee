"""barman-cloud: backups in an S3 store over TLS, every kind of target, and errors of a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_pgrestore.model.target import AtTime, Immediate, Latest
from tests.real import tool_worlds
from tests.real.barman_cloud import BUCKET, KEY, SECRET, Clouded, clouded
from tests.real.production import digests
from tests.real.tool_worlds import by_major, failed, flipped, temporary_s3_store
from tests.real.worlds import Drilled

Worlds = Callable[[int], Clouded]
Drilling = Callable[..., Drilled]

TABLE = [
    # The local rows use this machine's barman-cloud (3.4).
    ("local", 15, None, "latest"),
    ("local", 15, "plain", "xid"),
    ("docker", 15, "plain", "immediate"),
    ("docker", 15, "gzip", "time"),
    # The image of 18 has the newest one of Debian (3.20).
    ("docker", 18, None, "lsn"),
    ("docker", 18, "plain", "name"),
    ("docker", 18, "gzip", "xid exclusive"),
]
"""Sandbox, major, backup named (None: the newest that fits), target."""


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    """Return the world of a major, built on first use; each has a store of its own."""
    with by_major(build) as world_of:
        yield world_of


@contextmanager
def build(major: int) -> Iterator[Clouded]:
    """Make a production with its store."""
    with temporary_s3_store(BUCKET, KEY, SECRET) as store, clouded(major, store) as made:
        yield made


@pytest.mark.parametrize(
    ("tool_run", "major", "kind", "point"),
    TABLE,
    ids=[f"{runtime}-{m}-{k or 'newest'}-{p}" for runtime, m, k, p in TABLE],
    indirect=["tool_run"],
)
def test_recovery_stops_exactly_there(
    worlds: Worlds, tool_drill: Drilling, major: int, kind: str | None, point: str
) -> None:
    """The row before the point is there, the row after it is not, and the store is as it was."""
    world = worlds(major)
    target, last = world.server.points[point]
    label = world.labels[kind or "gzip"]
    before = digests(world.store.directory)

    drilled = tool_drill(world.source(backup=kind and label), target, database="postgres")

    assert drilled.rows() == (world.rows[label] if point == "immediate" else last)
    for check in ("target reached", "quarantine", "archive"):
        assert drilled.verdict_of(check) == "passed"
    backup = drilled.result.record.backup
    assert backup is not None
    assert backup.label == label
    assert backup.restored_by is not None
    assert backup.restored_by.startswith("barman-cloud 3.")
    assert digests(world.store.directory) == before


@pytest.fixture
def world(worlds: Worlds) -> Clouded:
    """The store with the backups of 15; a test that changes it must change it back."""
    return worlds(15)


docker = pytest.mark.parametrize("tool_run", ["docker"], indirect=True)


def could_not_verify(drilled: Drilled, *words: str) -> None:
    """Assert that nothing was learned about the backup, and that no secret is in the message."""
    tool_worlds.could_not_verify(drilled, *words)
    assert SECRET not in drilled.cause


@docker
def test_wrong_credentials(world: Clouded, tool_drill: Drilling) -> None:
    """Expired ones give the same error."""
    wrong = world.credentials | {"AWS_SECRET_ACCESS_KEY": "not-" + SECRET}

    could_not_verify(tool_drill(world.source(secrets=wrong)), "the store refused the credentials")


@docker
def test_no_credentials(world: Clouded, tool_drill: Drilling) -> None:
    """They are missing in `secrets`."""
    could_not_verify(tool_drill(world.source(secrets={})), "there are no credentials for the store")


@docker
def test_a_bucket_that_is_not_there(world: Clouded, tool_drill: Drilling) -> None:
    """There is a typo in `url`."""
    could_not_verify(
        tool_drill(world.source(url="s3://ledger-backup/prod")),
        "the bucket or container is not there",
    )


@docker
def test_a_certificate_that_is_not_trusted(world: Clouded, tool_drill: Drilling) -> None:
    """The file of the authority is not given."""
    without = {"AWS_EC2_METADATA_DISABLED": "true"}

    could_not_verify(
        tool_drill(world.source(env=without)), "the certificate of the store is not trusted"
    )


@docker
def test_a_store_that_does_not_answer(world: Clouded, tool_drill: Drilling) -> None:
    """Nothing listens at the address."""
    could_not_verify(
        tool_drill(world.source(endpoint_url="https://127.0.0.1:9")), "the store cannot be reached"
    )


@docker
def test_a_wrong_server_name(world: Clouded, tool_drill: Drilling) -> None:
    """The store has nothing under that name."""
    could_not_verify(tool_drill(world.source(server="shopp")), "there is nothing of server 'shopp'")


@contextmanager
def changed(path: Path, content: bytes | None) -> Iterator[None]:
    """Replace the content of an object while the block runs; None moves the object away."""
    before = path.read_bytes()
    if content is None:
        path.rename(path.with_name(f"{path.name}.away"))
    else:
        path.write_bytes(content)
    try:
        yield
    finally:
        if content is None:
            path.with_name(f"{path.name}.away").rename(path)
        else:
            path.write_bytes(before)


def segments(world: Clouded) -> list[Path]:
    """Return the objects of the WAL, in order."""
    return sorted(path for path in world.objects.glob("wals/*/*.gz") if "backup" not in path.name)


@docker
def test_a_damaged_object(world: Clouded, tool_drill: Drilling) -> None:
    """A backup that is cut short, and one flipped bit of a compressed WAL segment.

    A flipped bit of the backup is found only if it breaks the compression or the tar: there are no
    checksums.
    """
    tar = world.objects / "base" / world.labels["gzip"] / "data.tar.gz"
    segment = segments(world)[-1]
    half = tar.read_bytes()[: tar.stat().st_size // 2]
    for path, content, target in (
        (tar, half, Immediate()),
        (segment, flipped(segment.read_bytes()), Latest()),
    ):
        with changed(path, content):
            drilled = tool_drill(world.source(), target)

        assert drilled.result.record.verdict() == "failed", (path, drilled.cause)
        assert "damaged" in drilled.cause, path
    assert any("no manifest" in said for said in drilled.result.record.not_checked)


@docker
def test_a_missing_wal_object(world: Clouded, tool_drill: Drilling) -> None:
    """It is found before anything is restored, like a target before the first backup."""
    path = segments(world)[-2]
    with changed(path, None):
        drilled = tool_drill(world.source(backup=world.labels["plain"]))

    failed(drilled, path.name.removesuffix(".gz"))

    moment = world.server.points["time"][0]
    assert isinstance(moment, AtTime)
    early = tool_drill(world.source(), AtTime(moment.when - timedelta(days=1)))

    failed(early, "before the end of every backup")
