"""What the beginning of a dump says: extensions, and schemas that only the service has.

The table of contents of an archive stands before its rows and is not compressed, and plain SQL
makes extensions before tables. So no program of PostgreSQL is needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.looking import is_directory, is_there
from pytest_pgrestore.model.errors import ConfigError, PgRestoreError
from pytest_pgrestore.sources.codecs import codec_of, open_plain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LOOKED_AT_BYTES = 32 << 20
"""Bytes of each file: more than the table of contents of 100,000 objects."""

_EXTENSION = re.compile(
    rb'CREATE EXTENSION IF NOT EXISTS "?([A-Za-z0-9_-]{1,63})"?'
    rb'(?: WITH SCHEMA "?([\w$]{1,63})"?)?;'
)
_SCHEMA = re.compile(rb'CREATE SCHEMA (?:IF NOT EXISTS )?"?([\w$]{1,63})"?;')

_ALWAYS = frozenset({"public", "pg_catalog"})
"""Schemas of every database."""


@dataclass(frozen=True, slots=True)
class DumpContents:
    """What dumps begin with.

    Attributes:
        extensions: Those that they create.
        missing_schemas: Those that extensions are put into and that nothing creates.
    """

    extensions: frozenset[str]
    missing_schemas: tuple[str, ...]


def read_contents(paths: Iterable[Path]) -> DumpContents | None:
    """Return what dumps begin with; None if there is none, or one cannot be looked into.

    Raises:
        ConfigError: A path leads to nothing.
    """
    extensions: set[str] = set()
    wanted: dict[str, None] = {}
    made: set[str] = set()
    looked = False
    for path in paths:
        _require_there(path)
        beginning = _beginning(path)
        if beginning is None:
            return None
        looked = True
        made.update(found.decode() for found in _SCHEMA.findall(beginning))
        for name, schema in _EXTENSION.findall(beginning):
            extensions.add(name.decode())
            if schema:
                wanted.setdefault(schema.decode())
    if not looked:
        return None
    missing = tuple(schema for schema in wanted if schema not in made | _ALWAYS)
    return DumpContents(frozenset(extensions), missing)


def _require_there(path: Path) -> None:
    try:
        path.stat()
    except OSError as exc:
        raise ConfigError(
            f"{path} cannot be looked into: {exc.strerror}", hint="name a dump, or leave it out."
        ) from exc


def _beginning(path: Path) -> bytes | None:
    """Return the first bytes of a dump; None if nobody can read them."""
    if is_directory(path):
        inside = [path / name for name in ("toc.dat", "toc.dat.gz")]
        path = next((one for one in inside if is_there(one)), path)
    if is_directory(path):
        return None
    try:
        with path.open("rb") as raw:
            is_archive = codec_of(path) == "none"
            content = raw.read(_LOOKED_AT_BYTES) if is_archive else b""
        if not is_archive:
            with open_plain(path) as stream:
                content = stream.read(_LOOKED_AT_BYTES)
    except (OSError, EOFError, ValueError, PgRestoreError):
        return None
    # An archive begins so, a tar of one after its first header; SQL has no NUL; ciphertext has.
    beginning = content[:4096]
    return content if b"PGDMP" in beginning or b"\0" not in beginning else None
