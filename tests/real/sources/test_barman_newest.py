"""The newest barman-cloud of PyPI: what it writes is restored, also where an older one cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.model.target import Immediate
from tests.real.barman_newest import SUFFIXES, CloudPlace, cloud_place, future, version
from tests.real.tool_worlds import could_not_verify
from tests.real.worlds import Drilled

Drilling = Callable[..., Drilled]
SERVER = "cluster-example"
SPOOL = Path("/var/tmp/walrestore")  # noqa: S108 - Barman's own default

pytestmark = [
    pytest.mark.long,
    pytest.mark.parametrize("tool_run", ["local"], indirect=True),
]


@pytest.fixture(scope="module")
def place() -> Iterator[CloudPlace]:
    """A store with two backups; WAL is compressed in every way that this version knows."""
    with cloud_place() as made:
        made.grow()
        made.archived |= {path.name for path in made.cluster.archive.iterdir()}
        made.backup(SERVER, "--name", "nightly", "--gzip")
        made.grow()
        made.backup(SERVER, "--name", "weekly", "--snappy")
        for _ in range(3):
            made.grow()
        made.upload(SERVER)
        yield made


def test_the_newest_release_restores(place: CloudPlace, tool_drill: Drilling) -> None:
    """Its `download_wal` wants an argument that no version before 3.19 had.

    And it takes a file in its spool by its bare name, whosever it is.
    """
    names = {path.name for path in place.cluster.archive.iterdir()}
    SPOOL.mkdir(exist_ok=True)
    for name in names:
        (SPOOL / name).write_bytes(b"of another server")
    try:
        drilled = tool_drill(place.source(SERVER), database="postgres")
        left = {path.name for path in SPOOL.iterdir()}
    finally:
        for name in names:
            (SPOOL / name).unlink(missing_ok=True)

    assert drilled.rows() == place.rows
    assert drilled.result.record.verdict() == "passed", drilled.result.record.checks
    assert names <= left


def test_a_backup_by_its_name(place: CloudPlace, tool_drill: Drilling) -> None:
    """CloudNativePG names a backup after its Backup resource; users know no id."""
    drilled = tool_drill(place.source(SERVER, backup="nightly"), Immediate(), database="postgres")

    assert drilled.rows() == 10
    assert drilled.result.record.verdict() == "passed", drilled.result.record.checks


def test_an_older_release_says_that_it_is_too_old(place: CloudPlace, tool_drill: Drilling) -> None:
    """Debian's cannot read the descriptions, and lists no backup: the store is not empty."""
    drilled = tool_drill(place.source(SERVER, program="barman"))

    could_not_verify(drilled, "barman-cloud 3.4", "cannot read the description", "`program`")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("no_partial, parallel):", "no_partial, parallel, owner):", "download_wal wants owner"),
        ("def get_wal_paths(", "def get_all_wal_paths(", "get_wal_paths"),
    ],
    ids=["argument", "method"],
)
def test_a_release_of_the_future(
    place: CloudPlace, tool_drill: Drilling, old: str, new: str, says: str
) -> None:
    """Its code has changed again: the message names the version, and the backup is not blamed."""
    with future(old, new) as code:
        changed = place.source(SERVER, env={**place.environment, "PYTHONPATH": str(code)})
        drilled = tool_drill(changed)

    could_not_verify(drilled, f"barman-cloud {version()} has code", says, "docs/barman.md")


def test_a_suffix_that_it_does_not_know(place: CloudPlace, tool_drill: Drilling) -> None:
    """Barman passes over such segments without a word; they are not missing."""
    suffix = next(name[24:] for name in reversed(place.uploaded) if name[24:] in SUFFIXES.values())
    with future(f'    "{suffix}": ', '    ".none": ') as code:
        changed = place.source(SERVER, env={**place.environment, "PYTHONPATH": str(code)})
        drilled = tool_drill(changed)

    could_not_verify(drilled, "does not know the suffix", suffix, "`program`")
