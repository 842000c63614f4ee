"""The table of contents of a dump, as ``pg_restore --list`` prints it.

Source: PostgreSQL docs, pg_restore, option --list; entry descriptions in pg_dump.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_ENTRY = re.compile(r"^(\d+); \d+ \d+ (.*)$")
_CREATED = re.compile(r"^; Archive created at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:UTC|GMT)", re.MULTILINE)
_DATABASE = re.compile(r"^;\s+dbname: (.*)$", re.MULTILINE)

RELATIONS = {
    "TABLE": "rp",
    "FOREIGN TABLE": "f",
    "VIEW": "v",
    "MATERIALIZED VIEW": "m",
    "SEQUENCE": "S",
    "INDEX": "iI",
}
"""Entries that are relations, and their letters in pg_class.relkind."""

CONSTRAINTS = ("CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT")

_LONGER = (
    "TABLE DATA",
    "TABLE ATTACH",
    "VIEW DATA",
    "MATERIALIZED VIEW DATA",
    "SEQUENCE SET",
    "SEQUENCE OWNED BY",
    "INDEX ATTACH",
    "DEFAULT ACL",
    "EVENT TRIGGER",
)
_DESCRIPTIONS = sorted((*RELATIONS, *CONSTRAINTS, *_LONGER, "EXTENSION"), key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing the archive promises.

    Attributes:
        description: What it is, e.g. ``FK CONSTRAINT``.
        schema: Its schema, ``-`` for none.
        tag: Its name; for a constraint, table and name.
        owner: Its owner; empty for none.
    """

    description: str
    schema: str
    tag: str
    owner: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The header and the entries of an archive."""

    text: str
    entries: tuple[Entry, ...]

    @property
    def database(self) -> str | None:
        """Name of the database it was taken from."""
        match = _DATABASE.search(self.text)
        return match[1].strip() if match else None

    @property
    def created_at(self) -> datetime | None:
        """When the dump began; the listing is made in UTC."""
        match = _CREATED.search(self.text)
        return datetime.fromisoformat(match[1]).replace(tzinfo=UTC) if match else None

    def owners(self) -> set[str]:
        """Return the roles that own what the archive holds."""
        return {entry.owner for entry in self.entries if entry.owner}

    def extensions(self) -> set[str]:
        """Return the extensions the archive creates."""
        return {entry.tag for entry in self.entries if entry.description == "EXTENSION"}


def parse(listing: str) -> Contents:
    """Return the contents printed by ``pg_restore --list``."""
    entries = [_entry(match[2]) for line in listing.splitlines() if (match := _ENTRY.match(line))]
    return Contents(listing, tuple(entries))


def _entry(rest: str) -> Entry:
    description = next((name for name in _DESCRIPTIONS if rest.startswith(name + " ")), rest.partition(" ")[0])
    schema, _, named = rest[len(description) + 1 :].partition(" ")
    tag, _, owner = named.rpartition(" ")
    return Entry(description, schema, tag, owner)
