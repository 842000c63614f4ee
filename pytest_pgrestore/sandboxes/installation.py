"""Installed server programs of PostgreSQL: their version, and the choice among them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

SYSTEM_DIRECTORIES = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin")
"""Below the root: packages of Debian and Ubuntu; RPMs of yum.postgresql.org."""

VERSION = re.compile(r"postgres \(PostgreSQL\) (?P<version>(?P<major>\d+)\S*)")
"""The line of ``postgres --version`` (PG_BACKEND_VERSIONSTR in PostgreSQL's src/include/port.h)."""


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


def of_major(found: Sequence[Installed], major: int | None) -> Installed | None:
    """Return the first of `found` with exactly `major`; the newest when `major` is None.

    Returns None when there is none.
    """
    if major is None:
        return max(found, key=lambda entry: entry.major, default=None)
    return next((entry for entry in found if entry.major == major), None)
