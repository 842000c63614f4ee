"""A dump's table of contents, and choosing tables from it."""

from __future__ import annotations

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.dump.loading.tables import choose_tables, use_list
from pytest_pgrestore.sources.dump.reading import toc

LISTING = """;
; Archive created at 2026-11-22 23:08:01 UTC
;     dbname: shop
;
1; 1262 1 DATABASE - shop app
2; 2615 2 SCHEMA - we ird postgres
3; 1247 3 TYPE public mood app
4; 1259 4 TABLE public orders Odd Role
;\tdepends on: 3
5; 1259 5 TABLE public lines app
6; 1259 6 TABLE we ird t able postgres
;\tdepends on: 2
7; 0 0 ACL public TABLE orders Odd Role
;\tdepends on: 4
8; 0 4 TABLE DATA public orders Odd Role
;\tdepends on: 4
9; 0 5 TABLE DATA public lines app
;\tdepends on: 5
10; 0 6 TABLE DATA we ird t able postgres
;\tdepends on: 6
11; 2606 11 CONSTRAINT public orders orders_pkey Odd Role
;\tdepends on: 4
12; 2606 12 FK CONSTRAINT public lines lines_order_fkey app
;\tdepends on: 5 4 11 999
13; 1255 13 FUNCTION public trap() app
"""


def comment(kind: str, schema: str, name: str, owner: str, body: str = "") -> str:
    """Return an entry of the SQL as pg_restore writes it."""
    return f"--\n-- Name: {name}; Type: {kind}; Schema: {schema}; Owner: {owner}\n--\n\n{body}\n\n"


SCRIPT = (
    comment(
        "DATABASE",
        "-",
        "shop",
        "app",
        "CREATE DATABASE shop WITH TEMPLATE = template0;\n\\connect shop",
    )
    + comment("SCHEMA", "-", "we ird", "postgres")
    + comment("TYPE", "public", "mood", "app")
    + comment("TABLE", "public", "orders", "Odd Role")
    + comment("TABLE", "public", "lines", "app")
    + comment("TABLE", "we ird", "t able", "postgres")
    + comment(
        "ACL",
        "public",
        "TABLE orders",
        "Odd Role",
        'GRANT SELECT ON TABLE public.orders TO "the ""reader""";',
    )
    + comment("CONSTRAINT", "public", "orders orders_pkey", "Odd Role")
    + comment("FK CONSTRAINT", "public", "lines lines_order_fkey", "app")
    + comment(
        "FUNCTION",
        "public",
        "trap()",
        "app",
        comment("TABLE", "public", "imitated", "nobody_at_all"),
    )
)


@pytest.fixture
def contents() -> toc.Toc:
    """A small archive's contents: names with spaces, and a function that imitates an entry."""
    return toc.parse(LISTING, SCRIPT)


def test_names_with_spaces_are_told_apart(contents: toc.Toc) -> None:
    """The list alone does not show where the schema's name ends."""
    tables = [(entry.schema, entry.name, entry.owner) for entry in contents.of_type("TABLE")]

    assert tables == [
        ("public", "orders", "Odd Role"),
        ("public", "lines", "app"),
        ("we ird", "t able", "postgres"),
    ]


def test_an_entry_that_a_functions_body_imitates_is_none(contents: toc.Toc) -> None:
    """Otherwise it would be reported as missing, and its owner, too."""
    assert "imitated" not in {entry.name for entry in contents.entries}
    assert "nobody_at_all" not in contents.roles


def test_owners_and_grantees_are_needed_roles(contents: toc.Toc) -> None:
    """Only the SQL names grantees."""
    assert contents.roles == ("Odd Role", "app", "postgres", 'the "reader"')


def test_the_databases_statements_are_kept_without_psqls_commands(contents: toc.Toc) -> None:
    """They create the database with its encoding and locale."""
    assert "CREATE DATABASE shop" in contents.database_sql
    assert "\\connect" not in contents.database_sql


def test_tables_with_rows_are_known(contents: toc.Toc) -> None:
    """A drill of data alone compares only these."""
    assert {entry.name for entry in contents.filled} == {"orders", "lines", "t able"}


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (("orders",), {3, 4, 7, 8, 11}),
        (("public.lines",), {5, 9}),
        (("orders", "lines"), {3, 4, 5, 7, 8, 9, 11, 12}),
        (("we ird.t able",), {2, 6, 10}),
    ],
    ids=["with-type-and-key", "foreign-key-stays", "foreign-key-comes", "spaces"],
)
def test_a_table_brings_what_belongs_to_it(
    contents: toc.Toc, wanted: tuple[str, ...], ids: set[int]
) -> None:
    """A foreign key to a table that is left out does not come."""
    assert choose_tables(contents, wanted) == ids


def test_the_list_for_pg_restore_keeps_the_archives_order(contents: toc.Toc) -> None:
    """pg_restore restores in the order of the list."""
    lines = use_list(contents, {8, 4, 3}).splitlines()

    assert [line.partition(";")[0] for line in lines] == ["3", "4", "8"]


def test_an_unknown_table_is_a_finding_that_lists_the_known(contents: toc.Toc) -> None:
    """A typo must not pass by restoring nothing."""
    with pytest.raises(
        BackupNotRestorable, match=r"invoices is not in the dump; it holds public\.lines"
    ):
        choose_tables(contents, ("invoices",))
