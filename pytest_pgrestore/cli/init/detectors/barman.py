"""Barman: its configuration. Each server becomes a source.

Nothing but the names of servers and paths of files is taken from it: `conninfo` may have passwords.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.looking import (
    is_directory,
    is_file,
    is_there,
    require_open,
    require_readable,
)
from pytest_pgrestore.cli.init.proposal import ProposedKey, ProposedSource
from pytest_pgrestore.cli.init.surroundings import literal, name_of
from pytest_pgrestore.sources.barman.own_config import DEFAULT_CONFIGS, servers_in

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.cli.init.surroundings import Findings, Surroundings

_SECTION = re.compile(rb"^\s*\[barman\]\s*$", re.MULTILINE)
_LOOKED_BYTES = 1 << 20


def detect(surroundings: Surroundings, findings: Findings) -> None:
    """Add a source for each server of the first configuration that is there."""
    if surroundings.paths:
        for path in surroundings.paths:
            file = path / "barman.conf" if is_directory(path) else path
            with findings.problems_from():
                if _is_configuration(file):
                    findings.known.add(path)
                    _add(file, findings)
        return
    places = [surroundings.usual(name) for name in DEFAULT_CONFIGS]
    findings.looked_at += map(str, places)
    for place in (one for one in places if surroundings.home not in one.parents):
        with findings.problems_from():
            require_open(place.parent)
    file_there = next((place for place in places if is_there(place)), None)
    if file_there is not None:
        with findings.problems_from():
            require_readable(file_there)
            _add(file_there, findings)


def _add(file: Path, findings: Findings) -> None:
    servers = servers_in(file)
    if not servers:
        findings.tell(
            f"{file} has no server",
            "name the file that has a section for it, or the global one that names its"
            " configuration_files_directory.",
        )
    for server in servers:
        findings.sources.append(
            ProposedSource(
                name=name_of(server, "barman"),
                found=f"{file}, server {server}",
                keys={
                    "type": ProposedKey(value="barman"),
                    "server": ProposedKey(value=literal(server)),
                    "config": ProposedKey(
                        value=literal(file),
                        comment="Barman's own configuration; it is used as it is, and nothing of it"
                        " is copied.",
                    ),
                },
            )
        )


def _is_configuration(path: Path) -> bool:
    if not is_file(path):
        return False
    require_readable(path)
    with path.open("rb") as stream:
        return _SECTION.search(stream.read(_LOOKED_BYTES)) is not None
