"""Installed server programs of PostgreSQL: their version, and the choice among them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

SYSTEM_DIRECTORIES = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin")
"""Below the root: packages of Debian and Ubuntu; RPMs of yum.postgresql.org."""

VERSION = re.compile(r"postgres \(PostgreSQL\) (?P<version>(?P<major>\d+)\S*)")
"""The line of ``postgres --version`` (PG_BACKEND_VERSIONSTR in PostgreSQL's src/include/port.h)."""


OLDEST_MAJOR = 12
"""Older servers read recovery.conf and know no recovery.signal (release notes of 12, E.1.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerVersion:
    """The version of a server program that ran.

    Attributes:
        major: Major version, e.g. 17.
        version: Full version, e.g. ``17.2``.
    """

    major: int
    version: str


Installed = TypeVar("Installed", bound=ServerVersion)


def require_supported(found: ServerVersion, where: str) -> None:
    """Refuse a server that is too old for a drill.

    Raises:
        HarnessError: It is older than `OLDEST_MAJOR`.
    """
    if found.major < OLDEST_MAJOR:
        raise HarnessError(
            f"{where} has PostgreSQL {found.version}, and a drill needs {OLDEST_MAJOR} or newer",
            hint="restore a dump under a newer server; a base backup needs the major that wrote"
            " it, so restore that one by hand.",
        )


def of_major(found: Sequence[Installed], major: int | None) -> Installed | None:
    """Return the first of `found` with exactly `major`; the newest when `major` is None.

    Returns None when there is none.
    """
    if major is None:
        return max(found, key=lambda entry: entry.major, default=None)
    return next((entry for entry in found if entry.major == major), None)
