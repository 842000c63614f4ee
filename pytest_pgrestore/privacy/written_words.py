"""Messages that a test's author wrote: their words are shown, and numbers; other values are not.

No part of the message itself is shown: it is made again of the source text and of the variables of
the frame. So a value cannot pass for a word.
"""

from __future__ import annotations

import ast
import os
import re
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.privacy.row_values import constants_of, parsed, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.privacy.row_values import Redactor

_PLAIN = (
    re.compile(r"'NoneType' object [a-z ]+"),
    # psycopg's (3.2 and 3.3), about the call.
    re.compile(r"the query has \d+ placeholders? but \d+ parameters were passed"),
)
"""Messages without any value: a row that is not there is the usual cause of the first one."""

_COUNTED = (list, tuple, dict, set, frozenset)
"""Types whose length is asked: a class of the user's may do anything."""


def written_words(
    text: str, statement: str, variables: Mapping[str, Any], redactor: Redactor
) -> str | None:
    """Return a message with its values redacted; None if the statement does not have its words.

    Args:
        text: The message.
        statement: Source text of the statement that made it.
        variables: Of the frame.
        redactor: Turns values into type, size and hash.
    """
    if text in constants_of(statement):
        return text
    for node in ast.walk(parsed(statement)):
        if isinstance(node, ast.JoinedStr) and _may_be(node, text):
            return "".join(_part(part, variables, redactor) for part in node.values)
    return None


def words_of_python(error: BaseException, text: str, statement: str) -> str | None:
    """Return the message of an exception of Python itself that names what the statement names."""
    name = str(getattr(error, "name", None))
    if set(re.findall(r"\w+", name)) <= set(re.findall(r"\w+", statement)):
        usual = [f"name '{name}' is not defined", f"No module named '{name}'"]
        if isinstance(error, AttributeError):
            usual = [f"'{type(error.obj).__name__}' object has no attribute '{name}'"]
        if text in usual:
            return text
    if isinstance(error, OSError) and error.errno is not None:
        named = error.filename if error.filename in constants_of(statement) else None
        return os.strerror(error.errno) + (f": {named}" if named else "")
    return text if any(pattern.fullmatch(text) for pattern in _PLAIN) else None


def _may_be(node: ast.JoinedStr, text: str) -> bool:
    """Return whether an f-string can have made a text: its words stand there, in their order.

    A regular expression would take the time of length to the power of the number of values.
    """
    words = [str(part.value) if isinstance(part, ast.Constant) else None for part in node.values]
    if None not in words:
        return text == "".join(word for word in words if word is not None)
    begin = words[0] or "" if words else ""
    end = words[-1] or "" if words else ""
    if not text.startswith(begin) or not text.endswith(end) or len(text) < len(begin) + len(end):
        return False
    place, last = len(begin), len(text) - len(end)
    inner = words[1 if words[0] is not None else 0 : -1 if words[-1] is not None else None]
    for word in inner:
        if word is None:
            continue
        found = text.find(word, place, last)
        if found < 0:
            return False
        place = found + len(word)
    return True


def _part(part: ast.expr, variables: Mapping[str, Any], redactor: Redactor) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    if not isinstance(part, ast.FormattedValue):
        return "(withheld)"
    match part.value:
        case ast.Name(name) if name in variables:
            return _formatted(variables[name], part.format_spec, redactor)
        case ast.Call(ast.Name("len"), [ast.Name(name)]) if isinstance(
            variables.get(name), _COUNTED
        ):
            return _formatted(len(variables[name]), part.format_spec, redactor)
        case _:
            return "(withheld)"


def _formatted(value: Any, spec: ast.expr | None, redactor: Redactor) -> str:
    if not shown(value):
        return redactor.redact(value)
    parts = spec.values if isinstance(spec, ast.JoinedStr) else []
    if type(value) in {int, float, bool} and all(isinstance(part, ast.Constant) for part in parts):
        try:
            return format(value, "".join(str(ast.literal_eval(part)) for part in parts))
        except ValueError:
            pass  # the message would not be there either
    return redactor.redact(value)
