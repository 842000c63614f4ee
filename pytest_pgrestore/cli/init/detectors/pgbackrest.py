"""pgBackRest: its configuration files and variables. Each stanza becomes a source.

Nothing but names of stanzas, numbers of repositories and paths of files is taken from them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.looking import (
    is_directory,
    is_file,
    is_there,
    require_open,
    require_readable,
)
from pytest_pgrestore.cli.init.proposal import ProposedKey, ProposedSource
from pytest_pgrestore.cli.init.surroundings import entries, literal, name_of
from pytest_pgrestore.cli.init.variables import keys_for
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.pgbackrest.config_files import (
    BASE,
    FILE,
    INCLUDE,
    ConfigFiles,
    config_files,
)
from pytest_pgrestore.sources.pgbackrest.own_config import repositories, stanzas

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.cli.init.surroundings import Findings, Surroundings

_OURS = re.compile(r"PGBACKREST_(?:CONFIG(?:_PATH|_INCLUDE_PATH)?|REPO\d*_[A-Z0-9_]+)")
_PLAIN = re.compile(
    r"PGBACKREST_(?:CONFIG(?:_PATH|_INCLUDE_PATH)?|REPO\d*_(?:PATH|TYPE|HOST|HOST_PORT|HOST_USER"
    r"|CIPHER_TYPE|BUNDLE|BLOCK|S3_BUCKET|S3_ENDPOINT|S3_REGION|S3_URI_STYLE|S3_KEY_TYPE"
    r"|AZURE_ACCOUNT|AZURE_CONTAINER|GCS_BUCKET|GCS_KEY_TYPE|SFTP_HOST|SFTP_HOST_PORT"
    r"|SFTP_HOST_USER|STORAGE_HOST|STORAGE_PORT|STORAGE_VERIFY_TLS|[A-Z0-9_]*_(?:FILE|CA_PATH)))"
)
_CONTENT = re.compile(r"^\s*(?:pg|repo)\d+-[a-z0-9-]+\s*=", re.MULTILINE)
_INFO = "backup.info"
_LOOKED_BYTES = 1 << 20


def detect(surroundings: Surroundings, findings: Findings) -> None:
    """Add a source for each stanza."""
    if surroundings.paths:
        for path in surroundings.paths:
            with findings.problems_from():
                if _is_configuration(path):
                    findings.known.add(path)
                    key = {"config": ProposedKey(value=literal(path), comment=_AS_IT_IS)}
                    _add(str(path), config_files(path, {}), key, {}, findings)
                else:
                    _add_repository(path, findings)
        return
    given = {name: value for name, value in surroundings.environ.items() if _OURS.fullmatch(name)}
    findings.looked_at.append("the variables PGBACKREST_*")
    with findings.problems_from():
        if given.keys() & {FILE, BASE, INCLUDE}:
            files = config_files(None, given)
            _add("the variables PGBACKREST_*", files, {}, given, findings, surroundings)
            return
        found = _usual(surroundings, findings)
        if found is not None:
            path, key, files = found
            _add(str(path), files, key, given, findings, surroundings)
        elif given:
            nowhere = ConfigFiles(())
            _add("the variables PGBACKREST_*", nowhere, {}, given, findings, surroundings)


_AS_IT_IS = "pgBackRest's own configuration; it is used as it is, and nothing of it is copied."


def _usual(
    surroundings: Surroundings, findings: Findings
) -> tuple[Path, dict[str, ProposedKey], ConfigFiles] | None:
    """Return the first configuration in pgBackRest's default places; None without one."""
    directory = surroundings.usual("/etc/pgbackrest")
    main, included = directory / "pgbackrest.conf", directory / "conf.d"
    old = surroundings.usual("/etc/pgbackrest.conf")
    findings.looked_at += [str(main), str(included), str(old)]
    require_open(directory)
    has_included = is_directory(included) and bool(entries(included))
    if is_there(main):
        path = directory if has_included else main
    elif is_there(old):
        path = old
    elif has_included:
        path = included
    else:
        return None
    key = {"config": ProposedKey(value=literal(path), comment=_AS_IT_IS)}
    env = {}
    if path == old and has_included:
        env = {INCLUDE: str(included)}
        key["env"] = ProposedKey(
            value={INCLUDE: literal(included)}, comment="Its second directory of configuration."
        )
    return path, key, config_files(path, env)


def _add(
    found: str,
    files: ConfigFiles,
    config: Mapping[str, ProposedKey],
    given: Mapping[str, str],
    findings: Findings,
    surroundings: Surroundings | None = None,
) -> None:
    names = list(stanzas(files))
    named = surroundings.environ.get("PGBACKREST_STANZA") if surroundings is not None else None
    if named is not None and named not in names:
        names = [*names, named]
    if not names:
        raise HarnessError(
            f"{found}: pgBackRest's configuration has no stanza",
            hint="name the file that has its section [STANZA], or set PGBACKREST_STANZA.",
        )
    variables, needed = keys_for(given, _PLAIN, "pgBackRest")
    if "env" in config and "env" in variables:
        both = {**config["env"].value, **variables["env"].value}
        variables["env"] = ProposedKey(value=both, comment=variables["env"].comment)
    for stanza in names:
        numbers = [repo.number for repo in repositories(files, stanza, given, {})]
        keys = {
            "type": ProposedKey(value="pgbackrest"),
            "stanza": ProposedKey(value=literal(stanza)),
            **config,
            **variables,
        }
        if numbers[1:]:
            keys["repo"] = ProposedKey(
                value=numbers[0],
                comment="The repository that is drilled as this source; `copies` has the others.",
            )
            keys["copies"] = ProposedKey(
                value={f"repo{number}": {"repo": number} for number in numbers[1:]},
                comment="Each is a source of its own, such as NAME.repo2, with its own drill.",
            )
        findings.sources.append(
            ProposedSource(
                name=name_of(stanza, "pgbackrest"),
                found=f"{found}, stanza {stanza}",
                keys=keys,
                variables=needed,
            )
        )


def _add_repository(path: Path, findings: Findings) -> None:
    """Add the stanzas of a directory that is a repository itself."""
    described = [stanza / _INFO for stanza in entries(path / "backup")]
    for info in (file for file in described if is_file(file)):
        findings.known.add(path)
        findings.taken.add(path)
        require_readable(info)
        with info.open("rb") as stream:
            is_plain = stream.read(1) == b"["
        stanza = info.parent.name
        if not is_plain:
            findings.tell(
                f"{path}, stanza {stanza}, is encrypted",
                "name pgBackRest's configuration, which has its passphrase.",
            )
            continue
        env = {"PGBACKREST_REPO1_PATH": literal(path), BASE: literal(path)}
        keys = {
            "type": ProposedKey(value="pgbackrest"),
            "stanza": ProposedKey(value=literal(stanza)),
            "env": ProposedKey(
                value=env, comment="This repository, and no configuration of this machine."
            ),
        }
        found = f"{path}, a repository of pgBackRest, stanza {stanza}"
        name = name_of(stanza, "pgbackrest")
        findings.sources.append(ProposedSource(name=name, found=found, keys=keys))


def _is_configuration(path: Path) -> bool:
    """Return whether a path of the user's is a configuration of pgBackRest."""
    if is_directory(path):
        if is_there(path / "pgbackrest.conf"):
            return True
        inside = path / "conf.d" if is_directory(path / "conf.d") else path
        return any(_has_options(entry) for entry in entries(inside) if entry.suffix == ".conf")
    return _has_options(path)


def _has_options(path: Path) -> bool:
    if not is_file(path):
        return False
    require_readable(path)
    with path.open("rb") as stream:
        start = stream.read(_LOOKED_BYTES)
    return b"\0" not in start and _CONTENT.search(start.decode(errors="replace")) is not None
