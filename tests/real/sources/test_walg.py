"""WAL-G: kinds of backup, targets, majors, storages; exact rows; damage and bad input."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_pgrestore.model.target import AtLsn, AtName, AtTime
from pytest_pgrestore.model.wal import Lsn
from tests.real.production import digests
from tests.real.stores import Certificates
from tests.real.tool_worlds import by_major, could_not_verify, failed, flip_bit
from tests.real.walg_worlds import BUCKET, WALG, Pushed, pushed, pushed_to_s3
from tests.real.worlds import Drilled

Worlds = Callable[[int], Pushed]
Drilling = Callable[..., Drilled]

pytestmark = pytest.mark.skipif(WALG is None, reason="wal-g is not on PATH")

POINTS = ("latest", "immediate", "time", "lsn", "xid", "xid exclusive", "name")
TABLE = [
    *(("local", 17, None, point) for point in POINTS),
    ("local", 15, "full", "xid"),
    ("local", 18, None, "latest"),
    ("docker", 17, None, "latest"),
    ("docker", 17, "full", "time"),
    ("docker", 15, None, "name"),
    ("docker", 18, "full", "lsn"),
]
"""Sandbox, major, backup named (None: the newest that fits), target."""


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    """Return the world of a major, built on first use; tests must not change it."""
    with by_major(pushed) as world_of:
        yield world_of


@pytest.fixture(scope="module")
def s3_world() -> Iterator[Pushed]:
    """Backups in an S3 store."""
    with pushed_to_s3(17) as made:
        yield made


@pytest.fixture
def broken(worlds: Worlds) -> Iterator[Pushed]:
    """A copy of the storage that a test may damage."""
    copy = worlds(17).copied()
    yield copy
    shutil.rmtree(copy.server.directory)


in_docker = pytest.mark.parametrize("tool_run", ["docker"], indirect=True)
locally = pytest.mark.parametrize("tool_run", ["local"], indirect=True)


@pytest.mark.parametrize(
    ("tool_run", "major", "kind", "point"),
    TABLE,
    ids=[f"{runtime}-{m}-{k or 'newest'}-{p}" for runtime, m, k, p in TABLE],
    indirect=["tool_run"],
)
def test_recovery_stops_exactly_there(
    worlds: Worlds, tool_drill: Drilling, major: int, kind: str | None, point: str
) -> None:
    """The row before the point is there, the row after it is not, and no row is missing."""
    world = worlds(major)
    target, last = world.server.points[point]
    before = digests(world.store)

    drilled = tool_drill(
        world.source(backup=world.labels[kind] if kind else None), target, database="postgres"
    )

    # The points are after rows that were added after the delta, so `immediate` has fewer rows.
    assert drilled.rows() == (105 if point == "immediate" else last)
    for check in ("target reached", "quarantine", "archive", "files"):
        assert drilled.verdict_of(check) == "passed"
    backup = drilled.result.record.backup
    assert backup is not None
    assert backup.label == world.labels[kind or "delta"]
    assert backup.chain == (() if kind == "full" else (world.labels["full"],))
    assert backup.restored_by is not None
    assert backup.restored_by.startswith("WAL-G 3.")
    assert digests(world.store) == before
    location = str(
        drilled.ask("select pg_tablespace_location(oid) from pg_tablespace where spcname = 'extra'")
    )
    assert not location.startswith(str(world.server.directory))


@in_docker
@pytest.mark.parametrize("point", ["latest", "name"])
def test_recovery_from_a_store(
    s3_world: Pushed, tool_drill: Drilling, tmp_path: Path, point: str
) -> None:
    """The rows are exact, the store is unchanged, and its secret is in no log and no evidence."""
    assert s3_world.s3 is not None
    target, last = s3_world.server.points[point]
    before = s3_world.s3.digests(BUCKET)

    drilled = tool_drill(s3_world.source(), target, database="postgres")

    assert drilled.rows() == last
    assert s3_world.s3.digests(BUCKET) == before
    record = drilled.result.record
    assert any("walg had the network" in note for note in record.notes)
    texts = [path.read_text() for path in (tmp_path / "logs").rglob("*.log")] + [repr(record)]
    assert not any(s3_world.secrets["AWS_SECRET_ACCESS_KEY"] in text for text in texts)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two PGP keys, each with its own passphrase."""
    import subprocess

    found = []
    for name in ("ours", "theirs"):
        home = tmp_path_factory.mktemp(name)
        home.chmod(0o700)
        gpg = [
            "gpg",
            "--homedir",
            str(home),
            "--batch",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            name,
        ]
        subprocess.run(
            [*gpg, "--quick-generate-key", f"{name}@example.org"], check=True, capture_output=True
        )
        path = home / "key.asc"
        path.write_bytes(
            subprocess.run(
                [*gpg, "--armor", "--export-secret-keys"], check=True, capture_output=True
            ).stdout
        )
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
        found.append(path)
    return found[0], found[1]


@locally
def test_an_encrypted_backup(tool_drill: Drilling, keys: tuple[Path, Path]) -> None:
    """It restores with the private key and its passphrase; another key could not verify."""
    ours, theirs = keys
    public = ours.parent.parent.parent / f"{ours.parent.name}.asc"
    shutil.copy(ours, public)
    public.chmod(0o644)
    with pushed(
        17, WALG_PGP_KEY_PATH=str(public), WALG_PGP_KEY_PASSPHRASE=ours.parent.name.rstrip("0")
    ) as world:
        env = {
            name: value for name, value in world.env.items() if name != "WALG_PGP_KEY_PASSPHRASE"
        }

        right = tool_drill(
            world.source(env=env, secrets={"WALG_PGP_KEY_PASSPHRASE": "ours"}), database="postgres"
        )
        rows = right.rows()
        wrong = tool_drill(
            world.source(
                env={**env, "WALG_PGP_KEY_PATH": str(theirs), "WALG_DOWNLOAD_CONCURRENCY": "1"},
                secrets={"WALG_PGP_KEY_PASSPHRASE": "theirs"},
            ),
            AtName("before_deployment"),
        )

    assert rows == world.server.rows
    could_not_verify(wrong, "cannot be decrypted with the key that was given")


@in_docker
def test_wrong_credentials(s3_world: Pushed, tool_drill: Drilling) -> None:
    """Expired ones give the same error."""
    source = s3_world.source(secrets={"AWS_SECRET_ACCESS_KEY": "0" * 32})

    could_not_verify(tool_drill(source), "the store refused the credentials")


@in_docker
def test_a_bucket_that_is_not_there(s3_world: Pushed, tool_drill: Drilling) -> None:
    """There is a typo in its name."""
    source = s3_world.source(env={**s3_world.env, "WALG_S3_PREFIX": "s3://backup/shop"})

    could_not_verify(tool_drill(source), "the bucket of the prefix is not there")


@in_docker
def test_a_certificate_nobody_trusts(
    s3_world: Pushed, tool_drill: Drilling, tmp_path: Path
) -> None:
    """The given authority is not the one that signed it."""
    other = Certificates.make(tmp_path / "tls").ca
    source = s3_world.source(env={**s3_world.env, "WALG_S3_CA_CERT_FILE": str(other)})

    could_not_verify(tool_drill(source), "the certificate of the store is not trusted")


@in_docker
def test_a_store_that_does_not_answer(s3_world: Pushed, tool_drill: Drilling) -> None:
    """WAL-G alone retries for minutes."""
    source = s3_world.source(env={**s3_world.env, "AWS_ENDPOINT": "https://localhost:1"})

    could_not_verify(tool_drill(source), "the store cannot be reached")


@locally
def test_a_prefix_that_is_not_there(worlds: Worlds, tool_drill: Drilling) -> None:
    """A disk that is not mounted is no bad backup."""
    could_not_verify(
        tool_drill(worlds(17).source(env={"WALG_FILE_PREFIX": "/nonexistent"})),
        "the storage is not there",
    )


@locally
def test_an_empty_prefix(worlds: Worlds, tool_drill: Drilling, tmp_path: Path) -> None:
    """Nothing says that production ever used it; the hint names the variable."""
    could_not_verify(
        tool_drill(worlds(17).source(env={"WALG_FILE_PREFIX": str(tmp_path)})),
        "neither a backup nor WAL",
        "correct WALG_FILE_PREFIX",
    )


@locally
def test_a_backup_of_another_name(worlds: Worlds, tool_drill: Drilling) -> None:
    """The message names the existing backups."""
    could_not_verify(tool_drill(worlds(17).source(backup="base_0")), worlds(17).labels["full"])


@locally
def test_a_flipped_bit_in_a_part(broken: Pushed, tool_drill: Drilling) -> None:
    """The decompression fails."""
    # Every part, one at a time: otherwise WAL-G waits a minute before it tries again.
    for path in (
        broken.store / "basebackups_005" / broken.labels["delta"] / "tar_partitions"
    ).iterdir():
        flip_bit(path)
    source = broken.source(env={**broken.env, "WALG_DOWNLOAD_CONCURRENCY": "1"})

    failed(tool_drill(source), "was not fetched: a part of it is damaged")


@locally
@pytest.mark.parametrize("which", ["all", "one"])
def test_a_part_that_is_missing(broken: Pushed, tool_drill: Drilling, which: str) -> None:
    """WAL-G fetches the other parts and ends with status 0; the list of files shows it."""
    parts = sorted(
        (broken.store / "basebackups_005" / broken.labels["full"] / "tar_partitions").glob("part_*")
    )
    assert len(parts) > 1
    for path in parts if which == "all" else parts[:1]:
        path.unlink()

    drilled = tool_drill(broken.source(backup=broken.labels["full"]))

    assert drilled.result.record.verdict() == "failed"
    if which == "all":
        assert "was not fetched: a part of it is missing" in drilled.cause
    else:
        assert drilled.verdict_of("files") == "failed"


@locally
def test_a_parent_that_is_missing(broken: Pushed, tool_drill: Drilling) -> None:
    """A delta needs the full backup."""
    for path in (broken.store / "basebackups_005").glob(f"{broken.labels['full']}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    failed(tool_drill(broken.source()), "is a delta to")


def segments(world: Pushed) -> list[Path]:
    """Return the WAL objects, in order."""
    return sorted(
        path for path in (world.store / "wal_005").iterdir() if ".backup" not in path.name
    )


@locally
def test_a_flipped_bit_in_wal(broken: Pushed, tool_drill: Drilling) -> None:
    """The decompression or the server finds it."""
    flip_bit(segments(broken)[-1])

    assert tool_drill(broken.source()).result.record.verdict() == "failed"


@locally
def test_a_missing_segment(broken: Pushed, tool_drill: Drilling) -> None:
    """PostgreSQL would open with fewer rows."""
    gone = segments(broken)[-2]
    gone.unlink()

    failed(tool_drill(broken.source()), f"WAL segment {gone.name[:24]} is missing from the archive")


@locally
@pytest.mark.parametrize(
    ("point", "words"),
    [
        ("before", "lies before the end of every backup"),
        ("after", "lies after the last commit"),
        ("beyond", "lies beyond the end of WAL"),
        ("nowhere", "recovery ended before it reached name:nowhere; nearest reachable: name:"),
    ],
)
def test_a_target_that_is_not_there(
    worlds: Worlds, tool_drill: Drilling, point: str, words: str
) -> None:
    """It is refused early, and never replaced by latest."""
    server = worlds(17).server
    assert server.ended is not None
    target = {
        "before": AtTime(server.ended - timedelta(days=1)),
        "after": AtTime(server.ended),
        "beyond": AtLsn(Lsn.parse("7/0")),
        "nowhere": AtName("nowhere"),
    }[point]

    named = worlds(17).labels["full"] if point == "nowhere" else None

    failed(tool_drill(worlds(17).source(backup=named), target), words)


@locally
def test_production_s_own_verification(worlds: Worlds, tool_drill: Drilling) -> None:
    """It connects to production's server; without a connection it could not verify."""
    world = worlds(17)
    reaching = {**world.env, "PGHOST": str(world.server.directory), "PGUSER": "postgres"}

    asked = tool_drill(world.source(verify=True, env=reaching))
    alone = tool_drill(
        world.source(verify=True, env={**world.env, "PGHOST": "/nonexistent"}),
        AtName("before_deployment"),
    )

    assert asked.verdict_of("wal-g wal-verify") == "passed"
    assert alone.verdict_of("wal-g wal-verify") == "could not verify"
