"""Whether the catalogue of each source can be read, and its newest backup be restored here."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.sandboxes.host_tool_runner import HostToolRunner
from pytest_pgrestore.sandboxes.local.find_programs import choose, choose_at_least
from pytest_pgrestore.sources.protocol import is_logical
from pytest_pgrestore.sources.registry import make_source

if TYPE_CHECKING:
    from pytest_pgrestore.cli.doctor.diagnosis import Diagnosis
    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.settings.read_file import Config
    from pytest_pgrestore.settings.source_tables import SourceTable
    from pytest_pgrestore.sources.protocol import Source

_SOURCE_SECONDS = 60.0
_PLACES = ("path", "url", "server", "stanza", "repo", "config", "envdir", "env", "list")
"""Keys that say where the backups of a source are, of all types."""


def examine_sources(settings: Config | None, diagnosis: Diagnosis, *, local: bool) -> None:
    """Report the backups of each source in `settings`.

    Args:
        settings: None if there is no settings file.
        diagnosis: Gets a problem for each source without a backup that can be restored.
        local: Whether drills run on this machine, not in a container.
    """
    if settings is None:
        diagnosis.echo("sources: none, there is no pgrestore.toml here")
        return
    bindir = Path(settings.sandbox.bindir) if settings.sandbox.bindir else None
    for name, table in settings.sources.items():
        with diagnosis.problems_from(f"source {name}"):
            source = make_source(name, table, _SOURCE_SECONDS)
            newest = _newest_backup(source, table, diagnosis, local=local)
            # In a container the image is made for the backup: its programs are not looked for here.
            if local and newest is not None:
                _require_programs(newest, bindir, logical=is_logical(source))


def _newest_backup(
    source: Source, table: SourceTable, diagnosis: Diagnosis, *, local: bool
) -> Backup | None:
    """Report the catalogue; return the newest backup, or None if there is none or it is unknown."""
    title = f"source {source.name} ({table.type})"
    requirements = source.requirements
    if requirements is None:
        backups = source.backups()
    elif local or requirements.on_host:
        # Tools' own configurations are written there; the user may not write elsewhere.
        with tempfile.TemporaryDirectory(prefix="pgrestore-doctor-") as scratch:
            runner = HostToolRunner(requirements, Path(scratch), _SOURCE_SECONDS)
            backups = source.backups(runner)
    else:
        program = requirements.program
        diagnosis.echo(f"{title}: {program} runs in its image; --pgrestore-plan asks it")
        return None
    if not backups:
        diagnosis.problems.append(
            f"source {source.name}: no backup there\n"
            f"HINT: correct {_place(table)}, or look after the backup job."
        )
        return None
    number = "1 backup," if len(backups) == 1 else f"{len(backups)} backups, the newest"
    diagnosis.echo(f"{title}: {number} {_described(backups[-1])}")
    return backups[-1]


def _place(table: SourceTable) -> str:
    """Return which keys of a source say where its backups are, in words."""
    named = [f"`{key}`" for key in _PLACES if getattr(table, key, None)]
    return " or ".join(named) or "the variables that say where they are"


def _described(backup: Backup) -> str:
    ended = backup.stopped_at.isoformat(timespec="seconds") if backup.stopped_at else "unknown"
    return f"{backup.label} ({backup.form}, PostgreSQL {backup.server_major or '?'}) ended {ended}"


def _require_programs(backup: Backup, bindir: Path | None, *, logical: bool) -> None:
    """Raise HarnessError if this machine has no programs for `backup`.

    Files need their own major. A dump can be loaded into a newer server: see the PostgreSQL docs,
    "pg_dump", Notes.
    """
    if logical and backup.server_major is not None:
        choose_at_least(backup.server_major, bindir)
    else:
        choose(backup.server_major, bindir)
