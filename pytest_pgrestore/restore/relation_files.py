"""The files of relations in the running copy, listed from outside and compared with pg_class."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_pgrestore.checks import relation_files as check
from pytest_pgrestore.model.damage import is_damage, words_of_refusal
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.restore.databases import read_databases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_pgrestore.restore.attempt import Attempt
    from pytest_pgrestore.restore.instance import ConnectionInfo
    from pytest_pgrestore.sandboxes.protocol import Sandbox

MANIFEST = "manifest"
"""Name of the check that makes this one needless: it compares each byte of each file."""

_COMPARING = ("pgbackrest",)
"""Tools that compare each file with the checksum in their own manifest while they restore it."""


def is_needed(attempt: Attempt) -> bool:
    """Tell whether nothing else has compared the files of the copy."""
    if attempt.source.type in _COMPARING:
        return False
    return not any(
        found.name == MANIFEST and found.verdict is Verdict.PASSED for found in attempt.checks
    )


def check_relation_files(attempt: Attempt, sandbox: Sandbox, access: ConnectionInfo) -> None:
    """Add the check to `attempt`, with what it had to leave out."""
    findings, problem = check.Findings(), ""
    try:
        listing = _listed(sandbox)
    except OSError as exc:
        listing, problem = check.Listing(), f"the files of the copy cannot be listed: {exc}"
    if not problem:
        _compare(access, listing, findings)
    attempt.checks.append(check.relation_files(findings, problem))
    attempt.not_checked += check.not_compared(findings)


def _compare(access: ConnectionInfo, listing: check.Listing, findings: check.Findings) -> None:
    import psycopg

    with access.ask() as connection:
        databases = read_databases(connection)
        findings.lost += check.lost_databases(connection, listing)
    for database in databases:
        if database.why_closed:
            if not database.template:
                findings.left_out.append(database.name)
            continue
        try:
            with access.ask(database.name) as connection:
                check.compare(connection, listing, findings)
        except psycopg.OperationalError as exc:
            told = f"database {database.name} cannot be opened: {words_of_refusal(str(exc))}"
            damaged = is_damage(exc.sqlstate, str(exc))
            (findings.lost if damaged else findings.unopened).append(told)


def _listed(sandbox: Sandbox) -> check.Listing:
    """Return the files of relations; no link is followed but those to our own tablespaces."""
    found = check.Listing()
    data = sandbox.data
    for folder, shown in (
        (data / "global", "global"),
        *_numbered(data / "base", "base"),
        *_in_tablespaces(sandbox),
    ):
        found.folders.add(shown)
        with os.scandir(folder) as entries:
            for entry in entries:
                # The server renames and removes files meanwhile: pg_internal.init.PID (relcache.c).
                if check.is_relation(entry.name) and entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):
                        found.add(shown, entry.name, entry.stat(follow_symlinks=False).st_size)
    return found


def _in_tablespaces(sandbox: Sandbox) -> Iterator[tuple[Path, str]]:
    """Yield each database's directory in each tablespace."""
    for space, shown in _numbered(sandbox.data / "pg_tblspc", "pg_tblspc", links=True):
        # The link is the server's, which may see the tablespace at another path than we do.
        real = sandbox.tablespaces / space.name if space.is_symlink() else space
        if real.is_symlink() or not real.is_dir():
            continue
        for version in real.iterdir():
            if version.name.startswith("PG_") and not version.is_symlink():
                yield from _numbered(version, f"{shown}/{version.name}")


def _numbered(place: Path, shown: str, *, links: bool = False) -> Iterator[tuple[Path, str]]:
    """Yield the directories in `place` whose names are numbers, with their path for messages."""
    for entry in place.iterdir():
        if entry.name.isdecimal() and (links or (entry.is_dir() and not entry.is_symlink())):
            yield entry, f"{shown}/{entry.name}"
