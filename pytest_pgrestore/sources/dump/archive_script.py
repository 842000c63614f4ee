"""The entries in the SQL that pg_restore prints of an archive, read as psql would read it.

The body of a function can hold the comments of a whole dump. To psql's lexer they are a string.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.sources.codecs import CHUNK_BYTES
from pytest_pgrestore.sources.dump.loading.psql.lexer import PsqlLexer
from pytest_pgrestore.sources.dump.reading.entries import (
    WITH_TEXT,
    Section,
    as_printed,
    entry_of,
    parse_sections,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def sections_of(script: str) -> list[Section]:
    """Return the entries in the comments of `script`, with their SQL but without psql commands.

    Only the SQL of entries about databases and privileges is kept: nothing else is read. SQL that
    the lexer refuses is read line by line: pg_restore loads it without psql.
    """
    try:
        return _read(script)
    except PgRestoreError:
        return parse_sections(script)


def _read(script: str) -> list[Section]:
    found: list[Section] = []
    kept: list[bytes] = []
    lexer = PsqlLexer("the archive", len(script) * 4 + 1)
    for pieces in lexer.pieces(_chunks(script)):
        for piece in pieces:
            entry = entry_of(as_printed(piece.text)) if piece.kind == "comment" else None
            if entry is not None:
                _close(found, kept)
                found.append(Section(entry))
            elif piece.kind in {"statement", "other"} and found and _has_text(found[-1]):
                kept.append(piece.text)
    _close(found, kept)
    return found


def _has_text(section: Section) -> bool:
    return section.entry.type in WITH_TEXT


def _close(found: list[Section], kept: list[bytes]) -> None:
    if found and _has_text(found[-1]):
        found[-1].text = as_printed(b"".join(kept)).strip("\n") + "\n"
    kept.clear()


def _chunks(script: str) -> Iterator[bytes]:
    for start in range(0, len(script), CHUNK_BYTES):
        yield script[start : start + CHUNK_BYTES].encode()
