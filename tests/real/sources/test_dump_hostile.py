"""Dumps that somebody made to do harm: psql's commands, foreign files, full disks."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from pytest_pgrestore.sources.dump.loading.limits import LoadLimits
from tests.real.dump_fixtures import COMPLETE, World, changed, world

__all__ = ["changed", "world"]

END = b"-- PostgreSQL database dump complete"


@pytest.fixture
def mark(world: World) -> Path:
    """A path that every user may create: whoever does ran a program on this machine."""
    folder = world.dumps.parent / f"mark-{uuid4().hex[:8]}"
    folder.mkdir()
    folder.chmod(0o777)
    return folder / "made"


COMMANDS = {
    "shell": (b"\\! touch MARK\n", "\\!"),
    "shell-behind-sql": (b"select 1; \\! touch MARK\n", "\\!"),
    "shell-inside-a-statement": (b"select (1\n\\! touch MARK\n);\n", "\\!"),
    "output-to-a-pipe": (b"\\o | touch MARK\n", "\\o"),
    "result-to-a-pipe": (b"select 1 \\g | touch MARK\n", "\\g"),
    "copy-to-a-program": (b"\\copy (select 1) to program 'touch MARK'\n", "\\copy"),
    "backtick": (b"\\echo `touch MARK`\n", "\\echo"),
    "second-command": (b"\\echo x \\! touch MARK\n", "\\echo"),
    "variable": (b"\\set x `touch MARK`\n", "\\set"),
    "script": (b"\\i /etc/passwd\n", "\\i"),
    "another-server": (b"\\connect postgres postgres /tmp 5999\n", "\\connect"),
    "another-server-as-string": (b'\\connect "host=/tmp port=5999"\n', "\\connect"),
    "another-server-as-url": (b"\\connect postgresql://elsewhere/shop\n", "\\connect"),
    "forced-semicolon": (b"select 1\\; copy orders from stdin;\n\\.\n", "\\;"),
    "behind-rows": (b"copy public.orders (v) from stdin;\nx\n\\.\n\\! touch MARK\n", "\\!"),
    "behind-a-string": (b"select E'\\\\'; \\! touch MARK --'\n", "\\!"),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_a_command_that_pg_dump_does_not_write_is_refused(
    world: World, changed: Callable[..., str], mark: Path, case: str
) -> None:
    """It is found before psql gets it, and named with its line."""
    text, command = COMMANDS[case]
    name = changed("shop.plain", (END, text.replace(b"MARK", str(mark).encode()) + END))

    outcome = world.drill(name, owners=False)

    assert outcome.verdict == "could not verify", outcome.problem
    assert f"psql's command {command} " in outcome.problem
    assert ", line " in outcome.problem
    assert not mark.exists()


def test_the_line_of_a_command_is_the_line_of_the_dump(
    world: World, changed: Callable[..., str]
) -> None:
    """A dump of gigabytes is searched by it."""
    name = changed("create.plain", (END, b"\\! true\n" + END))
    lines = (world.dumps / name).read_bytes().splitlines()

    outcome = world.drill(name, owners=False)

    number = lines.index(b"\\! true") + 1
    assert f"line {number}: psql's command \\!" in outcome.problem


UNCLEAR = {
    "carriage-return-ends-a-comment": b"-- a comment\r\\! touch MARK\n",
    "behind-copy": b"copy public.orders (v) from stdin; select $x$\n\\.\n\\! touch MARK\n$x$;\n",
    "junk-behind-a-number": b"select 1e'\\'; \\! touch MARK\n--';\n",
}


@pytest.mark.parametrize("case", UNCLEAR)
def test_sql_that_psql_may_read_otherwise_is_refused(
    world: World, changed: Callable[..., str], mark: Path, case: str
) -> None:
    """Versions of psql differ here, so nobody knows what it would run."""
    text = UNCLEAR[case].replace(b"MARK", str(mark).encode())

    outcome = world.drill(changed("shop.plain", (END, text + END)), owners=False)

    assert outcome.verdict == "could not verify", outcome.problem
    assert not mark.exists()


def test_a_setting_that_hides_a_command_meets_psqls_restricted_mode(
    world: World, changed: Callable[..., str], mark: Path
) -> None:
    """The dump changes by a function how psql reads: only psql itself can see that."""
    text = (
        b"select set_config('standard_' || 'conforming_strings', 'off', false);\n"
        b"select 'a\\'';\n\\! touch " + str(mark).encode() + b"\n-- ';\n"
    )

    outcome = world.drill(changed("shop.plain", (END, text + END)), owners=False)

    assert outcome.verdict == "could not verify", outcome.problem
    assert not mark.exists()


def test_the_name_of_a_database_is_not_read_as_a_command(
    world: World, changed: Callable[..., str], mark: Path
) -> None:
    """Psql puts the values of its own variables into SQL: here the name of the database."""
    evil = f"\\! touch {mark}".encode()
    text = (
        b'create database "'
        + evil
        + b'";\n\\connect "'
        + evil
        + b'"\nselect 1 as a where :DBNAME\n;\n'
    )

    outcome = world.drill(changed("create.plain", (END, text + END)), owners=False)

    assert outcome.verdict == "failed"
    assert "syntax error" in outcome.problem
    assert not mark.exists()


def test_what_only_looks_like_a_command_or_statement_is_data(
    world: World, changed: Callable[..., str]
) -> None:
    """Strings, bodies of functions, slices of arrays and rows come back as they are."""
    body = (
        b"x\nDROP DATABASE postgres;\n\\! false\n\\.\n"
        b"-- Name: not_there; Type: TABLE; Schema: a; Owner: b\n"
    )
    text = (
        b"\\echo loading\n\\timing on\n\\set ON_ERROR_STOP on\n\\encoding UTF8\n"
        b"create table public.page (body text, part int[]);\n"
        b"insert into public.page values ('" + body + b"', (array[1,2,3])[1:2]);\n"
        b"create function public.help() returns text language sql as $a$ select '"
        + body
        + b"' $a$;\n"
    )

    outcome = world.drill(
        changed("shop.plain", (END, text + END)),
        query="select body = public.help(), body, part::text from public.page",
        owners=False,
    )

    assert outcome.verdict == "passed", outcome.problem
    assert outcome.rows == (True, body.decode(), "{1,2}")


# pg_restore and the files of an archive.


@pytest.fixture
def directory(world: World) -> Path:
    """A copy of the dump in directory format."""
    copy = world.dumps / f"copy-{uuid4().hex[:8]}"
    shutil.copytree(world.dumps / "shop.directory", copy)
    return copy


def largest(folder: Path) -> Path:
    """Return the largest data file."""
    return max(folder.glob("[0-9]*.dat*"), key=lambda path: path.stat().st_size)


@pytest.mark.parametrize("kind", ["link", "fifo", "link-to-zero"])
def test_a_data_file_that_is_none_is_refused(world: World, directory: Path, kind: str) -> None:
    """A link lets pg_restore read another file; a FIFO or device never ends."""
    victim = largest(directory)
    victim.unlink()
    if kind == "fifo":
        os.mkfifo(victim)
    else:
        victim.symlink_to("/dev/zero" if kind == "link-to-zero" else "/etc/shadow")

    outcome = world.drill(directory.name, owners=False)

    assert outcome.verdict == "failed"
    assert ("is a link" if kind != "fifo" else "is no regular file") in outcome.problem


def test_a_data_file_outside_of_the_dump_is_refused(world: World, directory: Path) -> None:
    """pg_restore joins the name to the directory's path."""
    contents = directory / "toc.dat"
    name = largest(directory).name.encode().partition(b".dat")[0] + b".dat"
    other = b"../" + b"x" * (len(name) - 3)
    contents.write_bytes(contents.read_bytes().replace(name, other))

    outcome = world.drill(directory.name, owners=False)

    assert outcome.verdict == "failed"
    assert "outside of the dump" in outcome.problem


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("form", ["custom", "directory", "tar"])
def test_an_archive_that_only_the_caller_may_read_is_restored(
    world: World, form: str, jobs: int
) -> None:
    """pg_restore runs without the caller's rights: the caller hands it over."""
    closed = world.dumps / f"closed-{uuid4().hex[:8]}"
    origin = world.dumps / f"shop.{form}"
    shutil.copytree(origin, closed) if form == "directory" else shutil.copy(origin, closed)
    for path in (closed, *closed.rglob("*")):
        os.chown(path, os.geteuid(), os.getegid())
        path.chmod(0o700 if path.is_dir() else 0o600)

    outcome = world.drill(closed.name, owners=False, jobs=jobs)

    assert (outcome.verdict, outcome.rows) == ("passed", COMPLETE), outcome.problem


_LOOKS = 5
"""How many restores are watched at most."""


def test_pg_restore_never_runs_as_root(world: World) -> None:
    """It reads what somebody else wrote. The system tells who runs it, while it does.

    On a busy machine it may have come and gone between two looks: then it runs again.
    """
    archive = world.dumps / f"seen-{uuid4().hex[:8]}"
    shutil.copy(world.dumps / "shop.custom", archive)
    archive.chmod(0o644)
    ended = threading.Event()
    seen: set[int] = set()
    watcher = threading.Thread(target=_note_users, args=(archive.name, ended, seen))
    watcher.start()
    try:
        for _ in range(_LOOKS):
            outcome = world.drill(archive.name, owners=False)
            assert outcome.verdict == "passed", outcome.problem
            if seen:
                break
    finally:
        ended.set()
        watcher.join()

    assert seen
    assert 0 not in seen


def _note_users(word: str, ended: threading.Event, seen: set[int]) -> None:
    """Note who runs pg_restore with an argument that has `word`, until the end."""
    while not ended.is_set():
        for process in Path("/proc").glob("[0-9]*"):
            try:
                line = (process / "cmdline").read_bytes()
                # Behind exec: before it, the child of a fork has its parent's program and user.
                if line.split(b"\0")[0].endswith(b"pg_restore") and word.encode() in line:
                    seen.add(process.stat().st_uid)
            except OSError:
                continue  # it has ended


# Memory and disk.


def test_a_load_ends_before_the_disk_is_full(world: World, changed: Callable[..., str]) -> None:
    """How large a dump becomes is known only while it loads."""
    text = (
        b"create table public.large as select repeat(md5(g::text), 9)"
        b" from generate_series(1, 9000000) g;\n"
    )
    name = changed("shop.plain", (END, text + END))
    limits = LoadLimits(kept_free_bytes=shutil.disk_usage(world.run.root).free - (300 << 20))

    outcome = world.drill(name, owners=False, limits=limits)

    assert outcome.verdict == "could not verify"
    assert "bytes free" in outcome.problem


def test_an_endless_statement_could_not_be_verified(
    world: World, changed: Callable[..., str]
) -> None:
    """Psql and the server would hold it whole."""
    name = changed("shop.plain", (END, b"select '" + b"x" * (3 << 20) + b"';\n" + END))

    short = world.drill(name, owners=False, limits=LoadLimits(statement_bytes=1 << 20))
    enough = world.drill(name, owners=False)

    assert short.verdict == "could not verify"
    assert "max_statement_mb" in str(short.record.failure)
    assert (enough.verdict, enough.rows) == ("passed", COMPLETE)


def test_a_long_row_is_no_statement(world: World, changed: Callable[..., str]) -> None:
    """Rows are passed on in pieces."""
    row = (
        b"create table public.wide (v text);\ncopy public.wide (v) from stdin;\n"
        + b"x" * (3 << 20)
        + b"\n\\.\n"
    )
    name = changed("shop.plain", (END, row + END))

    outcome = world.drill(
        name,
        query="select length(v) from public.wide",
        owners=False,
        limits=LoadLimits(statement_bytes=1 << 20),
    )

    assert (outcome.verdict, outcome.rows) == ("passed", (3 << 20,)), outcome.problem


def test_too_many_objects_could_not_be_verified(world: World) -> None:
    """Their names are held to compare them."""
    outcome = world.drill("shop.plain", owners=False, limits=LoadLimits(objects=5))

    assert outcome.verdict == "could not verify"
    assert "max_objects" in str(outcome.record.failure)


# What a dump can ask the server for.

NOTICES = (
    b"do $$ begin for i in 1..300000 loop raise warning '%', repeat('x', 60); end loop; end $$;\n"
)
SERVER = {
    "extension-outside": (b'create extension "../../x";\n', "extension"),
    "extension-not-there": (b"create extension nosuchthing;\n", "nosuchthing"),
}


@pytest.mark.parametrize("case", SERVER)
def test_a_hostile_extension_does_not_pass(
    world: World, changed: Callable[..., str], case: str
) -> None:
    """PostgreSQL takes no name with separators, and there is no such file."""
    text, word = SERVER[case]

    outcome = world.drill(changed("shop.plain", (END, text + END)), owners=False)

    assert outcome.verdict in {"failed", "could not verify"}
    assert word in outcome.problem


def test_a_program_of_the_dump_cannot_install_an_extension(
    world: World, changed: Callable[..., str]
) -> None:
    """The directory of control files belongs to root."""
    text = (
        b"create table public.tried (place text, said text);\n"
        b"do $$ declare place text := (select setting from pg_config() where name = 'SHAREDIR')"
        b" || '/extension/evil.control'; begin"
        b" execute format('copy public.tried (said) from program %L',"
        b" format('echo default_version = 1 2>&1 > %s && echo written || echo refused', place));"
        b" if exists (select from public.tried where said like '%written%') then"
        b" raise exception 'the control file was written'; end if; end $$;\n"
        b"create extension evil;\n"
    )

    outcome = world.drill(changed("shop.plain", (END, text + END)), owners=False)

    assert outcome.verdict == "could not verify"
    assert "evil" in outcome.problem


@pytest.mark.parametrize("locale", ["../../../../tmp/x", "x" * 100_000, "/dev/zero"])
def test_a_hostile_locale_is_none_that_this_machine_knows(
    world: World, changed: Callable[..., str], locale: str
) -> None:
    """The report names it in a few words."""
    name = changed("create.plain", (b"LOCALE = 'C.UTF-8'", f"LOCALE = '{locale}'".encode()))

    outcome = world.drill(name, globals_path=world.roles)

    assert outcome.verdict in {"passed", "could not verify"}
    assert len(outcome.kept) < 100_000


def test_a_flood_of_warnings_does_not_hide_the_verdict(
    world: World, changed: Callable[..., str]
) -> None:
    """Psql prints every one of them."""
    text = NOTICES + b"select 1 / 0;\n"

    outcome = world.drill(changed("shop.plain", (END, text + END)), owners=False)

    assert outcome.verdict == "failed"
    assert "division by zero" in outcome.problem


def test_a_message_of_a_function_is_not_shown(world: World, changed: Callable[..., str]) -> None:
    """An index on a function shows it every row."""
    text = (
        b"create function public.tell(v text) returns text language plpgsql immutable as"
        b" $$ begin raise exception 'SECRET %', v; end $$;\n"
        b"create index told on public.orders (public.tell(v));\n"
    )

    outcome = world.drill(changed("shop.plain", (END, text + END)), owners=False)

    assert outcome.verdict == "failed"
    assert "inside a function" in outcome.problem
    assert "SECRET" not in outcome.problem
