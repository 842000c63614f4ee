"""The messages of psql, pg_restore and the server that are judged. Long: one table, a row for each.

A row says what a message means, whose fault it is, and what to do. `HERE` is for what this machine
lacks: nothing was learned about the backup. Every other error is the backup's. A row with SQLSTATEs
is for the server's own errors (`server_errors.py`), one without is for the tools' own messages.

Sources: PostgreSQL docs, "PostgreSQL Error Codes"; the file of each message is beside its row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HERE = "here"
"""Something is missing on this machine."""
BACKUP = "backup"
"""The backup is bad, or lacks something."""
MACHINE = "machine"
"""The disk, the memory or the server ended the load: whatever else is reported may follow."""
OUTSIDE = "outside"
"""A dump of one database does not carry it: missing here, unless the backup was to bring it."""
PRELUDE = "prelude"
"""The user's own settings cause it, if `before` or `skip_extensions` is set; otherwise BACKUP."""

INSTALL_EXTENSION = (
    "install its package: name it in sandbox.packages (Docker), or set sandbox.bindir to a server"
    " that has it; skip_extensions in the source leaves an extension out."
)
SET_OWNERS = (
    'set owners = false in the source, or add globals = "..." (output of pg_dumpall --globals-only'
    " --no-role-passwords)."
)
_OWN_MAJOR = (
    "the dump sets what this PostgreSQL does not know: install its own major version (docker:"
    " sandbox.base_image, local: sandbox.bindir), with its extensions."
)
_LOCALES = (
    "add the locale to this machine (Debian: locale-gen), or name it in sandbox.locales (Docker)."
)
_SERVER_LOG = "read the saved server log: the sandbox's server ended or refused."


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes:
        subject: What it is about, for tests and readers.
        pattern: Part of the message. Its first group, if any, is the name of what is missing.
        states: SQLSTATEs of the server, or beginnings of them; empty for a message of a tool.
        verdict: One of the words above.
        hint: What to do; ``{0}`` is the name.
        lacks: Words before the names of what is missing, to name them all; empty for the message.
        prefix: Words before the message.
    """

    subject: str
    pattern: re.Pattern[str]
    states: tuple[str, ...]
    verdict: str
    hint: str
    lacks: str = ""
    prefix: str = ""


def _row(
    subject: str,
    states: str,
    verdict: str,
    pattern: str,
    hint: str,
    *,
    lacks: str = "",
    prefix: str = "",
) -> Row:
    return Row(subject, re.compile(pattern), tuple(states.split()), verdict, hint, lacks, prefix)


TABLE = (
    # The machine. fd.c and md.c; mcxt.c; lock.c; proc.c and postmaster.c; postgres.c.
    _row(
        "shared memory",
        "53100 53200",
        MACHINE,
        "shared memory segment",
        "give the server more shared memory: sandbox.shm_size (Docker), or a larger /dev/shm.",
    ),
    _row("disk", "53100", MACHINE, "", "free the disk or set sandbox.directory to a larger one."),
    _row(
        "locks",
        "53200",
        MACHINE,
        "out of shared memory",
        "the dump opens more objects in one transaction than this server has locks for: take it"
        " without a transaction around it, or restore it by hand with a larger"
        " max_locks_per_transaction.",
    ),
    _row("memory", "53200", MACHINE, "", "give the sandbox more memory (Docker: sandbox.memory)."),
    _row("connections", "53300", MACHINE, "", "lower `jobs` in the source."),
    _row("limits", "53", MACHINE, "", _SERVER_LOG),
    _row("server ended", "57P", MACHINE, "", _SERVER_LOG),
    _row(
        "stack",
        "54001",
        HERE,
        "",
        "production may allow a deeper stack: restore it by hand with its max_stack_depth.",
    ),
    # Extensions and their libraries. extension.c; dfmgr.c; proclang.c; the extensions' _PG_init.
    _row(
        "extension",
        "0A000 58P01 22023",
        HERE,
        r'extension "([^"]+)" is not available|extension control file ".*/([^/"]+)\.control"'
        r'|extension "([^"]+)" has no installation script',
        INSTALL_EXTENSION,
        lacks="the PostgreSQL programs used here lack the extension",
    ),
    _row(
        "preloaded library",
        "55000 XX000 0A000 58 F0000 22023",
        HERE,
        r"(\w+)\"? (?:must|can only|has to|needs to|should) be (?:pre)?loaded"
        r"|(\w+) is not in shared_preload_libraries"
        r"|requires? (\w+) .*shared_preload_libraries",
        "production's shared_preload_libraries names it. The drill preloads only extensions that it"
        ' knows to be harmless; skip_extensions = ["{0}"] leaves it out.',
        prefix="an extension must be loaded by shared_preload_libraries: ",
    ),
    _row(
        "settings of a preloaded library",
        "42704",
        HERE,
        r'unrecognized configuration parameter "(cron|timescaledb|citus|pglogical|pgsodium|net)\.',
        "the library of this setting must be in shared_preload_libraries, and is not installed"
        " here: install it, or leave its extension out with skip_extensions.",
        prefix="an extension must be loaded by shared_preload_libraries: ",
    ),
    _row(
        "library",
        "58P01 42883 XX000 22023",
        HERE,
        r'could not access file "([^"]*)"|could not load library|could not find function "[^"]*" in'
        r" file|incompatible library",
        "install the package that has this library (Docker: sandbox.packages), or set"
        " sandbox.bindir to a server that has it.",
    ),
    _row(
        "language",
        "42704",
        HERE,
        r'language "([^"]+)" does not exist',
        "install the package of the language, for example postgresql-plperl-15 (Docker:"
        " sandbox.packages), or set sandbox.bindir to a server that has it.",
    ),
    _row(
        "access method",
        "42704",
        HERE,
        r'access method "([^"]+)" does not exist',
        INSTALL_EXTENSION,
    ),
    # Locales and collations. pg_locale.c; dbcommands.c; collationcmds.c; namespace.c.
    _row(
        "locale",
        "42809 22023 42602 58",
        HERE,
        r'invalid (?:LC_COLLATE |LC_CTYPE )?locale name: "([^"]*)|could not create locale'
        r'|could not open collator for locale|ICU locale "([^"]*)"|to language tag'
        r'|invalid value for parameter "lc_\w+"|does not match locale',
        _LOCALES,
        prefix="a locale is missing on this machine: ",
    ),
    _row(
        "collation",
        "42704",
        HERE,
        r'collation "(pg_catalog\.[^"]*|[^".]+|[^".]+\.[Uu][Tt][Ff]-?8)"'
        r' (?:for encoding "\S+" )?does not exist',
        _LOCALES
        + " Collations of ICU need a server that is built with it; pg_import_system_collations"
        " knows a new locale only in a new cluster.",
        prefix="a locale is missing on this machine: ",
    ),
    _row(
        "ICU",
        "0A000",
        HERE,
        "ICU is not supported",
        "set sandbox.bindir to PostgreSQL programs built with ICU, or use Docker.",
    ),
    _row(
        "time zone",
        "22023",
        HERE,
        r'invalid value for parameter "(?:TimeZone|timezone_abbreviations|log_timezone)"'
        r'|time zone "[^"]*" not recognized',
        "install the time zones of the system (Debian: tzdata, tzdata-legacy).",
    ),
    _row(
        "encoding",
        "42883 0A000",
        HERE,
        r'default conversion function for encoding|invalid value for parameter "client_encoding"'
        r"|encoding \S+ (?:is )?not supported",
        "the new database has another encoding than the dump: take the dump with --create, which"
        " carries its own.",
    ),
    # Files of text search. ts_locale.c, dict_*.c, spell.c.
    _row(
        "text search file",
        "F0000 58P01",
        HERE,
        r"could not open (?:\w+ )*(?:dictionary|stop-word|thesaurus|affix|synonym)\w* file",
        "install the file below tsearch_data of the PostgreSQL programs used here (Debian:"
        " hunspell packages; Docker: sandbox.packages or sandbox.image).",
    ),
    # What the build or the major lacks. guc.c; xml.c; toast_compression.c.
    _row(
        "setting of another major",
        "42704 22023",
        HERE,
        r'unrecognized configuration parameter "([^"]*)"'
        r'|invalid value for parameter "default_table_access_method"',
        _OWN_MAJOR,
    ),
    _row(
        "option of another major",
        "42601 42P17",
        HERE,
        r'^option "\w+" not recognized|unrecognized (?:locale|collation) provider',
        _OWN_MAJOR,
    ),
    _row(
        "build",
        "0A000",
        HERE,
        r"not supported by this build|unsupported XML feature|compression method \S+ not supported",
        "set sandbox.bindir to PostgreSQL programs built with that.",
    ),
    # What a dump of one database does not carry. acl.c, user.c; tablespace.c; namespace.c.
    _row("role", "42704", OUTSIDE, r'role "(.*?)" does not exist', SET_OWNERS),
    _row(
        "tablespace",
        "42704",
        OUTSIDE,
        r'tablespace "(.*?)" does not exist',
        'add globals = "..." (output of pg_dumpall --globals-only), which makes the tablespaces'
        " inside the sandbox.",
    ),
    _row(
        "schema",
        "3F000",
        OUTSIDE,
        r'schema "(.*?)" does not exist',
        'name an SQL file in before = "..." of the source, which makes what the dump expects'
        " (CREATE SCHEMA), or let pg_dump take that schema, too.",
    ),
    # What the user's own settings cause. parse_type.c, parse_func.c, parse_relation.c, heap.c.
    _row(
        "already made",
        "42710 42P06 42P07 42723",
        PRELUDE,
        "already exists",
        "the file of `before` makes it, and so does the dump: take it out of the file.",
    ),
    _row(
        "needs what was left out",
        "42704 42883 42P01 42703",
        PRELUDE,
        "does not exist",
        "the dump needs it: let the file of `before` make it, or take its extension out of"
        " skip_extensions.",
    ),
    # Messages of the tools. pg_backup_*.c, compress_io.c, fe-connect.c, psql's common.c.
    _row(
        "version of the archive",
        "",
        HERE,
        r"unsupported version \(",
        "the dump was made by a newer pg_dump: install that PostgreSQL version, and name it in"
        " sandbox.bindir; in containers, name an image with it in sandbox.base_image.",
    ),
    _row(
        "restricted mode",
        "",
        HERE,
        r"invalid command \\(?:un)?restrict",
        "the dump was made by a newer minor version: update the PostgreSQL programs used here.",
    ),
    _row(
        "hidden command",
        "",
        HERE,
        "backslash commands are restricted",
        "the dump hides a psql command, which could run programs on this machine: find out who"
        " wrote it.",
        prefix="psql refused a command: ",
    ),
    _row(
        "compression",
        "",
        HERE,
        r"not supported by this build|does not support compression|this build does not support"
        r"|compression is? ?not supported in this installation",
        "set sandbox.bindir to PostgreSQL programs built with that compression.",
    ),
    _row(
        "permission",
        "",
        HERE,
        r"could not open (?:input|output|TOC) file .*: Permission denied|Permission denied$",
        "run the drill as a user who may read the backup.",
    ),
    _row(
        "disk of a tool",
        "",
        MACHINE,
        r"No space left on device|Disk quota exceeded",
        "free the disk or set sandbox.directory to a larger one.",
    ),
    _row(
        "lost server",
        "",
        MACHINE,
        r"server closed the connection|connection to server .*(?:failed|was lost)"
        r"|terminating connection|no connection to the server",
        _SERVER_LOG,
    ),
    _row(
        "memory of a tool",
        "",
        MACHINE,
        r"^out of memory|could not (?:fork|create \w+ process|create worker)"
        r"|Cannot allocate memory",
        "give the sandbox more memory, or lower `jobs` in the source.",
    ),
    _row(
        "damaged",
        "",
        BACKUP,
        r"end of file|unexpected end|could not read|could not find block|could not uncompress"
        r"|could not decompress|corrupt|did not find magic|valid archive|checksum",
        "find out where pg_dump or the copy of its file was interrupted.",
        prefix="the dump is cut short or damaged: ",
    ),
)
"""The first row that matches a message counts."""
