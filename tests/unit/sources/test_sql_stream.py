"""SQL on its way into psql: rows pass unread, statements are seen whole, in any chunks."""

from __future__ import annotations

import pytest

from pytest_pgrestore.sources.dump.loading.role_names import roles_named
from pytest_pgrestore.sources.dump.loading.sql_stream import SqlStream

TRAP = b"CREATE TABLESPACE trap LOCATION '/production';\n"
DUMP = (
    b"CREATE ROLE a;\n\\connect shop\n\n"
    b"--\n-- Name: t; Type: TABLE; Schema: public; Owner: a\n--\n\n"
    b"CREATE TABLE public.t (v text);\nCOPY public.t (v) FROM stdin;\n" + TRAP + b"\\.\n\n\n"
    b"-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: a\n"
    b"\\connect -reuse-previous=on \"dbname='we ird'\"\n"
    b"-- Name: u; Type: TABLE; Schema: public; Owner: a\n"
    b"COPY public.u (v) FROM stdin;\n\\.\nALTER TABLE public.u OWNER TO a;\n-- the end"
)


@pytest.mark.parametrize("size", [1, 7, 64, len(DUMP)])
def test_rows_are_left_alone_and_statements_are_not(size: int) -> None:
    """A row that looks like a statement is data."""
    seen: list[bytes] = []

    def shout(stretch: bytes) -> bytes:
        seen.append(stretch)
        return stretch.replace(b"TABLE", b"Table")

    stream = SqlStream((DUMP[start : start + size] for start in range(0, len(DUMP), size)), shout)
    sent = b"".join(stream)

    assert TRAP in sent
    assert TRAP not in b"".join(seen)
    assert sent.replace(b"Table", b"TABLE") == DUMP.replace(
        b"\\connect shop", b"\\connect -reuse-previous=on \"dbname='shop'\""
    ).replace(b"\"dbname='we ird'\"", b"\"dbname='we ird'\"")
    assert sent.count(b"CREATE Table public.t") == 1


@pytest.mark.parametrize("size", [1, 7, len(DUMP)])
def test_entries_are_known_by_database(size: int) -> None:
    """The contents of a whole cluster are compared database by database."""
    stream = SqlStream(
        (DUMP[start : start + size] for start in range(0, len(DUMP), size)), lambda stretch: stretch
    )
    list(stream)

    names = {
        database: [entry.name for entry in entries] for database, entries in stream.entries.items()
    }
    assert names == {"shop": ["t"], "we ird": ["u"]}
    assert stream.finished
    assert stream.databases == ["shop", "we ird"]


@pytest.mark.parametrize(
    ("sql", "roles"),
    [
        ("ALTER TABLE public.t OWNER TO app;", ["app"]),
        ('GRANT SELECT ON TABLE public.t TO "Odd Role";', ["Odd Role"]),
        ("GRANT SELECT ON TABLE public.t TO reader WITH GRANT OPTION;", ["reader"]),
        (
            (
                "ALTER DEFAULT PRIVILEGES FOR ROLE boss IN SCHEMA public"
                " GRANT SELECT ON TABLES TO PUBLIC;"
            ),
            ["boss"],
        ),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE boss REVOKE ALL ON TABLES FROM clerk;",
            ["boss", "clerk"],
        ),
        ("GRANT USAGE ON SCHEMA public TO PUBLIC;", []),
        ("ALTER ROLE anna IN DATABASE shop SET search_path TO x;", ["anna"]),
        ("ALTER ROLE anna WITH LOGIN;", []),
        ("GRANT pg_monitor TO watcher;", ["watcher"]),
        (
            "CREATE POLICY p ON public.t FOR SELECT TO a, \"B c\" USING ((x = 'TO d'::text));",
            ["a", "B c"],
        ),
        ("CREATE USER MAPPING FOR anna SERVER s OPTIONS (password 'x');", ["anna"]),
        ('ALTER TABLE public."a\nb OWNER TO c" OWNER TO d;', ["d"]),
        ('GRANT x TO "y TO z";', ["y TO z"]),
        ("ALTER TABLE t OWNER TO CURRENT_USER;", []),
        ("ALTER TABLE t /* /* */ OWNER TO a */ OWNER TO b;", ["b"]),
        ("  ALTER TABLE t ADD COLUMN inside int;", []),
    ],
)
def test_the_roles_that_a_statement_needs_are_found(sql: str, roles: list[str]) -> None:
    """All of them are named in one message, or created without rights."""
    assert roles_named(sql.encode()) == roles
