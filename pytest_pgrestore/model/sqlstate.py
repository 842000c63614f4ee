"""What an SQL error is about: the backup, or the statement that raised it.

Source: PostgreSQL docs, appendix "Error Codes". Imports nothing of ours.
"""

from __future__ import annotations

_OWN_MISTAKES = frozenset(
    {
        "42601",  # syntax_error
        "22012",  # division_by_zero
        "42P02",  # undefined_parameter
        "42P18",  # indeterminate_datatype: of a parameter
        "42804",  # datatype_mismatch
        "42803",  # grouping_error
        "42702",  # ambiguous_column
        "42712",  # duplicate_alias
        "42P08",  # ambiguous_parameter
    }
)

_UNDEFINED_FUNCTION = "42883"
_OPERATOR = "operator does not exist"
"""The server's words (lc_messages = C) where an operator of these types is missing."""


def is_own_mistake(state: str | None, message: str | None) -> bool:
    """Return whether an error says nothing about the data: the statement itself is wrong.

    A missing table, column or function may be missing in the backup: it is none.

    Args:
        state: SQLSTATE; None without one.
        message: The server's primary message.
    """
    if state == _UNDEFINED_FUNCTION:
        return (message or "").startswith(_OPERATOR)
    return state in _OWN_MISTAKES
