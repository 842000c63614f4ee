"""The entries of a dump: the comments that pg_dump and pg_restore write above each object's SQL.

Source: _printTocEntry of src/bin/pg_dump/pg_backup_archiver.c.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = "-- Name: "
_TYPE = re.compile(r"; Type: (?P<type>[A-Z ]++); Schema: ")
_LONGEST_HEADER = 1 << 15
"""Characters of a header that is read: a function is named with the types of 100 arguments."""

WITH_TEXT = frozenset(
    {"ACL", "DEFAULT ACL", "DATABASE", "DATABASE PROPERTIES", "COMMENT", "SECURITY LABEL"}
)
"""Types whose SQL is read: it names roles, or is about the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a dump.

    Attributes:
        type: Type, for example ``TABLE``.
        schema: Its schema; empty without one.
        name: Its name.
        owner: Its owner; empty without one.
    """

    type: str
    schema: str
    name: str
    owner: str = ""

    @property
    def key(self) -> str:
        """The entry's line in the list, without numbers."""
        return f"{self.type} {self.schema or '-'} {self.name} {self.owner}"

    @property
    def words(self) -> str:
        """The entry for a message, for example ``table public.orders``."""
        return f"{self.type.lower()} {self.schema + '.' if self.schema else ''}{self.name}"


@dataclass(slots=True)
class Section:
    """An entry of the SQL, and the text up to the next entry."""

    entry: Entry
    text: str = field(default="", repr=False)


def parse_sections(script: str) -> list[Section]:
    """Return the entries in the comments of `script`, with their SQL but without psql commands.

    Only the SQL of entries about databases and privileges is kept: nothing else is read.
    """
    found: list[Section] = []
    kept: list[str] | None = None
    for line in lines_of(script):
        entry = entry_of(line)
        if entry is not None:
            _close(found, kept)
            found.append(Section(entry))
            kept = [] if entry.type in WITH_TEXT else None
        elif kept is not None and not line.startswith(("\\", "--")):
            kept.append(line)
    _close(found, kept)
    return found


def _close(found: list[Section], kept: list[str] | None) -> None:
    if found and kept is not None:
        found[-1].text = "\n".join(kept) + "\n"


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of `text`, without a second copy of it in memory."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1


def entry_of(comment: str) -> Entry | None:
    """Return the entry of a comment ``-- Name: ...; Type: ...``; None for other lines.

    A name can hold anything, so the last type counts.
    """
    if not comment.startswith(_HEADER) or len(comment) > _LONGEST_HEADER:
        return None
    types = deque(_TYPE.finditer(comment), maxlen=1)
    if not types:
        return None
    last = types[0]
    schema, owned, rest = comment[last.end() :].partition("; Owner:")
    if not owned:
        return None
    owner = rest.removeprefix(" ").partition("; Tablespace: ")[0]
    return Entry(
        # Few types, schemas and owners name many objects.
        type=sys.intern(last["type"]),
        schema=sys.intern("" if schema == "-" else schema),
        name=comment[len(_HEADER) : last.start()],
        owner=sys.intern("" if owner == "-" else owner),
    )


def as_printed(text: bytes) -> str:
    r"""Return text of a dump as it is compared: bytes that are not UTF-8 appear as ``\xe9``.

    That is also how the output of pg_restore is read.
    """
    return text.decode("utf-8", errors="backslashreplace")


def too_many_objects(name: str, limit: int) -> HarnessError:
    """Return the error for a dump of more objects than are compared."""
    return HarnessError(
        f"{name} has more than {limit:,} objects",
        hint="raise max_objects in the source if the database has that many.",
    )
