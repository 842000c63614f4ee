"""Ways in which the files of a backup act on those who read them: rows 6, 7, 9 and 13 to 16."""

from __future__ import annotations

import os
import tarfile
from typing import TYPE_CHECKING

from tests.plugin.hostile import damage, dumps
from tests.plugin.hostile.worlds import (
    ANY,
    DAMAGED,
    FAILED,
    HEALTHY,
    PASSED,
    REFUSED,
    UNSURE,
    World,
)

if TYPE_CHECKING:
    from pathlib import Path

GIBIBYTE = 1 << 30
_HISTORY = "00000002.history"
_MALFORMED_LABELS = {
    "label_empty": ("(?s).*", ""),
    "label_lsn": ("^START WAL LOCATION: .*$", "START WAL LOCATION: FFFFFFFFFFFF/0 (file x)"),
    "label_letters": ("^START WAL LOCATION: .*$", "START WAL LOCATION: 0/GG (file ü)"),
    "label_timeline": ("^START TIMELINE: .*$", "START TIMELINE: " + "9" * 5000),
    "label_digits": ("^START TIMELINE: .*$", "START TIMELINE: \u0663"),
    "label_time": ("^START TIME: .*$", "START TIME: 99999-99-99 99:99:99 UTC"),
    "label_zone": ("^START TIME: .*$", "START TIME: 2026-01-01 00:00:00 ../../etc/passwd"),
}
_MALFORMED_HISTORIES = {
    "history_lsn": "1\t0/GG\tx\n",
    "history_self": "2\t0/3000000\tx\n",
    "history_huge": "9" * 5000 + "\t0/3000000\tx\n",
    "history_digits": "\u0661\t0/3000000\tx\n",
    "history_binary": "\0\1\2\xff",
}
_SIZES = {
    "infinity": "Infinity",
    "nan": "NaN",
    "negative": "-5",
    "long": "9" * 5000,
    "real": "1e400",
}


def copied(world: World) -> None:
    """Row 6: a tablespace that is a foreign directory."""
    link = world.base("copied") / "pg_tblspc" / "99999"
    link.symlink_to(world.canaries.treasure)
    world.add_base("copied", REFUSED)
    world.add_base("unverified", REFUSED, path=world.place / "copied", more="verify = false\n")


def bombs(world: World) -> None:
    """Row 7, and bombs in each codec: huge when they are read, small on disk."""
    for codec in ("gz", "zst", "lz4", "bz2", "xz"):
        path = dumps.bomb(world.place / f"{codec}.sql.{codec}", dumps.head_of_dump(), 3072)
        world.add_dump(f"dump_{codec}", path, REFUSED)
    line = world.place / "line.sql"
    damage.huge(line, dumps.head_of_dump(), 4 * GIBIBYTE)
    world.add_dump("endless_line", line, REFUSED)
    for kind in ("label", "pax", "longname"):
        archive = world.base(f"tar_{kind}", "tar") / "base.tar"
        start = {
            "label": damage.header("backup_label", 4 * GIBIBYTE),
            "pax": damage.header("pax", 4 * GIBIBYTE, tarfile.XHDTYPE),
            "longname": damage.header("././@LongLink", 4 * GIBIBYTE, tarfile.GNUTYPE_LONGNAME),
        }[kind]
        damage.begin_with_huge(archive, start, 4 * GIBIBYTE)
        world.add_base(f"tar_{kind}", REFUSED)
    for name in ("backup_label", "PG_VERSION", "backup_manifest"):
        source = f"zero_{name.lower()}"
        damage.link(world.base(source) / name, "/dev/zero")
        world.add_base(source, REFUSED)


def archives(world: World) -> None:
    """Row 7: bombs in a WAL archive."""
    base = world.base("base")
    for codec in ("gz", "zst", "lz4", "bz2"):
        wal = _archive(world, f"history_{codec}")
        dumps.bomb(wal / f"{_HISTORY}.{codec}", b"1\t0/3000000\t", 3072)
        world.add_base(f"history_{codec}", REFUSED, path=base, wal=wal)
        wal = _archive(world, f"segment_{codec}")
        last = max(path for path in wal.iterdir() if len(path.name) == 24)
        dumps.bomb(last.with_name(f"{last.name}.{codec}"), last.read_bytes(), 3072, b"\0")
        last.unlink()
        world.add_base(f"segment_{codec}", REFUSED, path=base, wal=wal)
    wal = _archive(world, "history_zero")
    damage.link(wal / _HISTORY, "/dev/zero")
    world.add_base("history_zero", REFUSED, path=base, wal=wal)


def blocking(world: World) -> None:
    """Row 9: FIFOs, and text on which careless expressions take for ever."""
    base = world.base("base")
    wal = _archive(world, "fifo_segment")
    damage.fifo(min(path for path in wal.iterdir() if len(path.name) == 24))
    world.add_base("fifo_segment", ANY, path=base, wal=wal)
    wal = _archive(world, "fifo_history")
    damage.fifo(wal / _HISTORY)
    world.add_base("fifo_history", REFUSED, path=base, wal=wal)
    wal = _archive(world, "history_lines")
    damage.put(wal / _HISTORY, "\n" * 300_000)
    world.add_base("history_lines", REFUSED, path=base, wal=wal)
    for name in ("backup_manifest", "backup_label", "PG_VERSION"):
        source = f"fifo_{name.lower()}"
        damage.fifo(world.base(source) / name)
        world.add_base(source, REFUSED)
    damage.fifo(world.base("fifo_tar", "tar") / "base.tar")
    world.add_base("fifo_tar", REFUSED)
    path = world.place / "fifo.sql"
    damage.fifo(path)
    world.add_dump("fifo_dump", path, REFUSED)
    directory = world.lab.take("directory", world.place / "fifo_toc")
    damage.fifo(directory / "toc.dat")
    world.add_dump("fifo_toc", directory, REFUSED)
    name = "-- Name: " + "; Type: A; Schema: x" * 5700 + "\n"
    world.dump("header_line", name, frozenset({PASSED, UNSURE}))
    world.dump("spaces", "CREATE DATABASE x" + " " * 114_000 + "\n;\n", ANY)


def manifests(world: World) -> None:
    """Row 13: numbers that are none."""
    for name, size in _SIZES.items():
        manifest = world.base(f"size_{name}") / "backup_manifest"
        damage.altered(manifest, r'"Size": \d+', f'"Size": {size}')
        world.add_base(f"size_{name}", DAMAGED)


def malformed(world: World) -> None:
    """Row 14: labels, histories and headers; and an evil sibling of a good backup."""
    for name, (pattern, replacement) in _MALFORMED_LABELS.items():
        damage.altered(world.base(name) / "backup_label", pattern, replacement)
        world.add_base(name, DAMAGED)
    base = world.base("base")
    for name, text in _MALFORMED_HISTORIES.items():
        wal = _archive(world, name)
        damage.put(wal / _HISTORY, text)
        # Whether the timeline that it is about is needed is the reader's choice.
        world.add_base(name, frozenset({PASSED, FAILED}), path=base, wal=wal)
    wal = _archive(world, "segment_header")
    damage.at(max(path for path in wal.iterdir() if len(path.name) == 24), 16, bytes(24))
    world.add_base("segment_header", ANY, path=base, wal=wal)
    for name, text in {"letters": "x\n", "digits": "\u0661\u0668\n", "long": "9" * 5000}.items():
        damage.put(world.base(f"version_{name}") / "PG_VERSION", text)
        world.add_base(f"version_{name}", REFUSED)
    damage.put(world.base("control") / "global" / "pg_control", b"\xff" * 100)
    world.add_base("control", DAMAGED)


def siblings(world: World) -> None:
    """Row 14: evil directories beside a good backup, all of them older.

    One that tells no time is as old as its directory. The newest one would be the backup.
    """
    shelf = world.place / "shelf"
    shelf.mkdir()
    world.base("shelf/zz_good")  # the last of those of one moment
    for name, (pattern, replacement) in _MALFORMED_LABELS.items():
        evil = world.base(f"shelf/{name}")
        damage.altered(evil / "backup_label", pattern, replacement)
    damage.altered(
        world.base("shelf/infinite") / "backup_manifest", r'"Size": \d+', '"Size": Infinity'
    )
    damage.fifo(world.base("shelf/fifo") / "backup_label")
    damage.link(world.base("shelf/zero") / "backup_label", "/dev/zero")
    for evil in shelf.iterdir():
        if evil.name != "zz_good":
            os.utime(evil, (0, 0))
    world.add_base("siblings", HEALTHY, path=shelf)


def full(world: World) -> None:
    """Row 15: members larger than the disk."""
    damage.begin_with(
        world.base("sparse", "tar") / "base.tar",
        damage.sparse_header("base/sparse", damage.TEBIBYTE),
    )
    world.add_base("sparse", REFUSED)
    damage.begin_with_huge(
        world.base("hole", "tar") / "base.tar",
        damage.header("base/hole", damage.TEBIBYTE),
        damage.TEBIBYTE,
    )
    world.add_base("hole", REFUSED)
    archive = world.base("packed", "tar") / "base.tar"
    size = 2 * GIBIBYTE
    start = damage.members_of(archive) + damage.header("base/packed", size)
    dumps.bomb(archive.with_name("base.tar.gz"), start, size >> 20, b"\0")
    archive.unlink()
    world.add_base("packed", REFUSED)


def tars(world: World) -> None:
    """Row 16: tars that are damaged on purpose."""
    cases = {
        "duplicate": damage.member("PG_VERSION", b"18\n"),
        "file_for_folder": damage.member("base", b"x"),
        "folder_for_file": damage.member("PG_VERSION/", kind=tarfile.DIRTYPE),
        "below_a_file": damage.member("PG_VERSION/below", b"x"),
        "overlong": damage.member("././@LongLink", b"base/" + b"x" * 300 + b"\0", b"L")
        + damage.member("short", b"x"),
        "nul": damage.member("././@LongLink", b"base/a\xff\xfe\0", b"L") + damage.member("y", b"x"),
    }
    for name, members in cases.items():
        damage.end_with(world.base(name, "tar") / "base.tar", members)
        world.add_base(name, DAMAGED)


def _archive(world: World, name: str) -> Path:
    return world.lab.take("archive", world.place / f"wal-{name}")
