"""A server log without rows, as it is saved beside the reports."""

from __future__ import annotations

import re

_PRIVATE = re.compile(
    r"(DETAIL|CONTEXT|STATEMENT|QUERY|\b(?:22|P0)\w{3} (?:ERROR|WARNING|NOTICE|LOG)):  .*(?:\n\t.*)*"
)
"""Details, and messages of the classes of SQLSTATE that quote values: data exceptions, PL/pgSQL's own RAISE."""

_NOT_KEPT = "(not kept: it may quote rows)"


_RAISE = re.compile(
    r"\b(ERROR|WARNING|NOTICE|INFO|LOG):  .*(?:\n\t.*)*"
    r"(?:\n.*?(?:DETAIL|HINT):  .*(?:\n\t.*)*)*(?=\n.*?CONTEXT:  .* at RAISE\b)"
)
"""A message of PL/pgSQL's RAISE with a SQLSTATE of its author's choice, up to the context that tells it by."""


def without_values(text: str, keep_until: str = "ready to accept connections") -> str:
    """Return the log with details that may quote rows blanked, from the moment clients could log in."""
    head, mark, rest = text.partition(keep_until)
    return head + mark + _PRIVATE.sub(rf"\1:  {_NOT_KEPT}", _RAISE.sub(rf"\1:  {_NOT_KEPT}", rest))
