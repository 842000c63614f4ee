"""Parameters of an assertion's SQL: ``:name`` in the text, bound as a value and never pasted in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.assertions.statement import Token, tokens
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.suggest import known_names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

GIVEN = {
    "backup_at": "the backup has no time in it; add taken_at to a source of type dump.",
    "drill_started_at": "report it: every drill has a begin.",
    "recovered_to": "the backup has no time in it; add taken_at to a source of type dump.",
}
"""Parameters that every assertion has, moments of its drill, and a hint for an unknown one.

``now()`` is the hour of the drill, not that of the backup.
"""

_NAME = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class BoundSql:
    """SQL for psycopg.

    Attributes:
        text: With ``%(name)s`` for each parameter, and each other per cent sign doubled.
        names: The parameters in it.
    """

    text: str
    names: frozenset[str]


def bind(sql: str, known: Collection[str]) -> BoundSql:
    """Return `sql` with its parameters as psycopg spells them.

    As in psql, a name right behind a colon is one: but not in a cast (``::text``), a slice
    (``a[1:n]``), a JSON constructor (``'key':value``), a string or a comment.

    Args:
        sql: The author's text.
        known: Names of all parameters.

    Raises:
        ConfigError: A parameter is not known.
    """
    parts: list[str] = []
    names = set()
    pieces = [*tokens(sql), Token("blank", "")]
    before = Token("blank", "")
    place = 0
    while place < len(pieces) - 1:
        token, following = pieces[place], pieces[place + 1]
        begins = token.text == ":" and following.kind == "word" and _may_stand_behind(before)
        if begins and _NAME.fullmatch(following.text) is not None:
            if following.text not in known:
                raise ConfigError(
                    f"unknown parameter :{following.text}", hint=known_names(following.text, known)
                )
            names.add(following.text)
            parts.append(f"%({following.text})s")
            before, place = following, place + 2
        else:
            parts.append(token.text.replace("%", "%%"))
            before, place = token, place + 1
    return BoundSql("".join(parts), frozenset(names))


def _may_stand_behind(token: Token) -> bool:
    """Return whether a parameter may follow a piece of SQL without a blank."""
    return token.kind == "blank" or (token.kind == "sign" and token.text not in {":", "]", ")"})


def checked(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return parameters whose names and values can be bound.

    Args:
        values: By name.
        where: The key that gives them, for the error.

    Raises:
        ConfigError: A name is not in lower case or is one of ours, or a value is a table.
    """
    for name, value in values.items():
        if _NAME.fullmatch(name) is None:
            raise ConfigError(
                f"{where}: {name!r} is no name of a parameter",
                hint="write small letters, digits and underscores, a letter first.",
            )
        if name in GIVEN:
            raise ConfigError(
                f"{where}: {name} is given by the drill", hint="give yours another name."
            )
        if isinstance(value, dict):
            raise ConfigError(
                f"{where}: {name} is a table", hint="write a text, a number, a date or a list."
            )
    return dict(values)
