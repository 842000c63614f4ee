"""``DATABASE_URL``: production's database, to compare a restored copy with, or to dump first.

Nothing of its value is written or printed but host, port, user and name of the database.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "DATABASE_URL"
_LIBPQ = re.compile(r"postgres(?:ql)?://")
_DRIVER = re.compile(r"postgres(?:ql)?\+\w+://")
_SHOWN = ("host", "port", "user", "dbname")


def remark(environ: Mapping[str, str]) -> str:
    """Return what it is good for, for the settings file; "" if it is not set."""
    url = environ.get(NAME, "")
    if _LIBPQ.match(url):
        return (
            f'live_conninfo = "${{{NAME}}}" below a source compares the copy with production: it'
            " tells an idle database from lost commits. A drill then connects to it, and only"
            " reads."
        )
    if _DRIVER.match(url):
        return (
            f"{NAME} names a driver of SQLAlchemy, which libpq does not know: for live_conninfo"
            " set another variable that begins with postgresql://."
        )
    return ""


def first_dump(environ: Mapping[str, str]) -> str:
    """Return the command that takes a first dump, without a password; "" without a database."""
    shown = _parts(environ.get(NAME, ""))
    if not shown.get("dbname"):
        return ""
    words = ["pg_dump", "--format=custom", f"--file={shown['dbname']}.dump"]
    conninfo = " ".join(f"{key}={_value(shown[key])}" for key in _SHOWN if key in shown)
    return shlex.join([*words, f"--dbname={conninfo}"])


def _parts(url: str) -> dict[str, str]:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        found = conninfo_to_dict(_DRIVER.sub("postgresql://", url)) if "://" in url else {}
    except ProgrammingError:
        return {}
    return {key: str(found[key]) for key in _SHOWN if found.get(key)}


def _value(text: str) -> str:
    """Return a value of a connection string; "Connection Strings" of libpq."""
    if re.fullmatch(r"[\w./-]+", text):
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
