"""A dump of today, or one of a week ago that was copied today."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from scenarios.conftest import World

WEEK_SECONDS = 7 * 24 * 3600


def healthy(world: World) -> None:
    """The dump is of today."""
    world.dump()


def disaster(world: World) -> None:
    """The newest dump is a week old. Its file is new, as every copy is."""
    _set_clock(world.dump(), time.localtime(time.time() - WEEK_SECONDS))


def _set_clock(path: Path, clock: time.struct_time) -> None:
    """Write another time into an archive's header, as pg_dump would have a week ago.

    Source: WriteHead and WriteInt of src/bin/pg_dump/pg_backup_archiver.c.
    """
    data = bytearray(path.read_bytes())
    has_short_compression = tuple(data[5:7]) >= (1, 15)
    place = 11 + (1 if has_short_compression else 5)
    parts = (
        *(clock.tm_sec, clock.tm_min, clock.tm_hour, clock.tm_mday),
        *(clock.tm_mon - 1, clock.tm_year - 1900, max(clock.tm_isdst, 0)),
    )
    for number, part in enumerate(parts):
        struct.pack_into("<?i", data, place + 5 * number, part < 0, abs(part))
    path.write_bytes(data)
