"""Source `dump` on bad input: one cause, one hint, the right verdict, and no row in any message."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.sandboxes.local.run import LocalRun
from pytest_pgrestore.sandboxes.settings import LocalSettings
from pytest_pgrestore.sources.dump.catalogue import DumpPaths
from pytest_pgrestore.sources.dump.source import DumpSource
from pytest_pgrestore.system.account import server_account
from tests.real.dump_fixtures import COMPLETE, World, changed, world

__all__ = ["changed", "world"]

CUT = "cut short|damaged|end of file|corrupt|could not read"


@pytest.mark.parametrize("keep", [0.6, 0.98])
@pytest.mark.parametrize(
    "name",
    [
        "shop.plain",
        "shop.custom",
        "shop.tar",
        "packed.gzip",
        "packed.bzip2",
        "packed.lz4",
        "packed.zstd",
        "all.out",
    ],
)
def test_a_dump_cut_short_fails(
    world: World, changed: Callable[..., str], name: str, keep: float
) -> None:
    """Psql ends with status 0 on some of them; pg_restore never ends on others."""
    outcome = world.drill(changed(name, keep=keep), owners=name == "all.out")

    assert (outcome.verdict, outcome.rows) == ("failed", None)
    assert outcome.record.failure is not None
    assert any(word in outcome.problem for word in CUT.split("|")), outcome.problem


def test_a_dump_whose_restore_never_ends_could_not_be_verified(
    world: World, changed: Callable[..., str]
) -> None:
    """A tool that hangs is stopped at the deadline. That says nothing about the dump."""
    end = b"-- PostgreSQL database dump complete"
    name = changed("shop.plain", (end, b"select pg_catalog.pg_sleep(3600);\n\n" + end))

    outcome = world.drill(name, owners=False, timeout_seconds=3.0)

    assert outcome.verdict == "could not verify"
    assert outcome.problem == "psql did not end within 3 s"


@pytest.mark.parametrize("lines", [40, 400])
def test_a_plain_dump_cut_at_a_line_fails(
    world: World, changed: Callable[..., str], lines: int
) -> None:
    """The classic false green: psql ends with status 0, also with ON_ERROR_STOP."""
    outcome = world.drill(changed("shop.plain", lines=lines), owners=False)

    assert outcome.verdict == "failed"
    assert "closing line" in outcome.problem


def test_a_cut_that_was_compressed_afterwards_fails(world: World) -> None:
    """If pg_dump is killed, gzip still writes a complete file."""
    lines = (world.dumps / "shop.plain").read_bytes().splitlines(keepends=True)
    (world.dumps / "killed.out").write_bytes(gzip.compress(b"".join(lines[:400])))

    outcome = world.drill("killed.out", owners=False)

    assert outcome.verdict == "failed"
    assert "closing line" in outcome.problem


def test_a_cluster_dump_cut_between_databases_fails(world: World) -> None:
    """Each database's part has a closing line of its own, which is not the cluster's."""
    data = (world.dumps / "all.out").read_bytes()
    end = data.rindex(b"-- PostgreSQL database dump complete") + len(
        b"-- PostgreSQL database dump complete\n--\n\n"
    )
    (world.dumps / "between.out").write_bytes(data[:end])

    outcome = world.drill("between.out")

    assert outcome.verdict == "failed"
    assert "cluster dump complete" in outcome.problem


@pytest.mark.parametrize("missing", ["toc.dat", "data"])
def test_a_directory_that_lost_a_file_fails(world: World, missing: str) -> None:
    """An interrupted copy can lose any file."""
    copy = world.dumps / f"lost-{missing}"
    shutil.copytree(world.dumps / "shop.directory", copy)
    victim = (
        copy / "toc.dat"
        if missing == "toc.dat"
        else max(copy.glob("*.dat*"), key=_size_without_toc)
    )
    victim.unlink()

    outcome = world.drill(copy.name, owners=False)

    assert (outcome.verdict, outcome.rows) == ("failed", None)


def _size_without_toc(path: Path) -> int:
    return -1 if path.name == "toc.dat" else path.stat().st_size


def test_an_empty_newest_file_fails_and_an_empty_old_one_does_not(world: World) -> None:
    """An older dump instead of the newest would be stale; an empty old file is harmless."""
    folder = world.dumps / "empties"
    folder.mkdir()
    good = shutil.copy(world.dumps / "shop.custom", folder / "b.dump")
    (folder / "a.dump").touch()
    os.utime(folder / "a.dump", (1, 1))
    healthy = world.drill("empties/*.dump", owners=False)
    os.utime(good, (0, 0))
    stale = world.drill("empties/*.dump", owners=False)

    assert (healthy.verdict, healthy.rows) == ("passed", COMPLETE), healthy.problem
    assert (stale.verdict, stale.rows) == ("failed", None)
    assert "a.dump is empty, and it is the newest match" in stale.problem


def test_a_newest_file_that_is_no_dump_fails(world: World) -> None:
    """Silently taking the dump before it would restore stale data."""
    folder = world.dumps / "rubbish"
    folder.mkdir()
    shutil.copy(world.dumps / "shop.custom", folder / "a.dump")
    os.utime(folder / "a.dump", (1, 1))
    (folder / "b.dump").write_bytes(b"<html>502 Bad Gateway</html>")

    outcome = world.drill("rubbish/*.dump", owners=False)

    assert outcome.verdict == "failed"
    assert "is not a dump" in outcome.problem


def test_globals_and_checksums_beside_the_dumps_are_not_taken_for_one(world: World) -> None:
    """They are newer than the dump and match the same glob."""
    folder = world.dumps / "beside"
    folder.mkdir()
    shutil.copy(world.dumps / "shop.plain", folder / "shop.sql")
    os.utime(folder / "shop.sql", (1, 1))
    shutil.copy(world.roles, folder / "roles.sql")
    (folder / "shop.sql.sha256").write_text("0" * 64)

    outcome = world.drill("beside/*.sql*", globals_path=str(folder / "roles.sql"))

    assert (outcome.verdict, outcome.rows) == ("passed", COMPLETE), outcome.problem


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("all.out", "globals.out", "brings its own roles, and globals names a file of roles too"),
        ("shop.plain", "all.out", "globals names a dump of a whole cluster: it holds"),
    ],
)
def test_roles_that_come_twice_say_nothing_of_the_backup(
    world: World, name: str, given: str, words: str
) -> None:
    """The second file would find there what the first one made: a mistake in the settings."""
    outcome = world.drill(name, globals_path=str(world.dumps / given), database="shop")

    assert outcome.verdict == "could not verify"
    assert words in outcome.problem


@pytest.mark.parametrize(
    ("path", "verdict", "word"),
    [
        ("nothing-*.dump", "failed", "no backup matches"),
        ("no/such/place/x.dump", "could not verify", "cannot be read"),
    ],
    ids=["no-match", "no-directory"],
)
def test_no_match_is_a_finding_and_no_directory_is_not(
    world: World, path: str, verdict: str, word: str
) -> None:
    """An empty directory is a finding; an unmounted one says nothing about the backup."""
    outcome = world.drill(path)

    assert outcome.verdict == verdict
    assert word in outcome.problem


def test_an_unreadable_dump_could_not_be_verified(world: World) -> None:
    """The test runs as an unprivileged user, because root can read everything."""
    closed = world.dumps / "closed.dump"
    shutil.copy(world.dumps / "shop.custom", closed)
    source = DumpSource("shop", str(closed))
    readable = len(source.backups())
    closed.chmod(0)

    with as_user(server_account().uid), pytest.raises(HarnessError, match="permission denied"):
        source.backups()

    assert readable == 1


@pytest.mark.parametrize("path", ["{}/*.sql", "{}"], ids=["glob", "directory"])
def test_a_link_to_what_may_not_be_read_is_told(path: str) -> None:
    """It was left out, and the older dump restored; or an error blamed the sandbox."""
    place = short_directory()
    place.chmod(0o755)
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    for name in ("shop-1.sql", "closed/shop-2.sql"):
        (place / name).write_bytes(b"--\n-- PostgreSQL database dump\n--\n")
    os.utime(place / "shop-1.sql", (1, 1))
    (place / "shop-2.sql").symlink_to(closed / "shop-2.sql")
    paths = DumpPaths(path.format(place), None)
    readable = paths.newest(None).dump.path.name

    with as_user(server_account().uid), pytest.raises(HarnessError, match="permission denied"):
        paths.newest(None)

    shutil.rmtree(place)
    assert readable == "shop-2.sql"


@contextmanager
def as_user(uid: int) -> Iterator[None]:
    """Read files with the rights of `uid`."""
    before = os.geteuid()
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize("name", ["shop.custom", "shop.plain"])
def test_all_missing_roles_are_named_at_once(world: World, name: str) -> None:
    """Roles are owners and grantees; an archive is refused before a server starts."""
    outcome = world.drill(name)

    assert outcome.verdict == "could not verify"
    assert "the roles Odd Role, reader" in outcome.problem
    assert outcome.record.failure is not None
    assert outcome.record.failure.hint.startswith("set owners = false")
    assert "globals" in outcome.record.failure.hint
    assert outcome.record.failure.phase == ("locate" if name == "shop.custom" else "fetch")


@pytest.mark.parametrize("name", ["shop.custom", "create.plain", "all.out"])
def test_the_wrong_database_fails_and_names_what_is_there(world: World, name: str) -> None:
    """A nightly dump of the wrong database restores without an error."""
    outcome = world.drill(
        name, globals_path=None if name == "all.out" else world.roles, database="billing"
    )

    assert outcome.verdict == "failed"
    assert "database billing is not in" in outcome.problem
    assert "shop" in outcome.problem


@pytest.mark.parametrize("name", ["shop.custom", "create.plain"])
def test_the_right_database_passes(world: World, name: str) -> None:
    """The right database is not refused."""
    assert world.drill(name, globals_path=world.roles, database="shop").rows == COMPLETE


@pytest.mark.parametrize(
    "settings", [{"schema_only": True}, {"tables": ("orders",)}], ids=["schema_only", "tables"]
)
@pytest.mark.parametrize("name", ["shop.plain", "all.out"])
def test_a_choice_that_plain_sql_cannot_honour_is_refused(
    world: World, name: str, settings: dict[str, Any]
) -> None:
    """Loading everything instead would be another drill than the user wants."""
    outcome = world.drill(name, **settings)

    assert outcome.verdict == "could not verify"
    assert "cannot be honoured" in outcome.problem


def test_a_table_that_is_not_there_fails_before_a_server_starts(world: World) -> None:
    """The message lists the tables of the dump."""
    outcome = world.drill("shop.custom", tables=("invoices",), owners=False)

    assert (outcome.verdict, [phase.name for phase in outcome.record.phases]) == (
        "failed",
        ["locate"],
    )
    assert "table invoices is not in the dump" in outcome.problem
    assert "public.orders" in outcome.problem


def test_data_only_without_a_schema_is_a_usage_error() -> None:
    """There would be no table to load into."""
    with pytest.raises(ConfigError, match="schema_file ="):
        DumpSource("shop", "x", data_only=True)


def test_an_error_in_the_middle_fails_without_showing_the_row(
    world: World, changed: Callable[..., str]
) -> None:
    """No report or log may contain a row; the message names table and line."""
    outcome = world.drill(
        changed("shop.plain", (b"7\trow 7\ta\n", b"SECRET7\trow 7\ta\n")), owners=False
    )

    assert outcome.verdict == "failed"
    assert "COPY orders, line 7" in outcome.problem
    assert "SECRET7" not in outcome.kept


def test_a_duplicate_row_fails_without_showing_its_key(
    world: World, changed: Callable[..., str]
) -> None:
    """PostgreSQL writes the key to the DETAIL of its message."""
    outcome = world.drill(
        changed("shop.plain", (b"\n8\trow 8\ta\n", b"\n7\trow 8\ta\n")), owners=False
    )

    assert outcome.verdict == "failed"
    assert "orders_pkey" in outcome.problem
    assert "(id)=(7)" not in outcome.kept


def test_a_bad_line_in_the_globals_does_not_show_a_password(
    world: World, changed: Callable[..., str]
) -> None:
    """Psql quotes the line with the error."""
    bad = changed(
        "globals.out",
        (
            b"CREATE ROLE reader;",
            b"CREATE ROLE reader;\nALTER ROLE reader BOGUS PASSWORD 'SECRETPW';",
        ),
    )

    outcome = world.drill("shop.custom", globals_path=str(world.dumps / bad))

    assert outcome.verdict == "failed"
    assert "SECRETPW" not in outcome.kept


def test_several_errors_are_counted_and_the_first_is_on_top(world: World) -> None:
    """The tablespace is missing, but no role is: pg_restore goes on, and every error counts."""
    roles = (
        (world.dumps / "globals.out")
        .read_bytes()
        .replace(b"CREATE TABLESPACE fast", b"-- CREATE TABLESPACE fast")
    )
    (world.dumps / "without.out").write_bytes(roles)

    outcome = world.drill("postgres.custom", globals_path=str(world.dumps / "without.out"))

    assert outcome.verdict == "failed"
    assert "tablespace" in outcome.problem


def test_a_dump_of_a_newer_major_could_not_be_verified(
    world: World, changed: Callable[..., str]
) -> None:
    """Missing programs on this machine are not the backup's fault."""
    version = f"Dumped from database version {world.major}.".encode()
    plain = world.drill(
        changed("shop.plain", (version, b"Dumped from database version 99.")), owners=False
    )

    assert plain.verdict == "could not verify"
    assert "99" in plain.problem


def test_an_extension_the_sandbox_lacks_could_not_be_verified(
    world: World, changed: Callable[..., str]
) -> None:
    """In plain SQL, only psql finds it, while loading."""
    schema = b'CREATE SCHEMA "we ird";'
    name = changed("shop.plain", (schema, schema + b"\nCREATE EXTENSION nosuchthing;"))

    outcome = world.drill(name, owners=False)

    assert outcome.verdict == "could not verify"
    assert "nosuchthing" in outcome.problem


def test_an_archives_extensions_are_asked_for_before_the_load(world: World) -> None:
    """The archive needs pgcrypto, and the programs do not have it."""
    from tests.real.dump_extension import archive_with_extension, programs_without

    archive, extension = archive_with_extension(world.dumps)
    bindir = programs_without(extension)
    run = LocalRun.open(LocalSettings(bindir=bindir, timeout_seconds=120), "ext")
    try:
        outcome = World(world.major, world.dumps, run, world.logs).drill(archive.name, owners=False)
    finally:
        run.close()

    assert outcome.verdict == "could not verify"
    assert f"needs the extension {extension}" in outcome.problem
