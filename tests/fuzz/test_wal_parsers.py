"""What is in a WAL archive, with anything in it: labels, histories, headers, segments, records."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path
from tempfile import TemporaryDirectory

import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pytest_pgrestore.model.wal import Lsn, Segment
from pytest_pgrestore.sources.copying import copy_plain
from pytest_pgrestore.sources.wal import commits, header, tablespaces, timelines
from pytest_pgrestore.sources.wal.backup_label import SEGMENT_SIZES, moment, parse_label
from pytest_pgrestore.sources.wal.history_graph import HistoryGraph
from pytest_pgrestore.sources.wal.history_verdict import not_followed, require_way
from pytest_pgrestore.sources.wal.segments import fault_of, scan, sound, supply
from pytest_pgrestore.sources.wal.side_branches import branches_beside
from pytest_pgrestore.sources.wal.timelines import TimelinePath
from tests.fuzz.mutate import mutated
from tests.fuzz.ours import only_our_errors
from tests.unit.sources.histories import a_backup

MIB = 1 << 20
SEGMENT = Segment(1, 3)
EXPECTED = header.Expected(MIB, 7711133938856625400, 18)

# As PostgreSQL 17 wrote it; a `.backup` file has the STOP lines, an incremental one the last.
LABEL = b"""START WAL LOCATION: 0/2000028 (file 000000010000000000000002)
STOP WAL LOCATION: 0/2000120 (file 000000010000000000000002)
CHECKPOINT LOCATION: 0/2000080
BACKUP METHOD: streamed
BACKUP FROM: primary
START TIME: 2026-06-15 14:30:00 CEST
LABEL: pg_basebackup base backup
START TIMELINE: 1
STOP TIME: 2026-06-15 14:30:01 +0200
STOP TIMELINE: 1
INCREMENTAL FROM LSN: 0/1000028
INCREMENTAL FROM TLI: 1
"""
HISTORY = b"""1\t0/300500\tno recovery target specified

2\t0/500000\tbefore 2026-06-15 14:30:00.123456+00
# a comment
3\t0/500000\tat restore point "x"
"""
# As pg_waldump 15 and 18 printed it.
DUMPED = b"".join(
    b"rmgr: %s len (rec/tot):     34/    34, tx:        730, lsn: 0/%s, prev 0/01537E38, desc: %s\n"
    % line
    for line in (
        (b"Transaction", b"01537E88", b"COMMIT 2026-11-23 06:04:56.708927 UTC"),
        (b"Transaction", b"01537EB0", b"COMMIT_PREPARED 731: 2026-11-23 06:04:56.708927 UTC"),
        (b"XLOG       ", b"01537EE0", b"RESTORE_POINT before the migration"),
        (
            b"XLOG       ",
            b"01537F48",
            b"END_OF_RECOVERY tli 2; prev tli 1; time 2026-11-23 06:04:56.708927 UTC",
        ),
    )
)
PAGE = header._LONG_HEADER.pack(0xD118, 2, 1, SEGMENT.start(MIB), 0, 7711133938856625400, MIB, 8192)
WHOLE = PAGE.ljust(MIB, b"\0")
CODECS = {
    ".gz": gzip.compress(WHOLE),
    ".bz2": bz2.compress(WHOLE),
    ".xz": lzma.compress(WHOLE),
    ".lz4": lz4.frame.compress(WHOLE),
    ".zst": zstandard.compress(WHOLE),
    "": PAGE,
}
POSITIONS = st.one_of(
    st.integers(0, 1 << 64),
    st.sampled_from(["0/0", "FFFFFFFF/FFFFFFFF", "100000000/0", "g/1"]),
)


@given(mutated(LABEL))
def test_a_label(content: bytes) -> None:
    """Its numbers become names of files, its times are compared with others."""
    with only_our_errors():
        label = parse_label(content.decode(errors="backslashreplace"), "backup_label")
        assert 0 < label.start_timeline < 1 << 32
        label.segment_bytes()
        started = moment(label.start_time)
        known = ("2026-06-15 14:30:00 CEST", started) if started is not None else None
        moment(label.stop_time, known)


@given(
    st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} [<+-][0-9]{2,4}>?\Z")
)
def test_a_time_in_a_label(written: str) -> None:
    """There is no month 13 and no offset of 99 hours."""
    moment(written)


@given(mutated(HISTORY))
def test_a_history(content: bytes) -> None:
    """What comes out increases: a path that goes in a circle would be followed for ever."""
    text = content.decode(errors="backslashreplace")
    with only_our_errors():
        found = timelines.parse_history(text, 4)
        assert [parent for parent, _ in found] == sorted({parent for parent, _ in found})
        assert all(0 < parent < 4 for parent, _ in found)
    with only_our_errors():
        str(HistoryGraph({4: text}, (), MIB).way(a_backup(), 4).path)


@given(
    st.dictionaries(
        st.integers(1, 12),
        st.lists(st.tuples(st.integers(0, 13), POSITIONS), max_size=6),
        max_size=6,
    ),
    st.lists(st.from_regex(r"\A0000000[0-9]0000000[0-9][0-9A-F]{8}\Z"), max_size=20),
    st.sampled_from(SEGMENT_SIZES),
)
def test_timelines_in_any_order(
    ancestors: dict[int, list[tuple[int, int | str]]], names: list[str], size: int
) -> None:
    """Cycles, gaps and positions that go back: the path ends, and each number has one file.

    Every answer of the graph is one, or an error of ours.
    """
    texts = {
        timeline: "".join(
            f"{parent}\t{Lsn(at) if isinstance(at, int) else at}\treason\n" for parent, at in lines
        )
        for timeline, lines in ancestors.items()
    }
    graph = HistoryGraph(texts, names, size, [a_backup(stop=0)])
    with only_our_errors():
        way, path = require_way(graph, a_backup(stop=0), "latest")
        assert len(not_followed(graph, way)) < 10
        for branch in branches_beside(graph, path):
            assert branch.names
        chosen = path.choose(names, size)
        for number, (_, name) in chosen.items():
            for candidate in path.candidates(number, size):
                tried = candidate.file_name(size)
                assert name[:8] >= tried[:8] or tried not in names


@given(mutated(PAGE))
def test_the_header_of_a_segment(start: bytes) -> None:
    """Sizes, timelines and positions of any value become words of a message."""
    header.fault(start, None, SEGMENT, EXPECTED)
    header.fault(start, len(start), SEGMENT, EXPECTED)


@pytest.mark.parametrize("suffix", CODECS)
@given(st.data())
def test_a_segment_that_is_compressed(suffix: str, data: st.DataObject) -> None:
    """It is sound, or a message says what is wrong; a copy is never longer than a segment."""
    content = data.draw(mutated(CODECS[suffix]))
    with TemporaryDirectory() as made:
        archive = Path(made)
        path = archive / (SEGMENT.file_name(MIB) + suffix)
        path.write_bytes(content)
        file = scan(archive).segments[SEGMENT.file_name(MIB)]
        with only_our_errors():
            fault_of(file, SEGMENT, EXPECTED)
        found = supply({file.name: file}, TimelinePath(((1, None),)), SEGMENT.start(MIB), MIB)
        with only_our_errors():
            sound(found, EXPECTED, None)
        copy = archive / "copy"
        with only_our_errors():
            copy_plain(path, copy, MIB)
            assert copy.stat().st_size <= MIB


@pytest.mark.parametrize("suffix", CODECS)
@given(st.data())
def test_the_small_files_of_an_archive(suffix: str, data: st.DataObject) -> None:
    """They may be compressed too."""
    packed = {
        ".gz": gzip.compress,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
        ".lz4": lz4.frame.compress,
        ".zst": zstandard.compress,
        "": bytes,
    }[suffix]
    with TemporaryDirectory() as made:
        archive = Path(made)
        (archive / f"00000004.history{suffix}").write_bytes(data.draw(mutated(packed(HISTORY))))
        name = "000000010000000000000002.00000028.backup"
        (archive / f"{name}{suffix}").write_bytes(data.draw(mutated(packed(LABEL))))
        found = scan(archive)
        with only_our_errors():
            HistoryGraph(found.history_texts(), (), MIB).way(a_backup())
        with only_our_errors():
            found.history_of(parse_label(LABEL.decode(), "backup_label"))


@given(st.lists(st.text(alphabet="0123456789ABCDEF.history.partial.backup.gz", max_size=50)))
def test_names_of_an_archive(names: list[str]) -> None:
    """Any name may lie there."""
    with TemporaryDirectory() as made:
        for name in names:
            if name.strip("."):
                (Path(made) / name).touch()
        found = scan(Path(made))
        for size in SEGMENT_SIZES:
            supply(found.segments, TimelinePath(((1, None),)), Lsn(0x2000028), size)


@given(mutated(DUMPED))
def test_what_pg_waldump_prints(content: bytes) -> None:
    """The name of a restore point, or the path of a tablespace, may look like a line."""
    for line in content.decode(errors="backslashreplace").split("\n"):
        stop = commits._parse(line)
        if stop is not None:
            str(stop)


@given(mutated(b"\x54" + bytes(23) + b"\xff\x10" + b"\x06\x40\x00\x00/srv/space\x00"))
def test_a_record_of_a_tablespace(record: bytes) -> None:
    """A record that is not understood is not changed."""
    begin = tablespaces._path_begins(record)
    assert begin == 0 or tablespaces._RECORD_HEADER_BYTES < begin <= len(record)
    tablespaces.checksum(record)
