"""Barman homes: methods of backup, kinds of target, majors; exact rows around every point."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from tests.real.barman_worlds import Barmaned
from tests.real.production import digests
from tests.real.tool_worlds import could_not_verify
from tests.real.worlds import Drilled

Worlds = Callable[[int], Barmaned]
Drilling = Callable[..., Drilled]

TABLE = [
    # The Barman of this machine's distribution (3.4) cannot read the homes of 17 and 18, which
    # Barman 3.13 writes.
    ("local", 15, "stream full", "latest"),
    ("local", 15, "stream full", "immediate"),
    ("local", 15, "stream full", "time"),
    ("local", 15, "rsync link", "xid"),
    ("local", 15, "packed full", "xid exclusive"),
    ("docker", 15, "rsync full", "lsn"),
    ("docker", 15, "packed full", "name"),
    ("docker", 17, "stream block", "latest"),
    ("docker", 17, "stream block", "time"),
    ("docker", 18, "stream block", "xid exclusive"),
    ("docker", 18, "rsync full", "immediate"),
    ("docker", 18, "packed full", "latest"),
]
"""Sandbox, major, server of Barman with kind of backup, target."""


@pytest.mark.parametrize(
    ("tool_run", "major", "kind", "point"),
    TABLE,
    ids=[f"{runtime}-{m}-{k}-{p}" for runtime, m, k, p in TABLE],
    indirect=["tool_run"],
)
def test_recovery_stops_exactly_there(
    barman_worlds: Worlds, tool_drill: Drilling, major: int, kind: str, point: str
) -> None:
    """The row before the point is there, the row after it is not, and no row is missing."""
    world = barman_worlds(major)
    target, last = world.server.points[point]
    label = world.labels[kind]
    before = digests(world.home)

    drilled = tool_drill(
        world.source(kind.partition(" ")[0], backup=label), target, database="postgres"
    )

    assert drilled.rows() == (world.rows[label] if point == "immediate" else last)
    for check in ("target reached", "quarantine", "archive"):
        assert drilled.verdict_of(check) == "passed"
    backup = drilled.result.record.backup
    assert backup is not None
    assert backup.label == label
    assert backup.restored_by is not None
    assert backup.restored_by.startswith("Barman 3.")
    assert digests(world.home) == before
    location = str(
        drilled.ask("select pg_tablespace_location(oid) from pg_tablespace where spcname = 'extra'")
    )
    assert not location.startswith(str(world.server.directory))


@pytest.mark.parametrize("kind", ["stream full"])
def test_wal_by_barmans_own_get_wal(barman_worlds: Worlds, tool_drill: Drilling, kind: str) -> None:
    """A server with Barman's restore_command gets it in this way."""
    world = barman_worlds(15)

    before = digests(world.home)

    drilled = tool_drill(
        world.source(kind.partition(" ")[0], backup=world.labels[kind], get_wal=True),
        database="postgres",
    )

    assert drilled.rows() == world.server.rows
    assert digests(world.home) == before
    assert "by get-wal" in str(drilled.result.record.phases)


@pytest.mark.parametrize("tool_run", ["docker"], indirect=True)
def test_a_program_that_barman_needs_and_lacks(barman_worlds: Worlds, tool_drill: Drilling) -> None:
    """The image has no bzip2, which get-wal starts: the segment is not missing."""
    drilled = tool_drill(barman_worlds(15).source("rsync", get_wal=True))

    could_not_verify(drilled, "a program that Barman needs is missing")


@pytest.mark.parametrize("tool_run", ["local"], indirect=True)
@pytest.mark.parametrize("kind", ["stream full", "rsync full", "packed full"])
def test_what_is_verified(barman_worlds: Worlds, tool_drill: Drilling, kind: str) -> None:
    """Files with a manifest are compared with it; the evidence names what was not compared."""
    world = barman_worlds(15)
    before = digests(world.home)

    drilled = tool_drill(
        world.source(kind.partition(" ")[0], backup=world.labels[kind], check=True)
    )

    checks = {check.name: check.verdict.value for check in drilled.result.record.checks}
    assert checks["barman check-backup"] == "passed"
    not_checked = drilled.result.record.not_checked
    unverified = [sentence for sentence in not_checked if "no manifest" in sentence]
    assert checks["manifest"] == ("skipped" if kind == "rsync full" else "passed")
    assert bool(unverified) == (kind == "rsync full")
    assert checks["barman verify-backup"] == ("passed" if kind == "stream full" else "skipped")
    assert digests(world.home) == before


def test_a_copy_archives_nothing_and_runs_no_hook(
    barman_worlds: Worlds, tool_drill: Drilling
) -> None:
    """The copy has production's archive_command, and Barman's configuration has hook scripts."""
    world = barman_worlds(15).copied()
    witness = world.server.directory / "ran"
    config = world.server.directory / "barman.d" / "stream.conf"
    config.write_text(
        config.read_text()
        + f"pre_recovery_script = touch {witness}\npost_recovery_script = touch {witness}\n"
    )
    waiting = list((world.home / "stream" / "incoming").iterdir())
    before = digests(world.server.directory)

    drilled = tool_drill(world.source("stream"), database="postgres")
    drilled.ask("select pg_create_restore_point('drilled')")
    drilled.ask("select pg_switch_wal()")

    assert drilled.rows() == world.server.rows
    assert list((world.home / "stream" / "incoming").iterdir()) == waiting
    assert not witness.exists()
    assert digests(world.server.directory) == before
    shutil.rmtree(world.server.directory)
