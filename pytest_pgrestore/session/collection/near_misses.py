"""Names that are almost ours: a marker or a file with a typo would silently drill nothing.

Light on purpose: every pytest run of our users loads this module.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from pytest_pgrestore.session.keys import MARKER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

_ALIKE = 0.88
"""Likeness from which a marker is a mistyped `pgrestore`: a ratio of difflib, from 0 to 1.

`pgrestor`, `prestore` and `pgrestroe` are above it. `restore`, which may be a marker of the user's,
is below it.
"""

_DRILL_FILE = re.compile(r"drill_.*\.toml", re.DOTALL)

_ALMOST = re.compile(
    r"""
      (?:.*[-_. ])?drills?(?:[-_. ].*)?\.to?ml   # shop_drill.toml, drill-shop.toml, drill_shop.tml
    | drills?.*\.to?ml                          # drillshop.toml
    """,
    re.VERBOSE | re.IGNORECASE,
)

_JOINED = re.compile(r"^drill(?=[a-z])(?!s?\b|s_)", re.IGNORECASE)
"""The word in a name such as drillshop."""

_SAYS_ASSERT = re.compile(rb"^\s*\[\[?\s*assert\s*\]", re.MULTILINE)

_READ_BYTES = 64 * 1024


def is_drill_file(path: Path) -> bool:
    """Return whether pytest collects the file as a drill file."""
    return _DRILL_FILE.fullmatch(path.name) is not None


def mistyped_drill_file(path: Path) -> str | None:
    """Return what is wrong with a file that was meant to be a drill file; None if it was not.

    Its name must be almost right, and it must hold an assertion.
    """
    if is_drill_file(path) or _ALMOST.fullmatch(path.name) is None:
        return None
    try:
        with path.open("rb") as stream:
            if _SAYS_ASSERT.search(stream.read(_READ_BYTES)) is None:
                return None
    except OSError:
        return None
    words = re.split(
        r"[-_. ]+", re.sub(r"^drill(?=[a-z])(?!s?\b|s_)", "drill_", path.stem, flags=re.IGNORECASE)
    )
    rest = "_".join(word for word in words if word and word.lower() not in {"drill", "drills"})
    return (
        "looks like a drill file, and its name is not one: nothing in it would run\n"
        f"HINT: call it drill_{rest or 'shop'}.toml."
    )


class NearMarkers:
    """Finds markers that are almost `pgrestore`.

    Args:
        registered: Lines of pytest's ini key ``markers``; a marker that is described there is
            meant as it is.
    """

    def __init__(self, registered: Iterable[str]) -> None:
        self._registered = {re.split(r"[:(]", line, maxsplit=1)[0].strip() for line in registered}
        self._known: dict[str, bool] = {}

    def mistakes(self, item: pytest.Item) -> list[str]:
        """Return what is wrong with the markers of a test."""
        names = dict.fromkeys(marker.name for marker in item.iter_markers())
        return [
            f"unknown marker {name}\n"
            f"HINT: write @pytest.mark.{MARKER}, or describe {name} among pytest's markers."
            for name in names
            if self._is_near(name)
        ]

    def _is_near(self, name: str) -> bool:
        if name not in self._known:
            plain = re.sub(r"[\W_]", "", name.lower())
            alike = SequenceMatcher(None, plain, MARKER).ratio() >= _ALIKE
            self._known[name] = name != MARKER and alike and name not in self._registered
        return self._known[name]
