"""Words of the author's: those that stand in the source text of a test and of what it calls."""

from __future__ import annotations

import linecache
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.visible import visible
from pytest_pgrestore.privacy.libraries import is_of_a_library
from pytest_pgrestore.privacy.traceback_entries import frames_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 100
"""Characters of a word that is shown."""


class SourceWords:
    """Knows the words of the files that an exception passed through, without installed packages.

    Args:
        error: The exception.
        more_files: Other files of the author's.
    """

    def __init__(self, error: BaseException, more_files: Iterable[str] = ()) -> None:
        frames = frames_of(error)
        self._files = [*(frame.f_code.co_filename for frame in frames), *more_files]
        # pytest's loader finds the source text of a module that has no file.
        self._globals = {frame.f_code.co_filename: frame.f_globals for frame in frames}

    @cached_property
    def _text(self) -> str:
        own = dict.fromkeys(file for file in self._files if not is_of_a_library(Path(file)))
        lines = (linecache.getlines(file, self._globals.get(file)) for file in own)
        return "".join(line for some in lines for line in some)

    def have(self, word: object) -> bool:
        """Return whether a text is one of them."""
        if type(word) is not str or not word.strip() or len(word) > _LONGEST:
            return False
        return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", self._text) is not None


def plain(word: object) -> str:
    """Return a word that is shown, on one line and not too long.

    Raises:
        TypeError: It is no text.
    """
    if type(word) is not str:
        raise TypeError("no text")
    return visible(word if len(word) <= _LONGEST else f"{word[:_LONGEST]}...")
