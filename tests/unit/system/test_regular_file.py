"""Opening files whose names somebody else may have made."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.system.regular_file import (
    NotRegularError,
    TooLargeError,
    open_regular,
    read_limited,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_read_also_through_a_link_where_that_is_allowed(tmp_path: Path) -> None:
    """A backup may be named by a link, such as `latest`."""
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"content")
    link.symlink_to(file)
    assert read_limited(file, 7) == read_limited(link, 7) == b"content"
    assert read_limited(file, 7, follow=False) == b"content"


def test_a_link_is_refused_where_none_may_be(tmp_path: Path) -> None:
    """A less privileged user made it, to lead us elsewhere."""
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"content")
    link.symlink_to(file)
    with pytest.raises(NotRegularError, match="is a link"):
        open_regular(link, follow=False)


@pytest.mark.parametrize("kind", ["fifo", "directory", "socket", "device"])
def test_anything_else_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    """An ordinary open of a FIFO waits for a writer that never comes."""
    path = tmp_path / "x"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    with pytest.raises(NotRegularError, match="is no regular file"):
        open_regular(path)


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    """The limit is the reader's, whatever the file says of itself."""
    path = tmp_path / "x"
    path.write_bytes(b"12345678")
    with pytest.raises(TooLargeError, match="has more than 7 bytes"):
        read_limited(path, 7)
