"""WAL-G: its variables, its configuration file, a directory of variables. One source in all.

The prefix decides which storage is read. It is written down; keys and passwords are named alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.looking import is_directory, is_file, require_open, require_readable
from pytest_pgrestore.cli.init.proposal import NeededVariable, ProposedKey, ProposedSource
from pytest_pgrestore.cli.init.surroundings import literal, name_of
from pytest_pgrestore.cli.init.variables import has_secret, keys_for
from pytest_pgrestore.sources.walg.storage import prefix_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_pgrestore.cli.init.surroundings import Findings, Surroundings

_CLIENTS = {
    "S3": "AWS|S3",
    "FILE": "",
    "GS": "GOOGLE",
    "AZ": "AZURE",
    "SWIFT": "SWIFT|OS",
    "SSH": "SSH",
}
"""Kind of storage to the first words of the variables of its client."""

_PREFIX = re.compile(rf"(?:WALG|WALE)_({'|'.join(_CLIENTS)})_PREFIX")
_NOT_OURS = re.compile(
    r"WALG_(?:CONFIG_PATH|LOG_DESTINATION)|AWS_EXECUTION_ENV"
    r"|SSH_(?:AUTH_SOCK|AGENT_PID|ASKPASS|CLIENT|CONNECTION|TTY)"
)
"""Those of a person's session, and of what is no storage."""

_PLAIN = re.compile(
    rf"{_PREFIX.pattern}|WALG_(?:COMPRESSION_METHOD|[A-Z]+_CONCURRENCY|S3_CA_CERT_FILE"
    r"|LIBSODIUM_KEY_PATH|PGP_KEY_PATH|FAILOVER_STORAGES_CHECK\w*)"
    r"|AWS_(?:CA_BUNDLE|REGION|DEFAULT_REGION|ENDPOINT|ENDPOINT_URL|S3_FORCE_PATH_STYLE|PROFILE)"
    r"|GOOGLE_APPLICATION_CREDENTIALS|AZURE_(?:STORAGE_ACCOUNT|ENDPOINT_SUFFIX)"
    r"|SSH_(?:PORT|USERNAME|PRIVATE_KEY_PATH)|S3_(?:ENDPOINT_SOURCE|USE_LIST_OBJECTS_V1)"
)
_ENVDIRS = ("/run/etc/wal-e.d/env", "/etc/wal-e.d/env", "/etc/wal-g.d/env", "/etc/wal-g/env")
_STORAGE = "basebackups_005"
"""Directory of every storage. Source: WAL-G, utility.BaseBackupPath."""

_CONFIGS = ("~/.walg.json", "~/.walg.yaml", "~/.walg.yml")


def detect(surroundings: Surroundings, findings: Findings) -> None:
    """Add a source for each storage."""
    if surroundings.paths:
        for path in surroundings.paths:
            with findings.problems_from():
                _examine(path, surroundings.environ, findings)
        return
    findings.looked_at.append("the variables WALG_* and WALE_*")
    environ = surroundings.environ
    named = environ.get("WALG_CONFIG_PATH")
    places = [*map(surroundings.usual, (*_CONFIGS, *_ENVDIRS))]
    if named is not None:
        places.insert(0, surroundings.here / named)
    findings.looked_at += map(str, places)
    prefix = next((name for name in environ if _PREFIX.fullmatch(name)), None)
    if prefix is not None:
        findings.sources.append(_source(f"the variable {prefix}", {}, environ, prefix))
        return
    for place in places:
        with findings.problems_from():
            if surroundings.home not in place.parents:
                require_open(place.parent)
            if _examine(place, environ, findings):
                return


def _examine(path: Path, environ: Mapping[str, str], findings: Findings) -> bool:
    """Add the source of a configuration file or of a directory of variables, if it is one."""
    if is_directory(path):
        require_readable(path)
        if is_directory(path / _STORAGE):
            findings.known.add(path)
            findings.taken.add(path)
            findings.sources.append(_of_directory(path))
            return True
        names = [entry.name for entry in path.iterdir() if _PREFIX.fullmatch(entry.name)]
        if not names:
            return False
        key = ProposedKey(
            value=literal(path),
            comment="It has a file for each variable of WAL-G. Secrets among them stay there.",
        )
        findings.sources.append(_source(f"{path}, variable {names[0]}", {"envdir": key}, {}, ""))
    elif is_file(path) and path.suffix in {".json", ".yaml", ".yml"}:
        require_readable(path)
        prefix = prefix_in(path)
        if not prefix:
            return False
        key = ProposedKey(
            value=literal(path),
            comment="WAL-G's own configuration; it is used as it is, and nothing of it is copied.",
        )
        findings.sources.append(_source(str(path), {"config": key}, environ, prefix))
    else:
        return False
    findings.known.add(path)
    findings.taken.add(path)
    return True


def _of_directory(path: Path) -> ProposedSource:
    """Return the source of a directory that is a storage itself."""
    env = ProposedKey(
        value={"WALG_FILE_PREFIX": literal(path)},
        comment="A storage of WAL-G. If it is encrypted, the variables of its keys are needed too.",
    )
    keys = {"type": ProposedKey(value="walg"), "env": env}
    return ProposedSource(
        name=name_of(path.name, "walg"), found=f"{path}, a storage of WAL-G", keys=keys
    )


def _source(
    found: str, place: Mapping[str, ProposedKey], environ: Mapping[str, str], prefix: str
) -> ProposedSource:
    """Return the source; `prefix` is the variable that names its storage."""
    kind = _PREFIX.fullmatch(prefix)
    client = _CLIENTS[kind[1]] if kind else ""
    ours = re.compile(rf"(?:WALG|WALE{'|' + client if client else ''})_[A-Z0-9_]+")
    given = {
        name: value
        for name, value in environ.items()
        if value and ours.fullmatch(name) and not _NOT_OURS.fullmatch(name)
    }
    variables: dict[str, ProposedKey] = {}
    needed: tuple[NeededVariable, ...] = ()
    if given:
        variables, needed = keys_for(given, _PLAIN, "WAL-G")
    last = given.get(prefix, "").rstrip("/").rpartition("/")[2]
    return ProposedSource(
        name=name_of(last if not has_secret(last) else "", "walg"),
        found=found,
        keys={"type": ProposedKey(value="walg"), **place, **variables},
        variables=needed,
    )
