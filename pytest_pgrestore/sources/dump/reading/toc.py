"""The table of contents of a dump: what `pg_restore --list` says, and the comments above each entry of the SQL.

The list alone is ambiguous (``TABLE we ird t able postgres``); the comment above an entry names schema, name and owner
apart, and could be imitated by a function's body. Together they are sound.

Source: PrintTOCSummary and _printTocEntry of src/bin/pg_dump/pg_backup_archiver.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

HEADER = re.compile(
    r"^-- Name: (?P<name>.*); Type: (?P<type>[A-Z ]+); Schema: (?P<schema>.*?);"
    r" Owner: ?(?P<owner>.*?)(?:; Tablespace: .*)?$",
    re.MULTILINE,
)
_LISTED = re.compile(r"^(?P<id>\d+); \d+ \d+ (?P<rest>.*)$")
_DEPENDS = re.compile(r"^;\s+depends on:((?: \d+)*)\s*$")
_GRANTEE = re.compile(r"\b(?:TO|FROM|FOR ROLE) (?P<role>\"(?:[^\"]|\"\")+\"|[^\s\";]+)")
_DATA_TYPES = {"TABLE DATA": "TABLE", "MATERIALIZED VIEW DATA": "MATERIALIZED VIEW"}
_TYPES = (
    *(
        "TABLE DATA",
        "TABLE ATTACH",
        "TABLE",
        "INDEX ATTACH",
        "INDEX",
        "FK CONSTRAINT",
        "CHECK CONSTRAINT",
    ),
    *(
        "CONSTRAINT",
        "MATERIALIZED VIEW DATA",
        "MATERIALIZED VIEW",
        "VIEW",
        "SEQUENCE SET",
        "SEQUENCE OWNED BY",
    ),
    *(
        "SEQUENCE",
        "FOREIGN TABLE",
        "DEFAULT ACL",
        "DEFAULT",
        "TRIGGER",
        "RULE",
        "POLICY",
        "ROW SECURITY",
    ),
    *("STATISTICS DATA", "STATISTICS", "COMMENT", "ACL", "SECURITY LABEL"),
)
"""Types that selecting tables has to tell apart, longer before shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry: what it is, where it lives, whom it belongs to. Empty strings where there is no such thing."""

    type: str
    schema: str
    name: str
    owner: str = ""

    @property
    def key(self) -> str:
        """The entry's line in the list, without its numbers."""
        return f"{self.type} {self.schema or '-'} {self.name} {self.owner}"

    @property
    def words(self) -> str:
        """Return the entry for a message, e.g. ``table public.orders``."""
        return f"{self.type.lower()} {self.schema + '.' if self.schema else ''}{self.name}"


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list: its number, its text, the numbers it depends on."""

    id: int
    text: str
    depends: tuple[int, ...] = ()

    @property
    def type(self) -> str:
        """Type, where it is one that selecting tables has to tell apart; else empty."""
        return next((name for name in _TYPES if self.text.startswith(f"{name} ")), "")


@dataclass(frozen=True, slots=True)
class Toc:
    """A dump's table of contents.

    Attributes:
        entries: What it defines.
        filled: The tables and materialized views it has data for.
        roles: Every role that owns something or is granted something.
        listed: The list's lines; empty for a plain dump.
        database_sql: The statements that make and set up the database.
    """

    entries: tuple[Entry, ...] = ()
    filled: tuple[Entry, ...] = ()
    roles: tuple[str, ...] = ()
    listed: tuple[Listed, ...] = ()
    database_sql: str = ""

    def of_type(self, *types: str) -> list[Entry]:
        """Return the entries of these types."""
        return [entry for entry in self.entries if entry.type in types]


def parse_list(text: str) -> list[Listed]:
    """Return the lines of ``pg_restore --list --verbose``."""
    found: list[Listed] = []
    for line in text.splitlines():
        match = _LISTED.match(line)
        if match is not None:
            found.append(Listed(int(match["id"]), match["rest"]))
            continue
        depends = _DEPENDS.match(line)
        if depends is not None and found:
            found[-1] = Listed(
                found[-1].id, found[-1].text, tuple(int(word) for word in depends[1].split())
            )
    return found


def parse(listing: str, script: str) -> Toc:
    """Return the contents of an archive.

    Args:
        listing: Output of ``pg_restore --list --verbose``.
        script: Output of ``pg_restore --create --schema-only --file=-``.
    """
    listed = parse_list(listing)
    keys = {line.text for line in listed}
    sections = [section for section in parse_sections(script) if section.entry.key in keys]
    entries = tuple(section.entry for section in sections)
    return Toc(
        entries=entries,
        filled=tuple(_filled(entries, keys)),
        roles=tuple(roles_of(sections)),
        listed=tuple(listed),
        database_sql="".join(
            section.text for section in sections if _about_database(section.entry)
        ),
    )


@dataclass(slots=True)
class Section:
    """An entry of the SQL, with the text up to the next one."""

    entry: Entry
    text: str = field(default="", repr=False)


def parse_sections(script: str) -> list[Section]:
    """Return the entries that the comments of `script` announce, each with its SQL, without psql's own commands."""
    matches = list(HEADER.finditer(script))
    ends = [match.start() for match in matches[1:]] + [len(script)]
    return [
        Section(entry_of(match), "\n".join(_sql_lines(script[match.end() : end])) + "\n")
        for match, end in zip(matches, ends, strict=True)
    ]


def entry_of(match: re.Match[str]) -> Entry:
    """Return the entry a match of `HEADER` announces."""
    schema, owner = (("" if match[part] == "-" else match[part]) for part in ("schema", "owner"))
    return Entry(type=match["type"], schema=schema, name=match["name"], owner=owner)


def database_of(text: str) -> str | None:
    """Return the database that SQL made with ``--create`` makes; None when it makes none."""
    return next(
        (match["name"] for match in HEADER.finditer(text) if match["type"] == "DATABASE"), None
    )


def roles_of(sections: list[Section]) -> list[str]:
    """Return every role the sections need, in alphabetical order, without those every server has."""
    found = {section.entry.owner for section in sections}
    for section in sections:
        if section.entry.type in {"ACL", "DEFAULT ACL"}:
            found |= {unquoted(match["role"]) for match in _GRANTEE.finditer(section.text)}
    return sorted(
        role for role in found if role and role != "PUBLIC" and not role.startswith("pg_")
    )


def unquoted(identifier: str) -> str:
    """Return the name that an SQL identifier spells."""
    return identifier[1:-1].replace('""', '"') if identifier.startswith('"') else identifier


def _filled(entries: tuple[Entry, ...], keys: set[str]) -> list[Entry]:
    found = []
    for data_type, owner_type in _DATA_TYPES.items():
        known = {}
        for entry in entries:
            if entry.type == owner_type:
                known[
                    Entry(
                        type=data_type, schema=entry.schema, name=entry.name, owner=entry.owner
                    ).key
                ] = entry
        for key in sorted(keys):
            if key in known:
                found.append(known[key])
            elif (
                key.startswith(f"{data_type} ")
                and len(words := key.removeprefix(f"{data_type} ").split(" ")) == 3  # noqa: PLR2004 - schema, table, owner
            ):
                # A dump of data alone has no definition to compare with.
                found.append(Entry(type=owner_type, schema=words[0], name=words[1], owner=words[2]))
    return found


def _about_database(entry: Entry) -> bool:
    return entry.type in {"DATABASE", "DATABASE PROPERTIES"} or (
        entry.type in {"ACL", "COMMENT", "SECURITY LABEL"}
        and not entry.schema
        and entry.name.startswith("DATABASE ")
    )


def _sql_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith(("\\", "--"))]
