"""Where the files of a history are: a directory, or a prefix of an object store.

A file is created and read, and never changed. Many machines may write at the same time.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote
from uuid import uuid4

from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.settings.words import is_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "az": "azure",
    "abfs": "azure",
    "abfss": "azure",
}
"""Our extras by the scheme of a URL."""


_HERE = "file://"
"""Begins the URL of a directory: it is made when it is not there, as one without it is."""


class Store(Protocol):
    """The files of a history."""

    def names(self) -> list[str]:
        """Return the names of the files, in order.

        Raises:
            HarnessError: They cannot be listed.
        """

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the content of files by their names; one that is gone by now is not in it.

        Raises:
            HarnessError: One cannot be read.
        """

    def create(self, name: str, data: bytes) -> None:
        """Write a new file, whole or not at all.

        Raises:
            HarnessError: It cannot be written, or is there already.
        """

    def delete(self, name: str) -> None:
        """Remove a file.

        Raises:
            HarnessError: It cannot be removed.
        """


def open_store(place: str) -> Store:
    """Return the store at a place: a path, or a URL such as ``s3://bucket/drills``.

    Raises:
        ConfigError: fsspec, or its package for this scheme, is not installed.
        HarnessError: The library for this scheme cannot use the place.
    """
    if place.startswith(_HERE):
        place = unquote(place.removeprefix(_HERE))
    return ObjectStore(place) if is_url(place) else DirectoryStore(Path(place))


class DirectoryStore:
    """A directory; it is made when the first file is written."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def names(self) -> list[str]:
        """See `Store`."""
        try:
            return sorted(entry.name for entry in os.scandir(self._directory) if entry.is_file())
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise self._trouble("read", exc) from None

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """See `Store`."""
        found = {}
        for name in names:
            try:
                found[name] = (self._directory / name).read_bytes()
            except FileNotFoundError:
                continue
            except OSError as exc:
                raise self._trouble("read", exc) from None
        return found

    def create(self, name: str, data: bytes) -> None:
        """See `Store`."""
        target = self._directory / name
        unfinished = self._directory / f".{name}.{uuid4().hex}"
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with unfinished.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.link(unfinished, target)  # which never takes the place of a file, as a rename would
        except OSError as exc:
            raise self._trouble("written", exc) from None
        finally:
            with suppress(OSError):  # what cannot be written cannot be removed either
                unfinished.unlink()

    def delete(self, name: str) -> None:
        """See `Store`."""
        try:
            (self._directory / name).unlink()
        except OSError as exc:
            raise self._trouble("pruned", exc) from None

    def _trouble(self, what: str, error: OSError) -> HarnessError:
        return HarnessError(
            f"the history {self._directory} cannot be {what}: {error.strerror}",
            hint="see whether this user may write there, and whether the disk is full; or name"
            " another place in [history].",
        )


class ObjectStore:
    """A prefix of an object store, through fsspec. Credentials are those of the environment.

    Args:
        url: Such as ``s3://bucket/drills``.
    """

    def __init__(self, url: str) -> None:
        try:
            from fsspec.core import url_to_fs

            self._files, self._root = url_to_fs(url)
        except (ImportError, ValueError) as exc:
            scheme = url.partition("://")[0]
            extra = _EXTRAS.get(scheme)
            raise ConfigError(
                f"the history {scheme}:// needs a library that is not here ({exc})",
                hint=f'pip install "pytest-pgrestore[{extra}]"; or name a directory.'
                if extra
                else "install the package of fsspec for this scheme; or name a directory.",
            ) from None
        except Exception as exc:  # noqa: BLE001 - of the library for the scheme, or of its network
            raise HarnessError(
                f"the history {url.partition('://')[0]}:// cannot be opened: {type(exc).__name__}",
                hint="name a prefix of an object store, such as s3://bucket/drills, or a directory;"
                " and look at the credentials of the environment, and the network.",
            ) from None

    def names(self) -> list[str]:
        """See `Store`."""
        with self._told("listed"):
            try:
                self._files.invalidate_cache()
                found = self._files.ls(self._root, detail=False)
            except FileNotFoundError:
                return []
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found)

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """See `Store`. Many files are asked for at once: a year of nights takes a second."""
        paths = {f"{self._root}/{name}": name for name in names}
        if not paths:
            return {}
        with self._told("read"):
            # A list, also of one: a text is taken for a pattern, and answered without its name.
            found = self._files.cat(list(paths), on_error="return")
            for error in found.values():
                if isinstance(error, Exception) and not isinstance(error, FileNotFoundError):
                    raise error
        return {
            name: bytes(found[path])
            for path, name in paths.items()
            if not isinstance(found[path], Exception)
        }

    def create(self, name: str, data: bytes) -> None:
        """See `Store`."""
        with self._told("written"):
            # The store itself refuses to take the place of an object, where it can.
            self._files.pipe_file(f"{self._root}/{name}", data, mode="create")

    def delete(self, name: str) -> None:
        """See `Store`."""
        with self._told("pruned"):
            self._files.rm(f"{self._root}/{name}")  # not every one has `rm_file`

    def _told(self, what: str) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def told() -> Iterator[None]:
            try:
                yield
            except Exception as exc:  # noqa: BLE001 - each library of fsspec has errors of its own
                raise HarnessError(
                    f"the history {self._root} cannot be {what}: {type(exc).__name__}",
                    hint="look at the credentials of the environment, the bucket and the network.",
                ) from None

        return told()
