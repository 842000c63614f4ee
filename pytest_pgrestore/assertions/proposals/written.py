r"""Names of a backup, written into SQL, into TOML and into patterns of tables.

Whoever made the backup chose them: a quote in one ends nothing, and nothing in one is hidden.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pytest_pgrestore.assertions.tables import PLACE
from pytest_pgrestore.model.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_pgrestore.assertions.tables import TableName

WIDTH = 96
"""Characters of a line of a list, or of a comment."""

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_COMMAND = re.compile(r"#(?=#)|(?<=#)#")
"""Part of a command of a CI system: see `model.visible`."""


@dataclass(frozen=True, slots=True)
class Names:
    """Writes names into SQL.

    Attributes:
        reserved: Words of the server that are quoted as a name.
    """

    reserved: frozenset[str]

    def quoted(self, *parts: str) -> str:
        """Return a name with its schema, quoted where it must be."""
        return ".".join(map(self._part, parts))

    def _part(self, name: str) -> str:
        if _PLAIN.fullmatch(name) and name not in self.reserved:
            return name
        doubled = name.replace('"', '""')
        if PLACE in name:
            # In a drill file it stands for a table, in quotes too. "Lexical Structure", U&"".
            escaped = doubled.replace("\\", "\\\\").replace("{", "\\007B")
            return f'U&"{escaped}"'
        return f'"{doubled}"'


def pattern_of(table: TableName, there: Mapping[str, int]) -> str | None:
    """Return the pattern that stands for one table alone; None if there is none.

    Args:
        table: One of `there`.
        there: How many tables have a name, schema and all: a dot may be in each part.
    """
    pattern = re.sub(r"[*?[]", r"[\g<0>]", table.dotted)
    if not pattern.startswith("!"):
        return pattern if there[table.dotted] == 1 else None
    pattern = "?" + pattern[1:]  # with ! it would take tables out
    alike = sum(there[other] for other in there if fnmatchcase(other, pattern))
    return pattern if alike == 1 else None


def toml_text(text: str) -> str:
    """Return a text as TOML has it, on one line."""
    return f'"{_escaped(text, quotes=True)}"'


def toml_lines(lines: Iterable[str]) -> str:
    """Return lines as one text of TOML: they stay lines, and a line break in one is escaped."""
    inside = "\n".join(_escaped(line, quotes=False) for line in lines)
    return f'"""\n{inside}\n"""'


def toml_list(values: Iterable[str]) -> str:
    """Return texts as a list of TOML, on as many lines as it takes."""
    texts = [toml_text(value) for value in values]
    flat = f"[{', '.join(texts)}]"
    if len(flat) <= WIDTH - len("tables = "):
        return flat
    lines = [""]
    for text in texts:
        if lines[-1] and len(lines[-1]) + len(text) + 2 > WIDTH - 2:
            lines.append("")
        lines[-1] += f" {text}," if lines[-1] else f"{text},"
    return "[\n" + "".join(f"  {line}\n" for line in lines) + "]"


def comment(text: str) -> str:
    """Return a text as lines of comments; what is hidden in it is spelled out."""
    lines = [""]
    for word in visible(text).split(" "):
        if lines[-1] and len(lines[-1]) + len(word) + 1 > WIDTH:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "".join(f"# {line}\n" for line in lines)


def _escaped(text: str, *, quotes: bool) -> str:
    escaped = "".join(_character(one) for one in text)
    # Three quotes would end a text of several lines, and so would one at its end.
    escaped = escaped.replace('"', '\\"') if quotes else escaped.replace('""', '"\\"')
    return _COMMAND.sub(r"\\u0023", escaped)


def _character(one: str) -> str:
    if one == "\\":
        return "\\\\"
    seen = one.isprintable() and visible(one) == one
    return one if seen else f"\\U{ord(one):08X}"
