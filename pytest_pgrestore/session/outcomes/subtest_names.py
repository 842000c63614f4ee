"""Names of subtests: what stands in the source text of the test is shown, anything else is not."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.privacy.row_values import constants_of, shown
from pytest_pgrestore.session.keys import SHOWN_NAMES

if TYPE_CHECKING:
    import pytest

    from pytest_pgrestore.privacy.row_values import Redactor

_SHORTEST = 3
"""Characters of a part of a name that proves something: any value is made of single letters."""

_LONGEST = 1000
"""Characters of a name that is looked up: it takes the square of them."""


def withhold_name(context: Any, item: pytest.Item, redactor: Redactor) -> None:
    """Redact the message and the arguments of a subtest where they may be values of rows.

    Args:
        context: pytest's (9), or pytest-subtests'; its class is frozen.
        item: The test.
        redactor: Turns values into type, size and hash.
    """
    names: frozenset[str] = item.stash.get(SHOWN_NAMES, frozenset())
    written = written_in(Path(item.path)) | names

    def publishable(value: Any) -> Any:
        if not isinstance(value, str):
            return redactor.redact(value)
        return value if is_made_of(value, written) else redactor.redact(value)

    def argument(value: Any) -> Any:
        # pytest 9 keeps the repr of an argument.
        try:
            meant = ast.literal_eval(value) if isinstance(value, str) else value
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            meant = value
        if shown(meant):
            return value
        return value if publishable(meant) == meant else publishable(meant)

    message = context.msg
    if message is not None:
        # Replacing the context would take the repr of every argument again.
        object.__setattr__(context, "msg", publishable(message))
    arguments = {name: argument(value) for name, value in context.kwargs.items()}
    object.__setattr__(context, "kwargs", arguments)


@lru_cache(maxsize=64)
def written_in(path: Path) -> frozenset[str]:
    """Return the texts in a test module; those of an f-string are its parts."""
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(constants_of(source))


def is_made_of(text: str, written: frozenset[str]) -> bool:
    """Return whether a text consists of texts in `written`, blanks and punctuation."""
    if text in written:
        return True
    if len(text) > _LONGEST:
        return False
    parts = [part for part in written if len(part) >= _SHORTEST]
    reached = [True, *(False for _ in text)]
    for start, character in enumerate(text):
        if not reached[start]:
            continue
        if not character.isalnum():
            reached[start + 1] = True
        for part in parts:
            if text.startswith(part, start):
                reached[start + len(part)] = True
    return reached[-1]
