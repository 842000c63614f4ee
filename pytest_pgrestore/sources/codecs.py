"""Reading files that may be compressed, as a stream. Truncated and damaged files raise an error."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.zip_member import open_only_member
from pytest_pgrestore.system.regular_file import NotRegularError, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK_BYTES = 1 << 18
"""Bytes read at a time: they fit the processor's cache. Four times as much took twice as long."""

_ZSTD_INPUT_BYTES = 1 << 10
"""Compressed bytes decoded at a time. A block of 4 bytes can stand for 128 KB (RFC 8878), and the
decoder returns everything at once: 32 MB at most. Larger inputs are no faster."""

WINDOW_BYTES = 1 << 27
"""Most memory of a decoder: what zstd itself allows without ``--long=28`` or more, and twice the
dictionary of ``xz -9``."""

_TOO_MUCH_MEMORY = ("requires too much memory", "Memory usage limit exceeded")

SUFFIXES = (".gz", ".zst", ".lz4", ".bz2", ".xz")

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"PK\x03\x04": "zip",
}
"""First bytes of each format.

Sources: RFC 1952, RFC 8878, LZ4 frame format, bzip2, .xz format, APPNOTE.TXT of PKWARE (zip).
"""


def plain_name(name: str) -> str:
    """Return a file's name without the suffix of a compressor."""
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def codec_of(path: Path) -> str:
    """Return ``gzip``, ``zstd``, ``lz4``, ``bzip2``, ``xz``, ``zip`` or ``none``.

    The file's first bytes decide, not its name.
    """
    with open_regular(path) as stream:
        start = stream.read(6)
    return next((name for magic, name in _MAGIC.items() if start.startswith(magic)), "none")


def open_plain(path: Path) -> IO[bytes]:
    """Open `path` for reading its decompressed bytes.

    A truncated file raises EOFError when its end is read.
    """
    codec = codec_of(path)
    if codec == "none":
        return open_regular(path)
    chunks = _zstd_chunks(path) if codec == "zstd" else _decoded_chunks(path, codec)
    return cast("IO[bytes]", io.BufferedReader(_Chunks(chunks), CHUNK_BYTES))


def _decoded_chunks(path: Path, codec: str) -> Iterator[bytes]:
    """Yield decompressed chunks; no decoder here returns more than it is asked for."""
    with open_regular(path) as raw, _decoder(raw, codec) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def _decoder(raw: IO[bytes], codec: str) -> IO[bytes]:
    match codec:
        case "gzip":
            return cast("IO[bytes]", gzip.GzipFile(fileobj=raw, mode="rb"))
        case "bzip2":
            return bz2.open(raw, "rb")
        case "lz4":
            import lz4.frame

            return cast("IO[bytes]", lz4.frame.open(raw, "rb"))
        case "zip":
            return open_only_member(raw)
        case _:
            return cast("IO[bytes]", io.BufferedReader(_Chunks(_xz_chunks(raw)), CHUNK_BYTES))


def _xz_chunks(raw: IO[bytes]) -> Iterator[bytes]:
    """Yield decompressed chunks of all streams; raise EOFError if the last one is not complete.

    `lzma.open` has no limit for the memory that a file's header asks for.
    """
    import lzma

    data = raw.read(CHUNK_BYTES)
    while data:
        decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=WINDOW_BYTES)
        while not decoder.eof:
            yield decoder.decompress(data, CHUNK_BYTES)
            data = b""
            if decoder.needs_input and not decoder.eof:
                data = raw.read(CHUNK_BYTES)
                if not data:
                    raise EOFError
        # Streams may be followed by zeros ("Stream Padding" of the .xz format).
        data = decoder.unused_data.lstrip(b"\0") or raw.read(CHUNK_BYTES).lstrip(b"\0")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Translate what decoders raise on a bad file.

    Raises:
        BackupNotRestorable: The file is cut short or damaged.
        HarnessError: The file cannot be read: permission or storage.
    """
    from lzma import LZMAError

    import zstandard

    try:
        yield
    except EOFError as exc:
        raise BackupNotRestorable(
            f"{path} is cut short: it ends in the middle",
            hint="find out where the copy was interrupted.",
        ) from exc
    except NotImplementedError as exc:  # of zipfile: a method of compression
        raise HarnessError(
            f"{path} cannot be unpacked: {exc}", hint="unpack it, and name what is in it."
        ) from exc
    except (
        zlib.error,
        gzip.BadGzipFile,
        zstandard.ZstdError,
        LZMAError,
        RuntimeError,  # of lz4.frame
        zipfile.BadZipFile,
        tarfile.TarError,
    ) as exc:
        raise _damaged(path, exc) from exc
    except NotRegularError as exc:
        raise BackupNotRestorable(
            f"{exc.filename or path} {exc.strerror}",
            hint="find out who put that in the place of a file of the backup.",
        ) from exc
    except OSError as exc:
        if exc.errno is None:
            # bz2 raises OSError without an errno for damaged data; no system call failed.
            raise _damaged(path, exc) from exc
        # The caller knows what other errors mean: the disk is full, or the file is missing.
        if exc.errno not in {errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE}:
            raise
        raise HarnessError(
            f"{exc.filename or path} cannot be read: {(exc.strerror or str(exc)).lower()}",
            hint="run the drill as a user who may read the backup, from storage that works.",
        ) from exc


def _damaged(path: Path, exc: BaseException) -> BackupNotRestorable | HarnessError:
    if any(words in str(exc) for words in _TOO_MUCH_MEMORY):
        return HarnessError(
            f"{path} needs more than {WINDOW_BYTES:,} bytes of memory to be decompressed",
            hint="decompress it beforehand, or compress it without --long or a larger dictionary.",
        )
    return BackupNotRestorable(
        f"{path} is damaged: {exc}", hint="compare it with the copy on another medium."
    )


class _Chunks(io.RawIOBase):
    """A file object over an iterator of byte strings."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def close(self) -> None:
        """Close the file behind the chunks."""
        if not self.closed and isinstance(self._chunks, Generator):
            self._chunks.close()
        super().close()

    def readable(self) -> bool:
        """Return True: `io.BufferedReader` requires it."""
        return True

    # typeshed declares a private type for `buffer`.
    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # see above
        """Fill `buffer` with at most one chunk; return the number of bytes, 0 at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _zstd_chunks(path: Path) -> Iterator[bytes]:
    """Yield decompressed chunks of all frames; raise EOFError if the last frame is not complete.

    `zstandard.ZstdDecompressor.stream_reader` ends without an error on a truncated frame.
    """
    import zstandard

    decoder = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES)
    with open_regular(path) as stream:
        frame = decoder.decompressobj()
        data = stream.read(_ZSTD_INPUT_BYTES)
        while data:
            yield frame.decompress(data)
            rest = frame.unused_data if frame.eof else b""
            data = rest or stream.read(_ZSTD_INPUT_BYTES)
            if frame.eof and data:
                frame = decoder.decompressobj()
        if not frame.eof:
            raise EOFError(path)
