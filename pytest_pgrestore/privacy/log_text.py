"""The text of a log as it is saved beside the reports: without row values, and visible."""

from __future__ import annotations

import re

from pytest_pgrestore.model.visible import visible_lines

_PRIVATE = re.compile(
    r"(DETAIL|CONTEXT|STATEMENT|QUERY|\b(?:22|P0)\w{3} (?:ERROR|WARNING|NOTICE|LOG))"
    r":  .*(?:\n\t.*)*"
)
"""Details of any message, and messages whose SQLSTATE is of a class that quotes values.

These are the classes 22 (data exception) and P0 (PL/pgSQL, RAISE). The lines after the first one
begin with a tab. Source: PostgreSQL, src/backend/utils/error/elog.c, append_with_tabs.
"""

_RAISE = re.compile(
    r"\b(ERROR|WARNING|NOTICE|INFO|LOG):  .*(?:\n\t.*)*"
    r"(?:\n.*?(?:DETAIL|HINT):  .*(?:\n\t.*)*)*(?=\n.*?CONTEXT:  .* at RAISE\b)"
)
"""The message of a RAISE that chose its own SQLSTATE: only its CONTEXT line shows what it is."""

_NOT_KEPT = "(not kept: it may quote rows)"


def without_values(text: str, keep_until: str = "ready to accept connections") -> str:
    """Return the log with everything blanked that may quote rows, and each line made visible.

    Args:
        text: The log.
        keep_until: Lines before these words stay as they are: no client could log in yet.
    """
    head, mark, rest = text.partition(keep_until)
    kept = _PRIVATE.sub(rf"\1:  {_NOT_KEPT}", _RAISE.sub(rf"\1:  {_NOT_KEPT}", rest))
    return visible_lines(head + mark + kept, limit=None)
