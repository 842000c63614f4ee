"""Dumps that unpack without end: the memory of this process stays small, and time stays linear."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lz4.frame
import pytest
import zstandard

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.codecs import open_plain, reading
from pytest_pgrestore.sources.dump.loading.psql.lexer import PsqlLexer
from pytest_pgrestore.sources.dump.loading.psql.settings import LexerSettings
from pytest_pgrestore.sources.dump.loading.role_names import roles_named
from pytest_pgrestore.sources.dump.reading import dump_file, globs, toc
from pytest_pgrestore.sources.dump.reading.entries import entry_of

pytestmark = pytest.mark.long

HEAD = b"--\n-- PostgreSQL database dump\n--\n\n"
ZEROS = b"x" * (1 << 20)
UNPACKED_MEBIBYTES = 300
LIMIT_BYTES = 300 << 20

READER = """
import sys
from pathlib import Path
from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.sources.dump.loading.sql_stream import SqlStream
from pytest_pgrestore.sources.dump.reading import dump_file
dump = dump_file.inspect(Path(sys.argv[1]))
try:
    for chunk in SqlStream(dump_file.chunks(dump), lambda statement: statement):
        pass
    print("read")
except PgRestoreError as exc:
    print(type(exc).__name__)
# Not ru_maxrss: after fork and exec it contains the memory of the parent, which is pytest.
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")))
"""


def endless(head: bytes) -> Iterator[bytes]:
    """Yield a head and one long line."""
    yield head
    for _ in range(UNPACKED_MEBIBYTES):
        yield ZEROS


def packed(codec: str, chunks: Iterator[bytes]) -> bytes:
    """Return the chunks compressed."""
    target = io.BytesIO()
    writers: dict[str, Callable[[], Any]] = {
        "gzip": lambda: gzip.GzipFile(fileobj=target, mode="wb", compresslevel=1),
        "bzip2": lambda: bz2.BZ2File(target, "wb"),
        "xz": lambda: lzma.LZMAFile(target, "wb", preset=0),  # noqa: SIM115 - closed below
        "lz4": lambda: lz4.frame.open(target, "wb"),
        "zstd": lambda: zstandard.ZstdCompressor().stream_writer(target, closefd=False),
    }
    with writers[codec]() as writer:
        for chunk in chunks:
            writer.write(chunk)
    return target.getvalue()


@pytest.mark.parametrize(
    ("codec", "text", "verdict"),
    [
        ("gzip", b"select '", "HarnessError"),
        ("bzip2", b"COPY t FROM stdin;\n", "read"),
        ("xz", b"-- ", "HarnessError"),
        ("lz4", b"select '", "HarnessError"),
        ("zstd", b"COPY t FROM stdin;\n", "read"),
        ("zstd", b"select '", "HarnessError"),
    ],
)
def test_a_bomb_is_read_in_little_memory(
    tmp_path: Path, codec: str, text: bytes, verdict: str
) -> None:
    """A few hundred kilobytes stand for hundreds of megabytes in one line."""
    path = tmp_path / "bomb"
    path.write_bytes(packed(codec, endless(HEAD + text)))

    done = subprocess.run(
        [sys.executable, "-c", READER, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )

    said, used_bytes = done.stdout.split()
    assert said == verdict
    assert int(used_bytes) < LIMIT_BYTES


def test_a_decoder_that_wants_too_much_memory_could_not_verify(tmp_path: Path) -> None:
    """The header of a file of some bytes asks for a gigabyte."""
    parameters = zstandard.ZstdCompressionParameters(window_log=30, compression_level=1)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    path = tmp_path / "wide"
    path.write_bytes(packer.compress(HEAD) + packer.flush())

    with pytest.raises(HarnessError, match="HINT: decompress it"), reading(path):
        open_plain(path).read()


@pytest.mark.parametrize("codec", ["gzip", "bzip2", "xz", "lz4", "zstd"])
def test_whole_and_cut_files_of_every_codec(tmp_path: Path, codec: str) -> None:
    """A healthy file of two streams is read to its end, and a cut one is an error."""
    data = packed(codec, iter([HEAD]))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.write_bytes(data * 2)
    cut.write_bytes(data[:-5])

    with reading(whole), open_plain(whole) as stream:
        assert stream.read() == HEAD * 2
    with pytest.raises(BackupNotRestorable, match=r"cut short|damaged"), reading(cut):
        open_plain(cut).read()


@pytest.mark.parametrize("name", ["fifo", "zero"])
def test_what_is_no_file_is_no_dump(tmp_path: Path, name: str) -> None:
    """A FIFO waits for ever, a device never ends."""
    path = tmp_path / name
    if name == "fifo":
        import os

        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")

    assert dump_file.inspect(path) is None
    with pytest.raises(BackupNotRestorable, match="no regular file"), reading(path):
        open_plain(path)


def test_links_in_circles_are_passed_by(tmp_path: Path) -> None:
    """Two links to their own directory make 2 ** 40 paths for `**`. One to nothing is a match."""
    for name in ("a", "b"):
        (tmp_path / name).symlink_to(tmp_path)
    (tmp_path / "gone.dump").symlink_to(tmp_path / "nothing")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.dump").touch()

    found = [tmp_path / "deep" / "x.dump"]
    assert globs.matches(f"{tmp_path}/**/*.dump", "path") == [tmp_path / "gone.dump", *found]
    assert globs.matches(f"{tmp_path}/**/x**", "path") == found
    assert globs.matches(f"{tmp_path}/deep/x**", "path") == found


@pytest.mark.parametrize(
    "text",
    [
        b"-- Name: " + b"; Type: A; Schema: " * 50_000 + b"\n",
        b"GRANT " + b' GRANTED BY "' * 80_000 + b";\n",
        b"ALTER TABLE t" + b' OWNER TO ""' * 80_000 + b";\n",
        b'\\connect "' + b'""' * 30_000 + b"\n",
        b"select " + b"(" * 1_000_000,
        b"/*" * 500_000,
        b"$a" * 500_000,
        b"select " + b"$a$ $b$ " * 100_000,
        b"copy t (" + b'"a",' * 200_000 + b") from stdin;\n",
        b"E'" + b"\\'" * 500_000,
        b"U&" * 500_000,
        b"1" * 1_000_000,
        b"\n" * 1_000_000,
        b"\\.\n" * 300_000,
        b":" * 1_000_000,
        b"'" * 999_999,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_reading_is_linear(text: bytes) -> None:
    """Each repeats what a pattern with backtracking tries again; the time-out is for a hang."""
    code = (
        "import sys\n"
        "from pytest_pgrestore.model.errors import PgRestoreError\n"
        "from pytest_pgrestore.sources.dump.loading.psql.lexer import PsqlLexer\n"
        "from pytest_pgrestore.sources.dump.loading.role_names import roles_named\n"
        "from pytest_pgrestore.sources.dump.loading.sql_stream import SqlStream\n"
        "from pytest_pgrestore.sources.dump.reading import toc\n"
        "from pytest_pgrestore.sources.dump.reading.plain_header import parse_plain_header\n"
        "text = sys.stdin.buffer.read()\n"
        "parse_plain_header(b'-- PostgreSQL database dump\\n' + text)\n"
        "toc.parse(text.decode(), text.decode())\n"
        "roles_named(text)\n"
        "try:\n"
        "    for _ in SqlStream([text[n:n+4096] for n in range(0, len(text), 4096)], bytes): pass\n"
        "except PgRestoreError: pass\n"
    )

    subprocess.run([sys.executable, "-c", code], input=text, check=True, timeout=60)


def test_a_function_of_many_arguments_is_an_entry() -> None:
    """Its header has thousands of characters, and is one of pg_dump's."""
    name = f"f({', '.join(['public.some_type_of_a_long_name'] * 100)})"

    entry = entry_of(f"-- Name: {name}; Type: FUNCTION; Schema: public; Owner: app")

    assert entry is not None
    assert (entry.name, entry.owner) == (name, "app")


def test_a_long_chain_of_dependencies_is_followed_once() -> None:
    """A cycle, too: the last line depends on the first one."""
    count = 100_000
    listing = "1; 1259 1 TABLE public t app\n;\tdepends on: " + str(count) + "\n"
    listing += "".join(
        f"{number}; 1259 1 INDEX public i{number} app\n;\tdepends on: {number - 1}\n"
        for number in range(2, count + 1)
    )
    script = "-- Name: t; Type: TABLE; Schema: public; Owner: app\n"
    from pytest_pgrestore.sources.dump.loading.tables import choose_tables

    chosen = choose_tables(toc.parse(listing, script), ("t",))

    assert len(chosen) == count


def test_a_zero_byte_is_no_part_of_a_dump() -> None:
    """Psql joins the lines around it, and would read another text than we do."""
    with pytest.raises(BackupNotRestorable, match="zero byte"):
        list(PsqlLexer("x").pieces([b"select 1; -- \0\n\\! true\n"]))


def test_the_role_of_a_statement_is_found_at_its_beginning_only() -> None:
    """A body that looks like a statement names no role."""
    assert roles_named(b"select 'x\nALTER TABLE t OWNER TO nobody;'") == []


def test_characters_are_masked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each COPY masked the rest of the chunk again."""
    masked: list[int] = []
    mask = LexerSettings.masked

    def counted(self: LexerSettings, text: bytes) -> bytes:
        masked.append(len(text))
        return mask(self, text)

    monkeypatch.setattr(LexerSettings, "masked", counted)
    table = b"COPY t (a) FROM stdin;\n\x83\\\n\\.\n\nSELECT '\x83\\';\n"
    text = b"SET client_encoding = 'SJIS';\n" + table * 200

    pieces = [piece for found in PsqlLexer("x").pieces([text]) for piece in found]

    assert b"".join(piece.text for piece in pieces) == text
    assert sum(piece.text == b"SELECT '\x83\\';" for piece in pieces) == 200
    assert sum(masked) < 2 * len(text)
