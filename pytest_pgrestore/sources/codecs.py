"""Reading files that may be compressed, as a stream. Truncated and damaged files raise an error."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import tarfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.system.regular_file import NotRegularError, TooLargeError, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK_BYTES = 1 << 18
"""Bytes read at a time: they fit the processor's cache. Four times as much took twice as long."""

_ZSTD_BYTES = 1024
"""Bytes given to zstd at a time. It unpacks all of them at once: at most 128 KiB of every four."""

SUFFIXES = (".gz", ".zst", ".lz4", ".bz2", ".xz")

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
}
"""First bytes of each format. Sources: RFC 1952, RFC 8878, LZ4 frame format, bzip2, .xz format."""


def plain_name(name: str) -> str:
    """Return a file's name without the suffix of a compressor."""
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def codec_of(path: Path) -> str:
    """Return ``gzip``, ``zstd``, ``lz4``, ``bzip2``, ``xz`` or ``none``.

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
    if codec == "zstd":
        return cast("IO[bytes]", io.BufferedReader(_Chunks(_zstd_chunks(path)), CHUNK_BYTES))
    file = open_regular(path)
    return file if codec == "none" else cast("IO[bytes]", _Decoded(_decoder(codec, file), file))


def _decoder(codec: str, file: IO[bytes]) -> io.RawIOBase:
    """Return a reader of the decompressed bytes of an open file."""
    match codec:
        case "gzip":
            return cast("io.RawIOBase", gzip.GzipFile(fileobj=file))
        case "bzip2":
            return cast("io.RawIOBase", bz2.BZ2File(file))
        case "xz":
            import lzma

            return cast("io.RawIOBase", lzma.LZMAFile(file))
        case _:
            import lz4.frame

            return cast("io.RawIOBase", lz4.frame.LZ4FrameFile(file))


class _Decoded(io.BufferedReader):
    """A decoder and its file, which are closed together."""

    def __init__(self, decoder: io.RawIOBase, file: IO[bytes]) -> None:
        super().__init__(decoder, CHUNK_BYTES)
        self._file = file

    def close(self) -> None:
        """Close both."""
        super().close()
        self._file.close()


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
    except (
        zlib.error,
        gzip.BadGzipFile,
        zstandard.ZstdError,
        LZMAError,
        RuntimeError,  # of lz4.frame
        tarfile.TarError,
    ) as exc:
        raise _damaged(path, exc) from exc
    except (NotRegularError, TooLargeError) as exc:
        raise BackupNotRestorable(
            f"{exc.filename or path} {exc.strerror}, unlike the file a backup has there",
            hint="find out what made it, and put the file itself into the backup.",
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


def _damaged(path: Path, exc: BaseException) -> BackupNotRestorable:
    return BackupNotRestorable(
        f"{path} is damaged: {exc}", hint="compare it with the copy on another medium."
    )


class _Chunks(io.RawIOBase):
    """A file object over an iterator of byte strings."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

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

    with open_regular(path) as stream:
        frame = zstandard.ZstdDecompressor().decompressobj()
        while data := stream.read(CHUNK_BYTES):
            for begin in range(0, len(data), _ZSTD_BYTES):
                part = data[begin : begin + _ZSTD_BYTES]
                while part:
                    if frame.eof:
                        frame = zstandard.ZstdDecompressor().decompressobj()
                    yield frame.decompress(part)
                    part = frame.unused_data if frame.eof else b""
        if not frame.eof:
            raise EOFError(path)
