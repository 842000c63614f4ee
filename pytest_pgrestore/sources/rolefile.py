"""A ``pg_dumpall --globals-only`` file: roles, their passwords and tablespaces, loaded before the dumps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.codecs import open_plain, reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.loading import Loader
    from pytest_pgrestore.sources.protocol import Connection

_ROLE = re.compile(r'^CREATE ROLE ("(?:[^"]|"")+"|[^\s;]+);?', re.MULTILINE)
_TABLESPACE = re.compile(rb"^(CREATE TABLESPACE (\S+) .*LOCATION )'(?:[^']|'')*'", re.MULTILINE)
_CLOSING = "-- PostgreSQL database cluster dump complete"


@dataclass(frozen=True, slots=True)
class RoleFile:
    """The file a source names as `globals`."""

    path: Path

    def roles(self) -> frozenset[str]:
        """Return the roles it creates.

        Raises:
            HarnessError: It is not there or cannot be read.
            BackupNotRestorable: It is cut short.
        """
        return roles_in(self._text())

    def load(self, sandbox: Sandbox, connection: Connection, loader: Loader) -> frozenset[str]:
        """Load it; return the roles it created."""
        text = self._text()
        loader.psql([*redirected([text.encode()], sandbox)], "postgres", sandbox, connection)
        return roles_in(text)

    def _text(self) -> str:
        try:
            with reading(self.path), open_plain(self.path) as stream:
                text = stream.read().decode("utf-8", errors="surrogateescape")
        except OSError as exc:
            raise HarnessError(
                f"the globals file {self.path} cannot be read: {exc.strerror}", hint="check `globals` in the source."
            ) from None
        if _CLOSING not in text:
            raise BackupNotRestorable(
                f"{self.path} is cut short: its closing line is missing",
                hint="find out where pg_dumpall --globals-only was interrupted.",
            )
        return text


def roles_in(text: str) -> frozenset[str]:
    """Return the names of the roles that these statements create."""
    return frozenset(match[1].strip('"').replace('""', '"') for match in _ROLE.finditer(text))


def redirected(chunks: Iterable[bytes], sandbox: Sandbox) -> Iterator[bytes]:
    r"""Yield SQL with tablespaces moved into the sandbox, as far as the first ``\connect``.

    Before it a pg_dumpall holds only statements; after it comes data, in which nothing may be touched.
    """
    held = b""
    stream = iter(chunks)
    for chunk in stream:
        held += chunk
        if b"\n\\connect " in held:
            break
    head, mark, rest = held.partition(b"\n\\connect ")
    yield _TABLESPACE.sub(lambda match: _move(match, sandbox), head)
    yield mark + rest
    yield from stream


def _move(match: re.Match[bytes], sandbox: Sandbox) -> bytes:
    place = sandbox.tablespaces / f"tablespace-{len(list(sandbox.tablespaces.iterdir()))}"
    place.mkdir(mode=0o700)
    sandbox.adopt(place)
    return match[1] + b"'" + str(place).encode() + b"'"
