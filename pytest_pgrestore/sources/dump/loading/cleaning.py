"""The statements of ``--clean`` in front of a dump, which drop what may not be there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.sources.dump.loading.sql_tokens import at, begins

if TYPE_CHECKING:
    from pytest_pgrestore.sources.dump.loading.sql_tokens import Token

_ONE_WORD = (
    *("VIEW", "SEQUENCE", "INDEX", "FUNCTION", "PROCEDURE", "AGGREGATE", "TYPE", "DOMAIN"),
    *("EXTENSION", "TRIGGER", "RULE", "POLICY", "PUBLICATION", "OPERATOR", "COLLATION"),
    *("STATISTICS", "SERVER", "CAST", "ROLE"),
)
_KINDS = (
    ("TABLE",),
    ("TEXT", "SEARCH", "CONFIGURATION"),
    ("TEXT", "SEARCH", "DICTIONARY"),
    ("FOREIGN", "DATA", "WRAPPER"),
    ("MATERIALIZED", "VIEW"),
    ("FOREIGN", "TABLE"),
    ("EVENT", "TRIGGER"),
    ("USER", "MAPPING"),
    ("OPERATOR", "CLASS"),
    ("OPERATOR", "FAMILY"),
    *(
        (word,)
        for word in [
            "VIEW",
            "SEQUENCE",
            "INDEX",
            "FUNCTION",
            "PROCEDURE",
            "AGGREGATE",
            "TYPE",
            "DOMAIN",
        ]
    ),
    *(
        (word,)
        for word in [
            "EXTENSION",
            "TRIGGER",
            "RULE",
            "POLICY",
            "PUBLICATION",
            "OPERATOR",
            "COLLATION",
        ]
    ),
    *((word,) for word in ["STATISTICS", "SERVER", "CAST", "ROLE"]),
)


def if_exists(sql: bytes, found: list[Token]) -> bytes:
    """Return DROP or ALTER TABLE ... DROP that fails no more where the object is missing."""
    for kind in _KINDS:
        last = at(found, len(kind))
        if [token.keyword for token in found[1 : len(kind) + 1]] != list(kind):
            continue
        if at(found, len(kind) + 1).keyword == "IF" or not last.end:
            return sql
        if begins(found, "DROP") or kind == ("TABLE",):
            return sql[: last.end] + b" IF EXISTS" + sql[last.end :]
    return sql


def is_dummy_view(found: list[Token]) -> bool:
    """Return whether this is the view without rows that ends a circle.

    Source: src/bin/pg_dump/pg_dump.c, dumpRule and createDummyViewAsClause.
    """
    words = [token.keyword for token in found]
    return begins(found, "CREATE", "OR", "REPLACE", "VIEW") and any(
        words[place : place + 2] == ["SELECT", "NULL"] for place in range(len(words))
    )
