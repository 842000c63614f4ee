"""What an SQL error is about: the backup, the statement that raised it, or this run.

Source: PostgreSQL docs, appendix "Error Codes". Imports nothing of ours.
"""

from __future__ import annotations

from enum import Enum


class Blame(Enum):
    """Who is to blame for an SQL error."""

    BACKUP = "backup"
    """What is there, or is missing, in the restored copy: a finding."""

    MISTAKE = "mistake"
    """The statement itself: it fails on any data."""

    HERE = "here"
    """This run: its limits, its connection, its disk."""


CLASSES = {
    "00": Blame.MISTAKE,  # success: never an error
    "01": Blame.MISTAKE,  # warnings: no error, unless one is raised with such a code
    "02": Blame.BACKUP,  # no data
    "03": Blame.MISTAKE,  # statement not yet complete
    "08": Blame.HERE,  # connection
    "09": Blame.BACKUP,  # a trigger of the backup's failed
    "0A": Blame.MISTAKE,  # feature not supported
    "0B": Blame.MISTAKE,  # transaction initiation
    "0F": Blame.MISTAKE,  # locator
    "0L": Blame.MISTAKE,  # grantor
    "0P": Blame.BACKUP,  # role specification
    "0Z": Blame.MISTAKE,  # diagnostics outside of a handler
    "10": Blame.MISTAKE,  # XQuery
    "20": Blame.BACKUP,  # no branch of a CASE fits the data
    "21": Blame.BACKUP,  # more rows than one
    "22": Blame.BACKUP,  # data; see _MISTAKES for those of the statement alone
    "23": Blame.BACKUP,  # integrity constraints
    "24": Blame.MISTAKE,  # cursor state
    "25": Blame.MISTAKE,  # transaction state: a write on a read-only connection, for example
    "26": Blame.MISTAKE,  # name of a prepared statement
    "27": Blame.BACKUP,  # a trigger changed what is being changed
    "28": Blame.HERE,  # how we log in; a role that is missing is another matter
    "2B": Blame.MISTAKE,  # drop of what others depend on
    "2D": Blame.MISTAKE,  # transaction termination
    "2F": Blame.BACKUP,  # a function of the backup's
    "34": Blame.MISTAKE,  # name of a cursor
    "38": Blame.BACKUP,  # a function of the backup's, in another language
    "39": Blame.BACKUP,  # likewise
    "3B": Blame.MISTAKE,  # savepoint
    "3D": Blame.BACKUP,  # a database is missing
    "3F": Blame.BACKUP,  # a schema is missing
    "40": Blame.HERE,  # rolled back: deadlock, serialization
    "42": Blame.BACKUP,  # tables, columns, functions, grants; see _MISTAKES
    "44": Blame.BACKUP,  # check option of a view
    "53": Blame.HERE,  # resources: disk full, out of memory, too many connections
    "54": Blame.MISTAKE,  # too complex: program limits
    "55": Blame.HERE,  # locked, in use, not loaded
    "57": Blame.HERE,  # canceled, shut down
    "58": Blame.HERE,  # system error; lost files are recognized by `model/damage.py`
    "72": Blame.HERE,  # snapshot too old
    "F0": Blame.HERE,  # configuration file
    "HV": Blame.HERE,  # foreign servers are out of reach on purpose
    "P0": Blame.BACKUP,  # raised in PL/pgSQL
    "XX": Blame.BACKUP,  # internal error, damage
}
"""Of every class; one that is not here was raised by a function of the backup's."""

_MISTAKES = frozenset(
    {
        # Arithmetic and arguments of functions.
        *("22012", "2201E", "2201F", "2201G", "22013", "22014", "22016", "2201W", "2201X"),
        *("2202G", "2202H"),
        # Patterns, and how they are escaped.
        *("2201B", "2200B", "2200C", "2200D", "22019", "22025", "22P06"),
        # Syntax, and names of any kind that are no names.
        *("42000", "42601", "42602", "42611", "42622", "42939"),
        # Types that do not go together.
        *("42804", "42846", "42P18", "42P21", "42P22"),
        # Parameters.
        *("42P02", "42P08"),
        # Shape of a query: grouping, windows, recursion, ambiguous names.
        *("42803", "42P19", "42P20", "42P10", "42702", "42712", "42725", "42P09", "42809"),
        # Definitions, and writes of generated columns.
        *("42P11", "42P12", "42P13", "42P14", "42P15", "42P16", "42P17", "428C9"),
        # What the session itself has made.
        *("42P03", "42P05"),
    }
)
"""SQLSTATEs of a class that is about the backup, which the statement alone causes."""

_BY_WORDS = {
    # The role of a login is missing, or may not log in.
    "28000": (('role "',), Blame.BACKUP),
    # Nobody filled a materialized view: pg_restore left it out, say.
    "55000": (("materialized view",), Blame.BACKUP),
    "42883": (("operator does not exist",), Blame.MISTAKE),
    "42P01": (("missing FROM-clause", "invalid reference to FROM-clause"), Blame.MISTAKE),
    "42P10": (("there is no unique or exclusion constraint",), Blame.BACKUP),
    "22023": (("invalid value for parameter", "parameter "), Blame.MISTAKE),
}
"""The same SQLSTATE, another meaning: the beginning of the server's words (lc_messages = C)."""

_DATA_EXCEPTION = "22"
_OF_PARAMETER = "portal parameter $"
"""In the context of a parameter's value that cannot be read. Source: bind_param_error_callback in
src/backend/tcop/postgres.c (16 and later)."""


def blame_of(
    state: str, message: str | None, position: str | None = None, context: str | None = None
) -> Blame:
    """Return who is to blame for an error.

    Args:
        state: SQLSTATE; "" for an error of the client or of the connection.
        message: The server's primary message.
        position: Of the place in the statement that the server points at.
        context: The server's.
    """
    if state in _BY_WORDS:
        beginnings, blame = _BY_WORDS[state]
        if (message or "").startswith(beginnings):
            return blame
    if state in _MISTAKES:
        return Blame.MISTAKE
    if state.startswith(_DATA_EXCEPTION) and (position or _OF_PARAMETER in (context or "")):
        # A literal or a parameter cannot be read. A value of a row has no place in the statement.
        return Blame.MISTAKE
    return CLASSES.get(state[:2], Blame.BACKUP) if state else Blame.HERE


def is_own_mistake(
    state: str | None,
    message: str | None,
    position: str | None = None,
    context: str | None = None,
) -> bool:
    """Return whether an error says nothing about the data: the statement itself is wrong.

    A missing table, column or function may be missing in the backup: it is none.

    Args:
        state: SQLSTATE; None without one.
        message: The server's primary message.
        position: As in `blame_of`.
        context: As in `blame_of`.
    """
    return bool(state) and blame_of(state or "", message, position, context) is Blame.MISTAKE
