"""The SQL of an archive, read as psql reads it."""

from __future__ import annotations

from pytest_pgrestore.sources.dump.archive_script import sections_of

DATABASE = (
    "--\n-- Name: shop; Type: DATABASE; Schema: -; Owner: app\n--\n\n"
    "CREATE DATABASE shop WITH TEMPLATE = template0;\n\n\n\\connect shop\n\n"
)
BODY = DATABASE.replace("template0", "evil")
FUNCTION = (
    "--\n-- Name: f(); Type: FUNCTION; Schema: public; Owner: app\n--\n\n"
    f"CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $$ select '{BODY}' $$;\n\n"
)


def test_a_functions_body_is_no_part_of_the_dump() -> None:
    """It held the comments of the same database, with other statements."""
    sections = sections_of(DATABASE + FUNCTION + FUNCTION.replace("f()", "g()"))

    assert [section.entry.name for section in sections] == ["shop", "f()", "g()"]
    assert sections[0].text == "CREATE DATABASE shop WITH TEMPLATE = template0;\n"


def test_sql_that_the_lexer_refuses_is_read_line_by_line() -> None:
    """pg_restore loads it without psql, so it is no reason to refuse the archive."""
    odd = "--\n-- Name: t; Type: TABLE; Schema: public; Owner: app\n--\n\nselect 1e'\\'';\n"

    assert [section.entry.name for section in sections_of(DATABASE + odd)] == ["shop", "t"]
