"""The table of contents of a dump: the list of `pg_restore --list`, and the comments in the SQL.

A line of the list is ambiguous (``TABLE we ird t able postgres``). The comment above an entry of
the SQL separates schema, name and owner, but a function's body can contain such a comment, too.
Only entries that are in both are used.

Source: PrintTOCSummary and _printTocEntry of src/bin/pg_dump/pg_backup_archiver.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pytest_pgrestore.sources.dump.reading.entries import Entry, Section, lines_of, parse_sections

_LISTED = re.compile(r"(?P<id>[0-9]{1,10}); [0-9]++ [0-9]++ (?P<rest>.*)")
_DEPENDS = re.compile(r";\s++depends on:((?: [0-9]{1,10})*+)\s*")
# PostgreSQL cuts names at 63 bytes. The limit keeps the pattern linear.
_GRANTEE = re.compile(r"\b(?:TO|FROM|FOR ROLE) (?P<role>\"(?:[^\"]|\"\"){1,260}+\"|[^\s\";]++)")
_ENCODING = re.compile(r"^SET client_encoding = '([A-Za-z0-9_]{1,63})';$", re.MULTILINE)
_DATA_TYPES = {"TABLE DATA": "TABLE", "MATERIALIZED VIEW DATA": "MATERIALIZED VIEW"}
_TYPES = (
    "TABLE DATA",
    "TABLE ATTACH",
    "TABLE",
    "INDEX ATTACH",
    "INDEX",
    "FK CONSTRAINT",
    "CHECK CONSTRAINT",
    "CONSTRAINT",
    "MATERIALIZED VIEW DATA",
    "MATERIALIZED VIEW",
    "VIEW",
    "SEQUENCE SET",
    "SEQUENCE OWNED BY",
    "SEQUENCE",
    "FOREIGN TABLE",
    "DEFAULT ACL",
    "DEFAULT",
    "TRIGGER",
    "RULE",
    "POLICY",
    "ROW SECURITY",
    "STATISTICS DATA",
    "STATISTICS",
    "COMMENT",
    "ACL",
    "SECURITY LABEL",
)
"""Types that choosing tables needs. A type comes before another one that is its beginning."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list.

    Attributes:
        id: Its number.
        text: The line without numbers.
        depends: Numbers of the lines it depends on.
    """

    id: int
    text: str
    depends: tuple[int, ...] = ()

    @property
    def type(self) -> str:
        """The type if it is one of `_TYPES`; otherwise empty."""
        return next((name for name in _TYPES if self.text.startswith(f"{name} ")), "")


@dataclass(frozen=True, slots=True)
class Toc:
    """A dump's table of contents.

    Attributes:
        entries: The objects it defines.
        filled: The tables and materialized views for which it has rows.
        roles: Every role that owns an object or is granted a privilege.
        listed: The lines of the list; empty for a plain dump.
        database_sql: The statements that create the database and change its settings.
        encoding: Encoding of the archive's text, as PostgreSQL names it; None if it has none.
    """

    entries: tuple[Entry, ...] = ()
    filled: tuple[Entry, ...] = ()
    roles: tuple[str, ...] = ()
    listed: tuple[Listed, ...] = ()
    database_sql: str = ""
    encoding: str | None = None

    def of_type(self, *types: str) -> list[Entry]:
        """Return the entries of these types."""
        return [entry for entry in self.entries if entry.type in types]


def parse_list(text: str) -> list[Listed]:
    """Return the lines of ``pg_restore --list --verbose``."""
    found: list[Listed] = []
    for line in lines_of(text):
        match = _LISTED.fullmatch(line)
        if match is not None:
            found.append(Listed(int(match["id"]), match["rest"]))
            continue
        depends = _DEPENDS.fullmatch(line)
        if depends is not None and found:
            found[-1] = Listed(
                found[-1].id, found[-1].text, tuple(int(word) for word in depends[1].split())
            )
    return found


def parse(listing: str, script: str, found: list[Section] | None = None) -> Toc:
    """Return the contents of an archive.

    Args:
        listing: Output of ``pg_restore --list --verbose``.
        script: Output of ``pg_restore --create --schema-only --file=-``.
        found: The sections of the script; None reads them line by line.
    """
    listed = parse_list(listing)
    keys = {line.text for line in listed}
    found = parse_sections(script) if found is None else found
    sections = [section for section in found if section.entry.key in keys]
    entries = tuple(section.entry for section in sections)
    return Toc(
        entries=entries,
        filled=tuple(_filled(entries, keys)),
        roles=tuple(roles_of(sections)),
        listed=tuple(listed),
        database_sql="".join(
            section.text for section in sections if _about_database(section.entry)
        ),
        encoding=encoding[1] if (encoding := _ENCODING.search(script)) is not None else None,
    )


def roles_of(sections: list[Section]) -> list[str]:
    """Return the roles that the sections need, sorted, without PostgreSQL's predefined roles."""
    found = {section.entry.owner for section in sections}
    for section in sections:
        if section.entry.type in {"ACL", "DEFAULT ACL"}:
            found |= {unquoted(match["role"]) for match in _GRANTEE.finditer(section.text)}
    return sorted(
        role for role in found if role and role != "PUBLIC" and not role.startswith("pg_")
    )


def unquoted(identifier: str) -> str:
    """Return the name that an SQL identifier stands for: without quotes."""
    return identifier[1:-1].replace('""', '"') if identifier.startswith('"') else identifier


def _filled(entries: tuple[Entry, ...], keys: set[str]) -> list[Entry]:
    """Return the tables and materialized views for which the list has data."""
    found = []
    for data_type, defined_type in _DATA_TYPES.items():
        known = {
            replace(entry, type=data_type).key: entry
            for entry in entries
            if entry.type == defined_type
        }
        for key in sorted(keys):
            entry = known.get(key) or _without_definition(key, data_type, defined_type)
            if entry is not None:
                found.append(entry)
    return found


def _without_definition(key: str, data_type: str, defined_type: str) -> Entry | None:
    """Return the table of a line of data in a dump without definitions; None if it is ambiguous."""
    match = re.fullmatch(rf"{data_type} (\S+) (\S+) (\S+)", key)
    if match is None:
        return None
    return Entry(type=defined_type, schema=match[1], name=match[2], owner=match[3])


def _about_database(entry: Entry) -> bool:
    return entry.type in {"DATABASE", "DATABASE PROPERTIES"} or (
        entry.type in {"ACL", "COMMENT", "SECURITY LABEL"}
        and not entry.schema
        and entry.name.startswith("DATABASE ")
    )
