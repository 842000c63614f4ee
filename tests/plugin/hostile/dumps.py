"""Hostile dumps: plain SQL of our own, and archives of pg_dump with single bytes changed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import struct
import subprocess
from typing import TYPE_CHECKING

import lz4.frame
import zstandard

if TYPE_CHECKING:
    from pathlib import Path

_HEAD = """--
-- PostgreSQL database {cluster}dump
--

-- Dumped from database version 18.0
-- Dumped by pg_dump version 18.0

SET statement_timeout = 0;
SET client_encoding = 'UTF8';

"""
_TAIL = """
--
-- PostgreSQL database {cluster}dump complete
--

"""
ORDERS = """--
-- Name: orders; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.orders (id integer PRIMARY KEY, note text);
INSERT INTO public.orders SELECT i, 'fine' FROM generate_series(1, 10) i;

"""
FILLER = ("-- " + "and so on " * 12 + "\n") * 16_000
"""More than is read ahead of psql."""


def plain(path: Path, sql: str, *, cluster: bool = False) -> Path:
    """Write a plain dump of one database, or of pg_dumpall, with `sql` before its end."""
    word = "cluster " if cluster else ""
    role = "CREATE ROLE postgres SUPERUSER;\n\n" if cluster else ""
    text = _HEAD.format(cluster=word) + role + ORDERS + sql + _TAIL.format(cluster=word)
    path.write_text(text, encoding="utf-8")
    return path


def tablespaces(count: int) -> str:
    """Return statements that make tablespaces, whose places the loader chooses."""
    return "".join(
        f"CREATE TABLESPACE space_{number} OWNER postgres LOCATION '/production/{number}';\n"
        for number in range(count)
    )


def bomb(path: Path, head: bytes, mebibytes: int, fill: bytes = b"x") -> Path:
    """Write a small compressed file that unpacks to `head` and `mebibytes` of `fill`.

    Each format allows several streams in a file, so one compressed MiB is repeated. The suffix
    of `path` names the format.
    """
    codec = path.suffix
    few = _compressed(fill * (1 << 20), codec)
    with path.open("wb") as stream:
        stream.write(_compressed(head, codec))
        for _ in range(mebibytes):
            stream.write(few)
    return path


def _compressed(content: bytes, codec: str) -> bytes:
    compress = {
        ".gz": gzip.compress,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
        ".lz4": lz4.frame.compress,
        ".zst": zstandard.compress,
    }[codec]
    return bytes(compress(content))


def head_of_dump() -> bytes:
    """Return the beginning of a plain dump."""
    return _HEAD.format(cluster="").encode() + b"select '"


def data_file(directory: Path) -> Path:
    """Return the data file of the only table with rows in a dump of directory format."""
    (found,) = [path for path in directory.iterdir() if path.name != "toc.dat"]
    return found


def with_linked_data(directory: Path, target: Path) -> Path:
    """Put a link to `target` in place of the data file."""
    file = data_file(directory)
    file.unlink()
    file.symlink_to(target)
    return directory


def with_renamed_data(directory: Path, name: str) -> Path:
    """Name another file in the table of contents: a string is a zero, its length, and its bytes.

    Source: src/bin/pg_dump/pg_backup_archiver.c, WriteStr and WriteInt.
    """
    contents, file = directory / "toc.dat", data_file(directory)
    old = _string(file.name)
    changed = contents.read_bytes().replace(old, _string(name))
    assert changed != contents.read_bytes()
    contents.write_bytes(changed)
    return directory


def with_cycle(directory: Path) -> Path:
    """Make the first table depend on its own data, which depends on the table."""
    contents = directory / "toc.dat"
    before = contents.read_bytes()
    data_id = re.sub(r"\D", "", data_file(directory).stem)
    # After the owner: "false" (no OIDs), then the ids it depends on, then a length below zero.
    start = before.index(b"CREATE TABLE public.orders")
    end = before.index(_string("false"), start) + len(_string("false"))
    contents.write_bytes(before[:end] + _string(data_id) + before[end:])
    return directory


def _string(text: str) -> bytes:
    return b"\0" + struct.pack("<i", len(text)) + text.encode()


def copy(source: Path, target: Path) -> Path:
    """Copy a file or tree, and return the copy."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)
    return target
