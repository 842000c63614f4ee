"""All that can be restored here: the detectors, one after the other, and names that differ."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.detectors import barman, basebackups, dumps, pgbackrest, walg
from pytest_pgrestore.cli.init.looking import require_open, require_readable
from pytest_pgrestore.cli.init.proposal import Proposal
from pytest_pgrestore.cli.init.surroundings import MOST_ENTRIES, Findings, entries
from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_pgrestore.cli.init.proposal import ProposedSource
    from pytest_pgrestore.cli.init.surroundings import Surroundings

_DETECTORS = (pgbackrest.detect, barman.detect, walg.detect, basebackups.detect, dumps.detect)
"""Files of dumps are looked for last: a directory that is known is no directory of dumps."""


def detect(surroundings: Surroundings) -> tuple[Proposal, Findings]:
    """Return what is proposed, and what was seen.

    Raises:
        ConfigError: Paths of the user's are not there.
    """
    missing = [str(path) for path in surroundings.paths if not os.path.lexists(path)]
    if missing:
        raise ConfigError(
            f"not there: {', '.join(missing)}",
            hint="name a file or a directory of backups, or the configuration of a backup tool.",
        )
    findings = Findings()
    readable = []
    for path in surroundings.paths:
        with findings.problems_from():
            findings.known.add(path)
            require_readable(path)
            findings.known.discard(path)
            readable.append(path)
    if readable or not surroundings.paths:
        _tell_what_is_not_seen(surroundings, readable, findings)
        for detector in _DETECTORS:
            detector(replace(surroundings, paths=tuple(readable)), findings)
    for path in readable:
        if path not in findings.known and not any(path in one.parents for one in findings.known):
            findings.tell(
                f"{path} has nothing that can be restored",
                "dumps, base backups, a directory of variables of WAL-G, and the configuration of"
                " pgBackRest, Barman and WAL-G are known; others need a source that is written"
                " by hand: docs/configuration.md.",
            )
    return Proposal(sources=tuple(with_different_names(findings.sources))), findings


def _tell_what_is_not_seen(
    surroundings: Surroundings, named: Iterable[Path], findings: Findings
) -> None:
    """Name the closed directories in those that the user named, and those that are too large."""
    for path in named:
        for below in entries(path):
            with findings.problems_from():
                require_open(below)
    for directory in surroundings.directories:
        if len(entries(directory, hidden=True)) == MOST_ENTRIES:
            findings.tell(
                f"{directory} has {MOST_ENTRIES:,} files or more: not all were looked at",
                "name the files or the directory of the backups.",
            )


def with_different_names(sources: Iterable[ProposedSource]) -> list[ProposedSource]:
    """Return the sources; the second of the same name gets a number."""
    given: set[str] = set()
    found = []
    for source in sources:
        name, number = source.name, 1
        while name.lower() in given:
            number += 1
            name = f"{source.name}-{number}"
        given.add(name.lower())
        found.append(replace(source, name=name))
    return found
