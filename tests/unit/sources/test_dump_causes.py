"""Each row of the table of messages: a line of a real tool or server, whose fault, which hint."""

from __future__ import annotations

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.dump.loading import causes, server_errors
from pytest_pgrestore.sources.dump.loading.blame import Situation, blame, missing_roles
from pytest_pgrestore.sources.dump.loading.messages import complaints

AT = "2026-11-28 10:52:01.123 UTC [42] "

SERVER = {
    # Subject: the line of the server's log, and its LOCATION. Recorded with 15.18 and 18.6, but
    # for those marked "source", which are as the named file of PostgreSQL writes them.
    "disk": (  # source: md.c
        '53100 ERROR:  53100: could not extend file "base/5/16401": No space left on device',
        "mdextend, md.c:483",
        "sandbox.directory",
    ),
    "shared memory": (  # source: dsm_impl.c
        (
            '53100 ERROR:  53100: could not resize shared memory segment "/x" to 8 bytes: No'
            " space left on device"
        ),
        "dsm_impl_posix, dsm_impl.c:315",
        "shm_size",
    ),
    "locks": (  # source: lock.c
        "53200 ERROR:  53200: out of shared memory",
        "LockAcquireExtended, lock.c:1036",
        "max_locks_per_transaction",
    ),
    "memory": (  # source: aset.c
        "53200 ERROR:  53200: out of memory",
        "AllocSetAlloc, aset.c:1002",
        "sandbox.memory",
    ),
    "connections": (  # source: proc.c
        "53300 FATAL:  53300: sorry, too many clients already",
        "InitProcess, proc.c:347",
        "`jobs`",
    ),
    "limits": (  # source: fd.c
        "53000 ERROR:  53000: insufficient file descriptors available to start server process",
        "set_max_safe_fds, fd.c:1033",
        "server log",
    ),
    "server ended": (
        "57P01 FATAL:  57P01: terminating connection due to administrator command",
        "ProcessInterrupts, postgres.c:3200",
        "server log",
    ),
    "stack": (
        "54001 ERROR:  54001: stack depth limit exceeded",
        "check_stack_depth, postgres.c:3514",
        "max_stack_depth",
    ),
    "extension": (
        '0A000 ERROR:  0A000: extension "postgis" is not available',
        "parse_extension_control_file, extension.c:669",
        "skip_extensions",
    ),
    "preloaded library": (  # source: pg_cron.c
        "XX000 ERROR:  XX000: pg_cron can only be loaded via shared_preload_libraries",
        "_PG_init, pg_cron.c:271",
        'skip_extensions = ["pg_cron"]',
    ),
    "settings of a preloaded library": (
        '42704 ERROR:  42704: unrecognized configuration parameter "cron.database_name"',
        "find_option, guc.c:5734",
        "install it",
    ),
    "library": (
        '58P01 ERROR:  58P01: could not access file "$libdir/regress": No such file or directory',
        "internal_load_library, dfmgr.c:208",
        "sandbox.packages",
    ),
    "language": (
        '42704 ERROR:  42704: language "plperl" does not exist',
        "CreateFunction, functioncmds.c:1107",
        "plperl",
    ),
    "access method": (
        '42704 ERROR:  42704: access method "columnar" does not exist',
        "get_am_type_oid, amcmds.c:152",
        "sandbox.packages",
    ),
    "locale": (
        '22023 ERROR:  22023: could not create locale "de_DE.utf8": No such file or directory',
        "report_newlocale_failure, pg_locale.c:1498",
        "sandbox.locales",
    ),
    "collation": (
        (
            '42704 ERROR:  42704: collation "pg_catalog.de_DE.utf8" for encoding "UTF8"'
            " does not exist at character 24"
        ),
        "get_collation_oid, namespace.c:3697",
        "sandbox.locales",
    ),
    "ICU": (  # source: pg_locale.c
        "0A000 ERROR:  0A000: ICU is not supported in this build",
        "pg_newlocale_from_collation, pg_locale.c:1689",
        "ICU",
    ),
    "time zone": (
        '22023 ERROR:  22023: invalid value for parameter "TimeZone": "US/Pacific-New"',
        "call_string_check_hook, guc.c:12053",
        "tzdata",
    ),
    "encoding": (
        '0A000 ERROR:  0A000: invalid value for parameter "client_encoding": "MULE_INTERNAL"',
        "call_string_check_hook, guc.c:12053",
        "--create",
    ),
    "text search file": (
        (
            'F0000 ERROR:  F0000: could not open dictionary file "/usr/share/x.dict": No such'
            " file or directory"
        ),
        "NIImportDictionary, spell.c:525",
        "tsearch_data",
    ),
    "setting of another major": (
        '42704 ERROR:  42704: unrecognized configuration parameter "transaction_timeout"',
        "find_option, guc.c:5734",
        "sandbox.base_image",
    ),
    "option of another major": (  # source: dbcommands.c
        '42601 ERROR:  42601: option "builtin_locale" not recognized',
        "createdb, dbcommands.c:860",
        "sandbox.base_image",
    ),
    "build": (  # source: toast_compression.c
        "0A000 ERROR:  0A000: compression method lz4 not supported",
        "lz4_compress_datum, toast_compression.c:150",
        "sandbox.bindir",
    ),
    "role": (
        '42704 ERROR:  42704: role "rds_superuser" does not exist',
        "get_role_oid, acl.c:5201",
        "owners = false",
    ),
    "tablespace": (
        '42704 ERROR:  42704: tablespace "fast" does not exist',
        "get_tablespace_oid, tablespace.c:1479",
        "globals",
    ),
    "schema": (
        '3F000 ERROR:  3F000: schema "auth" does not exist at character 14',
        "get_namespace_oid, namespace.c:3099",
        "before",
    ),
}

TOOLS = {
    "version of the archive": (
        "pg_restore: error: unsupported version (1.16) in file header",
        "could not verify",
        "newer pg_dump",
    ),
    "restricted mode": (
        "psql:<stdin>:5: error: invalid command \\restrict",
        "could not verify",
        "minor version",
    ),
    "hidden command": (
        "psql:<stdin>:9: error: backslash commands are restricted; only \\unrestrict is allowed",
        "could not verify",
        "find out who",
    ),
    "compression": (
        (
            "pg_restore: error: could not decompress: this build does not support compression with"
            " ZSTD"
        ),
        "could not verify",
        "that compression",
    ),
    "permission": (
        'pg_restore: error: could not open input file "/b/x.dump": Permission denied',
        "could not verify",
        "may read the backup",
    ),
    "disk of a tool": (
        'pg_restore: error: could not write to file "/tmp/x": No space left on device',
        "could not verify",
        "free the disk",
    ),
    "lost server": (
        "psql:<stdin>:12: error: connection to server was lost",
        "could not verify",
        "server log",
    ),
    "memory of a tool": ("psql: error: out of memory", "could not verify", "memory"),
    "damaged": (
        "pg_restore: error: could not read from input file: end of file",
        "failed",
        "interrupted",
    ),
}


def errors_of(line: str, location: str) -> list[server_errors.ServerError]:
    """Return what is read from the server's log."""
    state = line.split(maxsplit=1)[0]
    return server_errors.parse(f"{AT}{line}\n{AT}{state} LOCATION:  {location}\n")


def stderr_of(line: str) -> str:
    """Return what psql prints for the same error."""
    _, _, text = line.partition(":  ")
    return f"psql:<stdin>:7: ERROR:  {text[7:].partition(' at character')[0]}\n"


@pytest.mark.parametrize("subject", SERVER)
def test_what_the_server_lacks_here_says_nothing_about_the_backup(subject: str) -> None:
    """Twice: the line is the server's own, and the same line that a function of the dump raised."""
    line, location, hint = SERVER[subject]
    found = complaints(stderr_of(line))

    here = blame("psql, x.sql", found, errors_of(line, location))
    raised = blame("psql, x.sql", found, errors_of(line, "exec_stmt_raise, pl_exec.c:3911"))
    unknown = blame("psql, x.sql", found, [])

    assert type(here) is HarnessError, here
    assert hint in here.hint
    assert {type(raised), type(unknown)} == {BackupNotRestorable}


@pytest.mark.parametrize("subject", TOOLS)
def test_what_a_tool_reports_itself(subject: str) -> None:
    """Beside an error of the server it counts for nothing: a dump can write such lines."""
    line, verdict, hint = TOOLS[subject]

    alone = blame("psql, x.sql", complaints(line))
    beside = blame("psql, x.sql", complaints(f"psql:<stdin>:1: ERROR:  x\n{line}"))

    assert (str(alone.verdict), str(beside.verdict)) == (verdict, "failed")
    assert hint in alone.hint


def test_every_row_of_the_table_has_a_recorded_line() -> None:
    """And its line belongs to no row above it."""
    settings = {"already made", "needs what was left out"}
    assert {row.subject for row in causes.TABLE} == {*SERVER, *TOOLS, *settings}
    for subject, (line, location, _) in SERVER.items():
        error, *_ = errors_of(line, location)
        rows = [
            row.subject
            for row in causes.TABLE
            if row.states and error.state.startswith(row.states) and row.pattern.search(error.text)
        ]
        assert rows[0] == subject


@pytest.mark.parametrize("subject", ["role", "tablespace", "schema"])
def test_a_whole_backup_was_to_bring_it(subject: str) -> None:
    """With `globals`, or from pg_dumpall, its absence is the backup's fault."""
    line, location, _ = SERVER[subject]

    error = blame(
        "psql", complaints(stderr_of(line)), errors_of(line, location), Situation(whole=True)
    )

    assert type(error) is BackupNotRestorable


@pytest.mark.parametrize(
    ("line", "location"),
    [
        ('42P06 ERROR:  42P06: schema "auth" already exists', "NamespaceCreate, pg_namespace.c:59"),
        (
            '42704 ERROR:  42704: type "public.geometry" does not exist',
            "typenameType, parse_type.c:270",
        ),
    ],
)
def test_the_users_own_settings_are_no_fault_of_the_backup(line: str, location: str) -> None:
    """A prelude that makes too much, an extension that is needed; without them, it is failed."""
    found, errors = complaints(stderr_of(line)), errors_of(line, location)

    assert type(blame("x", found, errors, Situation(prelude=True))) is HarnessError
    assert type(blame("x", found, errors)) is BackupNotRestorable


def test_a_bad_row_convicts_and_a_full_disk_acquits() -> None:
    """No role makes a value bad; a full disk makes anything fail."""
    bad = f"{AT}22P02 ERROR:  22P02: invalid input syntax\n{AT}22P02 LOCATION:  x, numutils.c:1\n"
    role = f'{AT}42704 ERROR:  42704: role "a" does not exist\n{AT}42704 LOCATION:  x, acl.c:1\n'
    disk = f"{AT}53100 ERROR:  53100: disk full\n{AT}53100 LOCATION:  x, md.c:1\n"
    found = complaints(
        'pg_restore: error: could not execute query: ERROR:  role "a" does not exist\n'
        'pg_restore: error: COPY failed for table "t": ERROR:  invalid input syntax\n'
        "CONTEXT:  COPY t, line 3, column a\n"
    )

    convicted = blame("x", found, server_errors.parse(role + bad))
    acquitted = blame("x", found, server_errors.parse(role + bad + disk))

    assert type(convicted) is BackupNotRestorable
    assert "COPY t, line 3" in convicted.problem
    assert "1 further error" in convicted.problem
    assert type(acquitted) is HarnessError


def test_no_message_can_look_like_another_line_of_the_log() -> None:
    """Its further lines begin with a tab; without a LOCATION nobody knows who spoke."""
    text = (
        f"{AT}P0001 ERROR:  P0001: x\n\t{AT}53100 ERROR:  53100: disk full\n"
        f"\t{AT}53100 LOCATION:  x, md.c:1\n{AT}P0001 LOCATION:  exec_stmt_raise, pl_exec.c:1\n"
        f"{AT}53100 ERROR:  disk full\n"
    )

    found = server_errors.parse(text)

    assert [(error.state, error.own) for error in found] == [("P0001", False), ("53100", False)]


def test_every_missing_extension_and_role_is_named_once() -> None:
    """The order is that of the first message."""
    names = ("b", "a", "b")
    log = "".join(
        f'{AT}0A000 ERROR:  0A000: extension "{name}" is not available\n'
        f"{AT}0A000 LOCATION:  x, extension.c:1\n"
        for name in names
    )
    text = "".join(
        f'pg_restore: error: ERROR:  extension "{name}" is not available\n' for name in names
    )
    roles = "".join(f'pg_restore: error: ERROR:  role "{name}" does not exist\n' for name in names)

    error = blame("x", complaints(text), server_errors.parse(log))

    assert "lack the extension b, a (and 2 more errors)" in error.problem
    assert missing_roles(complaints(roles)) == ["b", "a"]


def test_a_long_word_does_not_hold_the_judgement_up() -> None:
    """A name of 100,000 characters in a message took minutes: a pattern is quadratic in it."""
    line = f'22023 ERROR:  22023: could not create locale "{"x" * 1_000_000}"'
    location = "createdb, dbcommands.c:1046"

    error = blame("psql, x.sql", complaints(stderr_of(line)), errors_of(line, location))

    assert type(error) is HarnessError
    assert "locale" in error.problem
