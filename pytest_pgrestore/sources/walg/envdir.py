"""Variables of WAL-G in a directory, a file for each: what Spilo keeps for its own calls.

Source: daemontools, envdir: the name of a file is that of a variable; its value is the first line
without trailing blanks, where NUL stands for a newline; an empty file removes the variable.
Spilo, configure_spilo.py, write_wale_environment: /run/etc/wal-e.d/env.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pytest_pgrestore.system.regular_file import read_limited
from pytest_pgrestore.system.who_may_read import who_may_read

if TYPE_CHECKING:
    from pathlib import Path

_TAKEN = re.compile(r"(?:WALG|WALE|AWS|S3|GOOGLE|GCS|GS|AZURE|SWIFT|OS|SSH|OSS)_[A-Z0-9_]{1,200}")
"""Names that are taken: those of WAL-G and of the clients of its stores.

Production's PG* are not: the restored copy must not reach it.
"""

_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASS|CREDENTIAL|SAS|SIGNATURE")
_NO_SECRET = re.compile(r"_(?:PATH|FILE|PREFIX)$|^GOOGLE_APPLICATION_CREDENTIALS$")
"""Names of a place: it must be known, because it is mounted, and it is no secret."""

_LARGEST_BYTES = 1 << 16
"""Bytes of a file: 64 KiB, more than a key or a token has."""

_MOST_FILES = 1000


def read_envdir(directory: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the variables that everybody may see, and those that nobody may see.

    Raises:
        ValueError: The directory or a file cannot be read, or has none of WAL-G's variables; the
            message is a problem and a hint, without any value.
    """
    try:
        names = sorted(name for name in os.listdir(directory) if _TAKEN.fullmatch(name))  # noqa: PTH208 - names alone
        found = {name: _value(directory / name) for name in names[:_MOST_FILES]}
    except PermissionError as exc:
        raise ValueError(
            f"{exc.filename} may not be read by this user; {who_may_read(directory)}"
        ) from None
    except OSError as exc:
        raise ValueError(
            f"{directory} cannot be read: {exc.strerror}; name the directory that has a file for"
            " each variable."
        ) from None
    given = {name: value for name, value in found.items() if value}
    if not given:
        raise ValueError(
            f"{directory} has no file named as a variable of WAL-G; name the directory that has,"
            " for example, the file WALG_S3_PREFIX."
        )
    hidden = {name: value for name, value in given.items() if _is_secret(name)}
    return {name: value for name, value in given.items() if name not in hidden}, hidden


def _value(path: Path) -> str:
    """Return the value in a file; empty for an empty file."""
    content = read_limited(path, _LARGEST_BYTES)
    line = content.partition(b"\n")[0].rstrip(b" \t\r")
    return line.replace(b"\0", b"\n").decode(errors="surrogateescape")


def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None and _NO_SECRET.search(name) is None
