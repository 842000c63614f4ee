"""Crunchy's operator (PGO): repositories of pgBackRest.

Source: Crunchy Postgres for Kubernetes, API reference, PostgresCluster; its
internal/pgbackrest/config.go: the stanza is ``db``, a repository without a path of its own lies at
``/pgbackrest/repoN``, and files of Secrets lie in ``/etc/pgbackrest/conf.d``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.layouts.manifests import Document, read_manifests
from pytest_pgrestore.cli.init.layouts.names import several, source_name
from pytest_pgrestore.cli.init.layouts.needed import passed_on, table_keys
from pytest_pgrestore.cli.init.layouts.pgbackrest_options import (
    Options,
    is_secret,
    read_directory,
    variable,
)
from pytest_pgrestore.cli.init.layouts.store_credentials import ROLE
from pytest_pgrestore.cli.init.looking import is_directory
from pytest_pgrestore.cli.init.proposal import (
    LayoutInput,
    NeededVariable,
    Proposal,
    ProposedKey,
    ProposedSource,
)
from pytest_pgrestore.cli.init.surroundings import literal
from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.cli.init.layouts.fields import Fields

GROUP = "postgres-operator.crunchydata.com"
STANZA = "db"
CONF_D = "/etc/pgbackrest/conf.d"

_GIVE = "give the manifest of a PostgresCluster, or a copy of the directory conf.d, or both."
_REPOSITORY = re.compile(r"repo([0-9]{1,3})")
_OF_READING = re.compile(r"repo[0-9]{1,3}-(?!host|retention|bundle|block)")
"""Options that say how a repository is read; a repository host is not asked by a drill."""

_KEYS = {
    "s3": ("s3-key", "s3-key-secret"),
    "azure": ("azure-account", "azure-key"),
    "gcs": ("gcs-key",),
}
"""Kind of store to the options that a file of a Secret has."""

_BY_ROLE = frozenset({"web-id", "auto"})
"""Values of ``repoN-*-key-type`` without keys."""


def pgo(given: LayoutInput) -> Proposal:
    """Return a source for each PostgresCluster, or one for a directory conf.d.

    Raises:
        ConfigError: Nothing is given, or there are mistakes in it.
    """
    directories = [path for path in given.paths if is_directory(path)]
    if len(directories) > 1 or not given.paths:
        problem = "two directories are given" if directories else "no manifest is given"
        raise ConfigError(problem, hint=_GIVE)
    conf_d = directories[0] if directories else None
    files = [path for path in given.paths if path not in directories]
    manifests = read_manifests(files)
    clusters = manifests.of("PostgresCluster", GROUP)
    known = read_directory(conf_d) if conf_d is not None else Options(STANZA, {})
    if conf_d is not None and not files:
        return Proposal(sources=(_of_directory(conf_d, known, given.name),))
    if not clusters:
        raise ConfigError(
            f"no PostgresCluster of {GROUP} in the manifests: there is {manifests.kinds()}",
            hint=_GIVE,
        )
    names = several([one.name for one in clusters], given.name)
    sources = [
        _of_cluster(one, name, conf_d, known) for one, name in zip(clusters, names, strict=True)
    ]
    manifests.of("Secret")
    manifests.require_none()
    return Proposal(sources=tuple(sources), remarks=tuple(filter(None, [manifests.unread()])))


def _of_directory(conf_d: Path, known: Options, name: str | None) -> ProposedSource:
    """Return the source of a directory that has everything."""
    if not any(key.startswith("repo") for key in known.values):
        raise ConfigError(
            f"{conf_d} names no repository: no file *.conf in it has an option repo1-...",
            hint="give the PostgresCluster too: its repositories are in the manifest.",
        )
    keys = {
        "type": ProposedKey(value="pgbackrest"),
        "stanza": ProposedKey(value=known.stanza),
        "config": ProposedKey(value=literal(conf_d), comment="Read as it is; secrets stay in it."),
    }
    return ProposedSource(name=source_name("", name), found=str(conf_d), keys=keys)


def _of_cluster(
    cluster: Document, name: str, conf_d: Path | None, known: Options
) -> ProposedSource:
    """Return the source of a PostgresCluster."""
    pgbackrest = cluster.fields.table("spec", "backups", "pgbackrest")
    env: dict[str, str] = {}
    needed: list[NeededVariable] = []
    remarks: list[str] = []
    numbers = []
    for repo in pgbackrest.tables("repos"):
        found = _REPOSITORY.fullmatch(repo.required("name"))
        if found is None:
            repo.mistake("name", "no name of a repository", "write repo1 to repo4.")
            continue
        numbers.append(int(found[1]))
        env |= _repository(repo, f"repo{found[1]}", cluster.name, remarks)
    if not numbers:
        pgbackrest.mistake("repos", "no repository", "the operator requires at least one.")
    secret, role = _add_global(pgbackrest.table("global"), env)
    env = {key: value for key, value in env.items() if key not in known.values}
    for number in numbers:
        needed += _keys_of(pgbackrest, f"repo{number}", env, known, secret)
    keys = {
        "type": ProposedKey(value="pgbackrest"),
        "stanza": ProposedKey(value=known.stanza),
    }
    if conf_d is not None:
        keys["config"] = ProposedKey(value=literal(conf_d), comment="Copy of the pod's conf.d")
    if len(numbers) > 1:
        keys["repo"] = ProposedKey(value=numbers[0])
        copies = {f"repo{number}": {"repo": number} for number in numbers[1:]}
        keys["copies"] = ProposedKey(value=copies, comment="Each one is drilled on its own.")
    variables = {variable(option): value for option, value in env.items()}
    passed = [one for one in needed if one.name.endswith("_GCS_KEY")]  # the path of a file
    needed = [one for one in needed if one not in passed]
    if role:
        passed += [
            NeededVariable(name=one, source="a pod whose service account has a role")
            for one in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
        ]
        remarks.append(ROLE)
    keys |= table_keys(
        variables | passed_on(passed), needed, "spec.backups.pgbackrest, as pgBackRest's variables"
    )
    return ProposedSource(
        name=name,
        found=f"the PostgresCluster {cluster.name}",
        keys=keys,
        variables=(*needed, *passed),
        remarks=tuple(remarks),
    )


def _repository(repo: Fields, name: str, cluster: str, remarks: list[str]) -> dict[str, str]:
    """Return the options of a repository, as the operator writes them."""
    options = {f"{name}-path": f"/pgbackrest/{name}"}
    kinds = [kind for kind in ("s3", "gcs", "azure", "volume") if kind in repo]
    if len(kinds) != 1:
        repo.mistake("s3", "one of s3, gcs, azure, volume is expected", "write one of them.")
        return options
    store = repo.table(kinds[0])
    match kinds[0]:
        case "s3":
            options[f"{name}-type"] = "s3"
            for key in ("bucket", "endpoint", "region"):
                options[f"{name}-s3-{key}"] = store.required(key)
        case "gcs":
            options |= {f"{name}-type": "gcs", f"{name}-gcs-bucket": store.required("bucket")}
        case "azure":
            container = store.required("container")
            options |= {f"{name}-type": "azure", f"{name}-azure-container": container}
        case _:
            options[f"{name}-type"] = "posix"
            remarks.append(
                f"{name} is the claim {cluster}-{name}: mount it read-only at /pgbackrest/{name}."
            )
    return options


def _add_global(options: Fields, env: dict[str, str]) -> tuple[list[str], bool]:
    """Add the options of ``global`` that say how a repository is read.

    Returns:
        The options with a secret, whose values are not taken; whether a role stands for keys.
    """
    secret, role = [], False
    for key in options.names():
        if _OF_READING.match(key) is None:
            continue
        if is_secret(key):
            secret.append(key)
            continue
        env[key] = options.text(key)
        role = role or (key.endswith("-key-type") and env[key] in _BY_ROLE)
    return secret, role


def _keys_of(
    pgbackrest: Fields, repo: str, env: dict[str, str], known: Options, secret: list[str]
) -> list[NeededVariable]:
    """Return the variables with the keys of a repository, as far as the directory lacks them."""
    kind = env.get(f"{repo}-type", known.values.get(f"{repo}-type", ""))
    by_role = any(env.get(f"{repo}-{store}-key-type") in _BY_ROLE for store in _KEYS)
    options = [] if by_role else [f"{repo}-{key}" for key in _KEYS.get(kind, ())]
    if env.get(f"{repo}-cipher-type", "none") != "none":
        options.append(f"{repo}-cipher-pass")
    options += [one for one in secret if one.startswith(f"{repo}-") and one not in options]
    owners = [
        one.table("secret").text("name")
        for one in pgbackrest.tables("configuration")
        if "secret" in one
    ]
    where = f"a file of the Secret {' or '.join(owners)}" if owners else "pgBackRest's own files"
    return [
        NeededVariable(
            name=variable(option),
            source=f"the option {option} in {'global' if option in secret else where}",
            yaml="",
        )
        for option in options
        if option not in known.values and option not in env
    ]
