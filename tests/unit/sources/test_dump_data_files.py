"""The data files of a dump in directory format: whole, cut, empty and not listed."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.dump.reading import data_files, dump_file
from tests.unit.sources.test_dump_file import archive, integer, text

ROWS = b"".join(b"%d\n" % number for number in range(400)) + b"\\.\n\n\n"
LISTED = b"7 blob_7.dat\n8 blob_8.dat\n"
NULL = integer(-1)


def entry(kind: str, file: str, *, definition: str = "", copy: str = "") -> bytes:
    """Return an entry of a table of contents of format 1.16."""
    head = integer(1) + integer(1) + text("0") + text("0") + text("x") + text(kind)
    middle = integer(2) + text(definition) + NULL + (text(copy) if copy else NULL)
    return head + middle + NULL * 3 + integer(0) + text("a") + text("false") + NULL + text(file)


def dump(folder: Path, files: dict[str, bytes], *, copy: str = "COPY x FROM stdin;\n") -> Path:
    """Write a dump with one table and two large objects."""
    folder.mkdir()
    listed = [
        entry("TABLE DATA", "1.dat", copy=copy),
        entry("BLOB METADATA", "", definition="7\n8\n"),
        entry("BLOBS", "blobs.toc"),
    ]
    everything = {"toc.dat": archive() + integer(3) + b"".join(listed), "blobs.toc": LISTED}
    for name, data in (everything | files).items():
        (folder / name).write_bytes(data)
    return folder


def judged(folder: Path) -> tuple[str, list[str]]:
    """Return the problem, and what is not checked."""
    found = dump_file.inspect(folder)
    assert found is not None
    try:
        return "", data_files.require_whole(found)
    except BackupNotRestorable as exc:
        return exc.problem, []


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        ("", bytes),
        (".gz", gzip.compress),
        (".lz4", lz4.frame.compress),
        (".zst", zstandard.compress),
    ],
    ids=["plain", "gzip", "lz4", "zstd"],
)
def test_rows_end_with_their_mark(
    tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    """pg_restore ends with status 0 on most of these."""
    whole = pack(ROWS)
    bad = {
        "empty": b"",
        "start": whole[:3],
        "half": whole[: len(whole) // 2],
        "line": pack(ROWS[:40]),
        "last": whole[:-5],
    }

    assert judged(dump(tmp_path / "whole", {f"1.dat{suffix}": whole})) == ("", [])
    for name, data in bad.items():
        problem, _ = judged(dump(tmp_path / name, {f"1.dat{suffix}": data}))
        assert f"1.dat{suffix} is " in problem, name


def test_rows_that_look_compressed_are_rows(tmp_path: Path) -> None:
    """The name tells what pg_dump wrote."""
    assert judged(dump(tmp_path / "dump", {"1.dat": b"BZh9\n\\.\n\n\n"})) == ("", [])


def test_insert_statements_have_no_mark(tmp_path: Path) -> None:
    """So their end is not proved, and only their stream is read."""
    rows = b"INSERT INTO x VALUES (1);\n\n\n"

    problem, open_ends = judged(dump(tmp_path / "plain", {"1.dat": rows}, copy=""))
    assert not problem
    assert "--inserts" in open_ends[0]
    packed = gzip.compress(rows)[:-5]
    assert "cut short" in judged(dump(tmp_path / "cut", {"1.dat.gz": packed}, copy=""))[0]


@pytest.mark.parametrize(
    ("listed", "files", "words"),
    [
        (LISTED, ("blob_7.dat.gz", "blob_8.dat.gz"), ""),
        (LISTED[:13], ("blob_7.dat.gz", "blob_8.dat.gz"), "name 1 of 2"),
        (LISTED[:13], ("blob_7.dat.gz",), "name 1 of 2"),
        (b"", (), "name 0 of 2"),
    ],
    ids=["whole", "not-listed", "announced", "none"],
)
def test_every_large_object_is_listed(
    tmp_path: Path, listed: bytes, files: tuple[str, ...], words: str
) -> None:
    """pg_restore makes an object empty that the list lacks."""
    members = dict.fromkeys(files, gzip.compress(b"x")) | {"1.dat": ROWS, "blobs.toc": listed}

    problem, _ = judged(dump(tmp_path / "dump", members))

    assert words in problem
    assert bool(words) == bool(problem)


def test_a_large_object_has_its_own_end(tmp_path: Path) -> None:
    """Of a compressed one the stream ends; of another nothing tells."""
    packed = gzip.compress(b"large" * 9)
    members = {"1.dat": ROWS, "blob_7.dat.gz": packed}

    cut, _ = judged(dump(tmp_path / "cut", members | {"blob_8.dat.gz": packed[:-5]}))
    assert "blob_8.dat.gz is cut short" in cut
    problem, open_ends = judged(dump(tmp_path / "plain", members | {"blob_8.dat": b""}))
    assert not problem
    assert "large object" in open_ends[0]
