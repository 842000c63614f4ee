"""Names and settings of a backup that are read as something else: row 11, and those not tried."""

from __future__ import annotations

import re

from tests.plugin.hostile import dumps
from tests.plugin.hostile.worlds import ANY, DAMAGED, REFUSED, World

COMMANDS = (
    "::error::owned",
    "::add-mask::owned",
    "##vso[task.setvariable variable=owned]1",
    "##[error]owned",
    "section_start:0:owned[collapsed=true]",
    "=cmd|'/C calc'!A0",
)
"""Lines that a CI system obeys: GitHub, Azure and GitLab; and a formula of a spreadsheet."""

ESCAPES = ("\x1b[2J", "\x1b]8;;http://owned\x07", "\x9b2J", "\u202e", "\u2066", "\x07", "\r")
"""What a terminal obeys: clear, link, C1, right to left, isolate, bell, begin the line again."""

PAYLOAD = "".join(
    f"{escape}\n{command}" for escape, command in zip(ESCAPES, (*COMMANDS, "x"), strict=True)
)
OBEYED = re.compile(r"^\s*(?:::(?:error|add-mask)|section_start:|=cmd)|##vso\[|##\[", re.MULTILINE)
"""GitHub's runner and Azure's agent look for the last two anywhere in a line.

Source: actions/runner, src/Runner.Common/ActionCommand.cs, TryParse.
"""

RAW = re.compile("[\x1b\x9b\u202a-\u202e\u2066-\u2069\x07]|\r(?!\n)")

_NAMES = """
import psycopg
import pytest
from psycopg import sql

@pytest.mark.pgrestore("{name}")
def test_names_in_an_error(pgrestore_conn):
    query = "select relname from pg_class where relname like '%owned%' and relkind = 'r'"
    (found,) = pgrestore_conn.execute(query).fetchone()
    pgrestore_conn.execute(sql.SQL("select * from {}").format(sql.Identifier(found + "x")))

@pytest.mark.pgrestore("{name}")
def test_names_in_an_assertion(pgrestore_conn):
    query = "select relname from pg_class where relname like '%owned%' and relkind = 'r'"
    assert pgrestore_conn.execute(query).fetchone() == ("nothing",)

@pytest.mark.pgrestore("{name}")
def test_names_in_an_exception(pgrestore_conn):
    query = "select relname from pg_class where relname like '%owned%' and relkind = 'r'"
    raise RuntimeError(pgrestore_conn.execute(query).fetchone()[0])
"""


def spoken(world: World) -> None:
    """Row 11: names of objects that a terminal or a CI system obeys."""
    parts = [f"{escape}owned\n{command}" for escape in ESCAPES for command in COMMANDS]
    names = "".join(f"create table {_quoted(part)} ();\n" for part in parts)
    world.dump("names", names, DAMAGED, test=_NAMES)
    for number, command in enumerate(COMMANDS):
        escape = ESCAPES[number]
        missing = _quoted(f"{escape}owned\n{command}")
        world.dump(f"error_{number}", f"alter table {missing} add x integer;\n", DAMAGED)
        comment = (
            f"--\n-- Name: {escape}{command}; Type: TABLE; Schema: public; Owner: postgres\n--\n"
        )
        world.dump(f"promise_{number}", comment, DAMAGED)
    raised = "do $$ begin raise exception E'%', convert_from('\\x{}', 'UTF8'); end $$;\n"
    world.dump("raised", raised.format(PAYLOAD.encode().hex()), DAMAGED)
    warned = raised.replace("exception", "warning")
    world.dump("warned", warned.format(PAYLOAD.encode().hex()), ANY)


def cyclic(world: World) -> None:
    """Not tried: entries of a table of contents that depend on each other."""
    for name, more in (("cycle", ""), ("cycle_tables", 'tables = ["public.orders"]\n')):
        directory = dumps.with_cycle(world.lab.take("directory", world.place / name))
        world.add_dump(name, directory, ANY, more)


def localed(world: World) -> None:
    """Not tried: names of locales."""
    names = {
        "path": "../../../../etc/passwd",
        "long": "x" * 100_000,
        "escape": "\x1b[2J\u202e",
        "format": "%s%n%(x)s{0}",
        "quote": "''; drop database postgres; --",
    }
    for name, locale in names.items():
        sql = f"CREATE DATABASE other TEMPLATE template0 ENCODING = 'UTF8' LOCALE = '{locale}';\n"
        world.dump(f"locale_{name}", sql, ANY, cluster=True)
        world.dump(f"collation_{name}", f"create collation c (locale = '{locale}');\n", REFUSED)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""')[:60] + '"'
