"""What detectors do not know: where copies run, how often backups are made, when to drill again."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.catalogue import read_catalogue, rhythm_of
from pytest_pgrestore.cli.init.project import write_new
from pytest_pgrestore.cli.init.proposal import ProposedKey
from pytest_pgrestore.cli.init.settings_text import settings_text
from pytest_pgrestore.cli.init.surroundings import literal
from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.settings.find_file import FILE_NAME
from pytest_pgrestore.settings.options import BY_NAME
from pytest_pgrestore.settings.read_file import load_config
from pytest_pgrestore.settings.words import is_url
from pytest_pgrestore.sources.registry import SOURCE_TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.cli.init.proposal import Proposal
    from pytest_pgrestore.cli.init.surroundings import Findings

_PATHS = frozenset({"path", "globals", "wal", "before", "schema_file", "config", "envdir"})
"""Keys of a source that a layout may give relative to the project."""

IN_DOCKER = ProposedKey(
    value="docker", comment="A Docker daemon answered: each copy is a container."
)
INSTEAD_OF_DOCKER = ProposedKey(
    value="local",
    comment="A Docker daemon answered, and no container could be made; as a process of this machine"
    " the copy came up.",
)


def runtime_of(environ: Mapping[str, str]) -> ProposedKey:
    """Return where copies run: in Docker if a daemon answers, else on this machine."""
    given = environ.get(BY_NAME["runtime"].variable)
    if given:
        return ProposedKey(value=given, comment="As the variable PGRESTORE_RUNTIME says here.")
    from pytest_pgrestore.sandboxes.docker.daemon.client import connect

    try:
        connect()
    except HarnessError:
        return ProposedKey(
            value="local",
            comment="No Docker daemon that can be used answered: copies are processes of this"
            " machine.",
        )
    return IN_DOCKER


def with_rhythm(
    proposal: Proposal,
    findings: Findings,
    environ: Mapping[str, str],
    directory: Path,
    *,
    local: bool,
) -> Proposal:
    """Return the sources with `max_age`, where their catalogues show how often a backup is made.

    Args:
        proposal: The sources.
        findings: Get a problem for each source whose catalogue cannot be read.
        environ: The environment variables.
        directory: Of the project: relative paths start there.
        local: Whether drills run on this machine.
    """
    with tempfile.TemporaryDirectory(prefix="pgrestore-init-") as name:
        config = settings_file(Path(name), proposal, {}, directory)
        try:
            tables = load_config(config, environ, tables=SOURCE_TABLES).sources
        except ConfigError:
            return proposal  # variables are not set: told at the end
    sources = []
    for source in proposal.sources:
        changed = source
        with findings.problems_from(f"source {source.name}"):
            backups = read_catalogue(source.name, tables[source.name], local=local)
            rhythm = rhythm_of(backups)
            if rhythm is not None and "max_age" not in source.keys:
                key, remark = rhythm.key(datetime.now(UTC))
                if key is not None:
                    changed = replace(source, keys={**source.keys, "max_age": key})
                else:
                    changed = replace(source, remarks=(*source.remarks, remark))
                    findings.tell(f"source {source.name}: {remark}", "see the job's own log.")
        sources.append(changed)
    return replace(proposal, sources=tuple(sources))


def settings_file(
    directory: Path,
    proposal: Proposal,
    tables: Mapping[str, Mapping[str, ProposedKey]],
    project: Path,
) -> Path:
    """Write the settings where nobody looks, with the files that they need; return their path.

    Args:
        directory: Gets the files.
        proposal: The sources.
        tables: As `settings_text`.
        project: Directory of the user's project, from which relative paths start.
    """
    sources = tuple(
        replace(source, keys={name: _from(project, name, key, proposal) for name, key in keys})
        for source in proposal.sources
        for keys in [source.keys.items()]
    )
    text = settings_text(replace(proposal, sources=sources), tables)
    return write_new(directory, {**proposal.files, FILE_NAME: text})[-1]


def _from(project: Path, name: str, key: ProposedKey, proposal: Proposal) -> ProposedKey:
    """Return a key whose paths start from the project; files of the proposal lie beside it."""
    if name not in _PATHS:
        return key
    if isinstance(key.value, str):
        return replace(key, value=_absolute(project, key.value, proposal))
    if isinstance(key.value, list | tuple):
        return replace(key, value=[_absolute(project, one, proposal) for one in key.value])
    return key


def _absolute(project: Path, path: str, proposal: Proposal) -> str:
    is_whole = path.startswith(("/", "~", "$")) or is_url(path) or path in proposal.files
    return path if is_whole else literal(project / path)
