"""The roles that a statement of a dump names: owners, grantors, grantees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.sources.dump.loading.sql_tokens import begins, tokens_of

if TYPE_CHECKING:
    from pytest_pgrestore.sources.dump.loading.sql_tokens import Token

_SPECIAL = frozenset({"current_role", "current_user", "session_user", "none"})
"""Words in the place of a role that are none. Source: PostgreSQL docs, ALTER TABLE, OWNER TO."""


def roles_named(sql: bytes) -> list[str]:
    """Return the roles that a statement names, in order; not PostgreSQL's predefined ones."""
    found = tokens_of(sql)
    if begins(found, "ALTER", "DEFAULT", "PRIVILEGES"):
        roles = _behind(found, "ROLE")[:1] + _last_list(found, "TO", "FROM")
    elif begins(found, "ALTER", "ROLE") and "IN" in [token.keyword for token in found[3:4]]:
        roles = found[2:3]  # ... IN DATABASE ... SET, which pg_dump writes with the database
    elif begins(found, "ALTER"):
        roles = _behind(found, "TO") if _owner(found) else []
    elif begins(found, "GRANT"):
        roles = _last_list(found, "TO")
    elif begins(found, "REVOKE"):
        roles = _last_list(found, "FROM")
    elif begins(found, "CREATE", "USER", "MAPPING"):
        roles = _behind(found, "FOR")[:1]
    elif begins(found, "CREATE", "SCHEMA"):
        roles = _behind(found, "AUTHORIZATION")[:1]
    elif begins(found, "CREATE", "POLICY"):
        roles = _behind(found, "TO")
    else:
        roles = []
    return [role.name for role in roles if _is_role(role)]


def _owner(found: list[Token]) -> bool:
    return len(found) > 4 and [token.keyword for token in found[-4:-2]] == ["OWNER", "TO"]  # noqa: PLR2004 - OWNER TO role ;


def _is_role(token: Token) -> bool:
    if token.kind == "name":
        return not token.name.startswith("pg_")
    return (
        token.kind == "word"
        and token.keyword != "PUBLIC"
        and not token.name.startswith("pg_")
        and token.name not in _SPECIAL
    )


def _behind(found: list[Token], word: str) -> list[Token]:
    """Return the names behind the first `word`, separated by commas, outside of parentheses."""
    depth = 0
    for place, token in enumerate(found):
        depth += (token.text == b"(") - (token.text == b")")
        if depth == 0 and token.keyword == word:
            return _list_from(found, place + 1)
    return []


def _last_list(found: list[Token], *words: str) -> list[Token]:
    """Return the names behind the last of `words`."""
    places = [place for place, token in enumerate(found) if token.keyword in words]
    return _list_from(found, places[-1] + 1) if places else []


def _list_from(found: list[Token], place: int) -> list[Token]:
    names = found[place : place + 1]
    while found[place + 1 : place + 2] and found[place + 1].text == b",":
        place += 2
        names += found[place : place + 1]
    return names
