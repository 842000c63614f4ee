r"""Text that others wrote, made safe to print: nothing in it is hidden, and nothing is a command.

A backup names its tables, files and errors, so its author writes parts of our messages. Errors and
evidence pass through here when they are made, and outputs pass through here once more. What nobody
can see is spelled as in Python, for example ``\x1b`` or ``\u202e``. Imports nothing of ours.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT = 20_000
"""Characters of one text: room for twenty long lines of a tool, while no name fills a report."""

LINES_LIMIT = 1_000_000
"""Characters of a text with lines of its own, which is what a test of the user says."""

QUOTE = "\n  | "
"""Begins each further line of a text that we quote on purpose: it never looks like one of ours."""

_PLANES = range(17)

# Without tab and newline, which have patterns of their own.
_HIDDEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters; ESC, CSI and OSC are among them
    "\u2028-\u202e\u2066-\u2069"  # line separators, and directions (UAX 9)
    "\ud800-\udfff"  # one half of a character
    "\ufdd0-\ufdef"  # these and the last two of each plane are no characters
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in _PLANES)
    # Shown as nothing: DerivedCoreProperties.txt, Default_Ignorable_Code_Point, and FFF9 to FFFB.
    # Without FE00 to FE0F: emoji and East Asian text have them, so they stay.
    + "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f\u3164"
    "\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_IN_A_LINE = f"[\t\n{_HIDDEN}]"
_IN_A_MESSAGE = rf"[\t{_HIDDEN}]|\n(?!  \| )"
_IN_LINES = f"[{_HIDDEN}]"

_COMMAND = (
    # Anywhere in a line: ##[ of GitHub, ##vso[ of Azure, ##teamcity[. Source: actions/runner,
    # ActionCommand.cs, and azure-pipelines-agent, Command.cs: both look for it with IndexOf.
    r"(?<=\#)(?P<inside>\#)(?=\w*\[)"
    # After blanks at the start of a line: :: of GitHub, the headings of Buildkite, the sections of
    # GitLab and of Travis.
    r"|^(?P<blanks>[^\S\n]*+)(?P<first>:(?=:[^\W\d_])|-(?=--(?!\S))|\+(?=\+\+(?!\S))|~(?=~~(?!\S))"
    r"|\^(?=\^\^(?!\S))|s(?=ection_(?:start|end):)|t(?=ravis_(?:fold|time):))"
)
"""The character without which a command of a CI system is none."""


def visible(text: str, limit: int = LIMIT) -> str:
    """Return `text` as one line in which everything can be seen.

    Args:
        text: Written by anybody.
        limit: Characters of the result; a longer text ends with a note that it was cut.
    """
    return _cut(_IN_A_LINE, text, limit)


def visible_message(text: str) -> str:
    """Return `text` as `visible` does; lines that `quoted` made stay lines."""
    return _cut(_IN_A_MESSAGE, text, LIMIT)


def visible_lines(text: str, limit: int | None = LINES_LIMIT) -> str:
    """Return `text` with its lines and tabs, each line as visible as `visible` makes it.

    Args:
        text: Written by anybody, with lines that we want to keep.
        limit: Characters of the result; None for no limit.
    """
    text = text.replace("\r\n", "\n")
    return _shown(_IN_LINES, text) if limit is None else _cut(_IN_LINES, text, limit)


def quoted(lines: Iterable[str]) -> str:
    """Return several lines of others as one text that stays readable in a message of ours."""
    return QUOTE.join(visible(line) for line in lines)


def _cut(hidden: str, text: str, limit: int) -> str:
    """Return the visible form of `text`, with at most `limit` characters."""
    shown = _shown(hidden, text[:limit])
    if len(text) <= limit and len(shown) <= limit:
        return shown
    note = f" ... (cut: {len(text)} characters)"
    return shown[: limit - len(note)].rstrip("\n |") + note


def _shown(hidden: str, text: str) -> str:
    """Return `text` with what matches `hidden` spelled out, and with no command."""
    return _compiled(_COMMAND).sub(_defused, _compiled(hidden).sub(_spelled, text))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile on first use: every pytest run of our users imports this file."""
    return re.compile(pattern, re.MULTILINE)


def _spelled(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _defused(found: re.Match[str]) -> str:
    return f"{found['blanks'] or ''}\\x{ord(found['inside'] or found['first']):02x}"
