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
from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.settings.find_file import FILE_NAME
from pytest_pgrestore.settings.options import BY_NAME
from pytest_pgrestore.settings.read_file import load_config
from pytest_pgrestore.sources.registry import SOURCE_TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.cli.init.proposal import Proposal
    from pytest_pgrestore.cli.init.surroundings import Findings


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
    proposal: Proposal, findings: Findings, environ: Mapping[str, str], *, local: bool
) -> Proposal:
    """Return the sources with `max_age`, where their catalogues show how often a backup is made."""
    with tempfile.TemporaryDirectory(prefix="pgrestore-init-") as name:
        config = settings_file(Path(name), proposal, {})
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
    directory: Path, proposal: Proposal, tables: Mapping[str, Mapping[str, ProposedKey]]
) -> Path:
    """Write the settings where nobody looks, with the files that they need; return their path."""
    text = settings_text(proposal, tables)
    return write_new(directory, {**proposal.files, FILE_NAME: text})[-1]
