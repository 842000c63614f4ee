"""`pgrestore doctor`: what is here, what is missing, and how to get it. Starts no server."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError, PgRestoreError
from pytest_pgrestore.sandboxes.host_tool_runner import HostToolRunner
from pytest_pgrestore.sandboxes.local.find_programs import (
    Installation,
    choose,
    choose_at_least,
    search,
)
from pytest_pgrestore.sandboxes.run_directory import require_traversable
from pytest_pgrestore.settings.find_file import find_config
from pytest_pgrestore.settings.options import BY_NAME
from pytest_pgrestore.sources.protocol import is_logical
from pytest_pgrestore.system import network
from pytest_pgrestore.system.account import server_account
from pytest_pgrestore.system.process import child_environment, run

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.settings.read_file import Config
    from pytest_pgrestore.system.account import Account

TOOLS = {
    "postgres": "every restore",
    "initdb": "a cluster to load dumps into",
    "psql": "plain dumps and roles",
    "pg_restore": "custom, directory and tar dumps",
    "pg_controldata": "base backups",
    "pg_verifybackup": "the manifest of base backups",
    "pg_waldump": "finding reachable points",
    "pg_basebackup": "private copies for tests (pgrestore_clone)",
    "pg_combinebackup": "incremental backups, PostgreSQL 17 and newer",
    "pg_amcheck": "structure of tables and indexes",
}
"""What a drill runs, and for what."""

_COMBINE_SINCE = 17
_SOURCE_SECONDS = 60.0
_PROBE_SECONDS = 20.0
_GIB = 1024**3
_INCOMPLETE = (
    "PostgreSQL {0.version} in {0.directory} is incomplete: {1}\n"
    "HINT: install the full server package, or name a complete directory in sandbox.bindir."
)


def examine(
    config: Path | None, here: Path, environ: Mapping[str, str], say: Callable[[str], Any]
) -> int:
    """Print what was found; return 0 when a drill could run here, else 1."""
    problems: list[str] = []
    settings = _read(config, here, environ, problems)
    runtime = (
        environ.get(BY_NAME["runtime"].variable)
        or (settings.sandbox.runtime if settings else None)
        or "docker"
    )
    say(f"runtime: {runtime}")
    for line in _local(settings, problems) if runtime == "local" else _docker(settings, problems):
        say(line)
    for line in _sources(settings, problems, local=runtime == "local"):
        say(line)
    for problem in problems:
        say(f"problem: {problem}")
    say("a drill can run here" if not problems else "a drill may fail here: see the problems above")
    return 1 if problems else 0


def _read(
    config: Path | None, here: Path, environ: Mapping[str, str], problems: list[str]
) -> Config | None:
    from pytest_pgrestore.settings.read_file import load_config
    from pytest_pgrestore.sources.registry import SOURCE_TABLES

    try:
        path = find_config(config, [here])
        return load_config(path, environ, tables=SOURCE_TABLES) if path is not None else None
    except PgRestoreError as exc:
        problems.append(str(exc))
        return None


def _local(settings: Config | None, problems: list[str]) -> Iterator[str]:
    bindir = settings.sandbox.bindir if settings else None
    yield from _programs(Path(bindir) if bindir else None, problems)
    account = yield from _place(settings, problems)
    if account is not None:
        cut = network.can_be_cut(account)
        yield f"network of the copy: {network.CUT if cut else network.OPEN}"


def _docker(settings: Config | None, problems: list[str]) -> Iterator[str]:
    """Ask the daemon; build and pull nothing."""
    from pytest_pgrestore.sandboxes.docker.daemon.client import connect
    from pytest_pgrestore.sandboxes.docker.daemon.image import is_here
    from pytest_pgrestore.sandboxes.settings import DEFAULT_BASE_IMAGE

    try:
        engine = connect()
    except HarnessError as exc:
        problems.append(str(exc))
        return
    yield f"engine: {engine.name}"
    table = settings.sandbox if settings else None
    own = table.image if table else None
    wanted = own or (table.base_image if table else None) or DEFAULT_BASE_IMAGE
    yield f"image: {wanted}" if own else f"image: built on {wanted} when a drill needs it"
    yield from _place(settings, problems)
    if "{major}" not in wanted:
        here = is_here(engine, wanted)
        yield f"{wanted}: {'here' if here else 'not here yet'}"
        if not here and table is not None and not table.pull:
            problems.append(
                f"image {wanted} is not on this machine, and pulling is off\nHINT: docker pull {wanted}."
            )


def _programs(bindir: Path | None, problems: list[str]) -> Iterator[str]:
    found = search(bindir)
    yield "PostgreSQL programs, every place looked at:"
    for place in found.places or ["PATH and the usual directories: nothing there"]:
        yield f"  {place}"
    if not found.found:
        problems.append(_problem_of(lambda: choose(None, bindir)))
    incomplete = []
    for binaries in found.found:
        broken = "; ".join(_broken(binaries))
        yield f"  PostgreSQL {binaries.version}: {broken or 'every tool runs'}"
        incomplete += [_INCOMPLETE.format(binaries, broken)] if broken else []
    if len(incomplete) == len(found.found):
        problems += incomplete  # beside a complete one they do no harm


def _broken(binaries: Installation) -> Iterator[str]:
    """Ask every tool for its version; a file that is there may lack a library."""
    for tool, purpose in TOOLS.items():
        program = binaries.directory / tool
        if tool == "pg_combinebackup" and binaries.major < _COMBINE_SINCE:
            continue
        if not program.exists():
            yield f"{tool} is missing ({purpose})"
            continue
        try:
            run(
                [str(program), "--version"], timeout_seconds=_PROBE_SECONDS, env=child_environment()
            )
        except HarnessError as exc:
            yield f"{tool} does not run ({purpose}): {exc.problem}"


def _place(settings: Config | None, problems: list[str]) -> Generator[str, None, Account | None]:
    """Yield where copies live, and return whom servers run as; None where that is nobody."""
    directory = Path((settings.sandbox.directory if settings else None) or tempfile.gettempdir())
    try:
        account = server_account(settings.sandbox.user if settings else None)
    except PgRestoreError as exc:
        problems.append(str(exc))
        return None
    yield f"servers run as: {account.name}" + (" (root drops to it)" if account.drop else "")
    if not os.access(directory, os.W_OK | os.X_OK) or not directory.is_dir():
        problems.append(
            f"copies cannot live in {directory}: no directory that can be written\n"
            "HINT: make it, or set sandbox.directory to another one."
        )
        return account
    yield f"copies live in: {directory}, {shutil.disk_usage(directory).free / _GIB:.1f} GiB free"
    if account.drop:
        problem = _problem_of(lambda: require_traversable(directory, account))
        problems.extend([problem] if problem else [])
    return account


def _sources(settings: Config | None, problems: list[str], *, local: bool) -> Iterator[str]:
    from pytest_pgrestore.sources.registry import make_source

    if settings is None:
        yield "sources: no pgrestore.toml here"
        return
    bindir = Path(settings.sandbox.bindir) if settings.sandbox.bindir else None
    for name, table in settings.sources.items():
        try:
            source = make_source(name, table.type, dict(table), _SOURCE_SECONDS)
            requirements = source.requirements
            if requirements is not None and not (local or requirements.on_host):
                yield f"source {name} ({table.type}): {requirements.program} runs in its image; --pgrestore-plan asks it"
                continue
            tool = (
                None
                if requirements is None
                else HostToolRunner(requirements, Path("/"), _SOURCE_SECONDS)
            )
            backups = source.backups(tool)
        except PgRestoreError as exc:
            problems.append(f"source {name}: {exc}")
            continue
        if not backups:
            problems.append(
                f"source {name}: no backup there\nHINT: correct `path`, or look after the backup job."
            )
            continue
        newest = backups[-1]
        yield f"source {name} ({table.type}): {len(backups)} backups, the newest {_described(newest)}"
        if not local:
            continue  # the image is made for the backup
        problem = _problem_of(partial(_programs_for, newest, bindir, logical=is_logical(source)))
        problems.extend([f"source {name}: {problem}"] if problem else [])


def _described(backup: Backup) -> str:
    ended = backup.stopped_at.isoformat(timespec="seconds") if backup.stopped_at else "unknown"
    return f"{backup.label} ({backup.form}, PostgreSQL {backup.server_major or '?'}) ended {ended}"


def _programs_for(backup: Backup, bindir: Path | None, *, logical: bool) -> None:
    """Look for the programs a restore of `backup` takes: a dump may be loaded into a newer server."""
    if logical and backup.server_major is not None:
        choose_at_least(backup.server_major, bindir)
    else:
        choose(backup.server_major, bindir)


def _problem_of(attempt: Callable[[], object]) -> str:
    """Return problem and hint of what raises one, else an empty text."""
    try:
        attempt()
    except PgRestoreError as exc:
        return str(exc)
    return ""
