"""The extensions that a dump creates, known before it is loaded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.sources.dump.reading import dump_file, toc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_pgrestore.sources.dump.part import Part

_LOOKED_AT_BYTES = 1 << 20
"""pg_dump writes extensions before everything but schemas."""

_CREATED = re.compile(
    rb'^CREATE EXTENSION (?:IF NOT EXISTS )?("(?:[^"\n]|""){1,260}+"|[A-Za-z_][A-Za-z0-9_]*)',
    re.MULTILINE | re.IGNORECASE,
)


def extensions_of(parts: Iterable[Part]) -> tuple[str, ...]:
    """Return the extensions of dumps; of plain SQL, what its first bytes seem to create.

    That is only a guess at which libraries may be preloaded: text of a row can look like it.
    """
    found: list[str] = []
    for part in parts:
        if part.contents is not None:
            found += [entry.name for entry in part.contents.of_type("EXTENSION")]
            continue
        names = _CREATED.findall(_beginning(part))
        found += [toc.unquoted(name.decode("utf-8", errors="replace")) for name in names]
    return tuple(dict.fromkeys(found))


def _beginning(part: Part) -> bytes:
    beginning = b""
    for chunk in dump_file.chunks(part.dump):
        beginning += chunk
        if len(beginning) >= _LOOKED_AT_BYTES:
            break
    return beginning[:_LOOKED_AT_BYTES]
