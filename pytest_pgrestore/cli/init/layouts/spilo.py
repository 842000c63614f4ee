"""Zalando's operator with Spilo: WAL-G, with variables in a directory of the pod.

Sources: Spilo, postgres-appliance/scripts/configure_spilo.py, write_wale_environment; Zalando's
postgres-operator, docs/administrator.md, "WAL archiving and physical backups", and the order in
which it merges variables (pkg/cluster/k8sres.go, generateSpiloPodEnvVars).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.layouts.each_cluster import Wanted, proposal_of_each
from pytest_pgrestore.cli.init.layouts.manifests import Document, Manifests
from pytest_pgrestore.cli.init.layouts.names import source_name
from pytest_pgrestore.cli.init.layouts.needed import is_secret, passed_on, table_keys
from pytest_pgrestore.cli.init.layouts.pod_variables import PodVariables
from pytest_pgrestore.cli.init.layouts.store_credentials import ROLE
from pytest_pgrestore.cli.init.looking import is_directory
from pytest_pgrestore.cli.init.proposal import Proposal, ProposedKey, ProposedSource
from pytest_pgrestore.cli.init.surroundings import literal
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.sources.walg.envdir import read_envdir

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_pgrestore.cli.init.layouts.fields import Fields
    from pytest_pgrestore.cli.init.proposal import LayoutInput

GROUP = "acid.zalan.do"
ENVDIR = "/run/etc/wal-e.d/env"

_GIVE = (
    f"give a copy of the pod's {ENVDIR}, or the manifests of the postgresql and of what sets its"
    " WAL_S3_BUCKET."
)
_STORES = {"S3": "s3", "GS": "gs", "AZ": "azure", "SWIFT": "swift", "SSH": "ssh"}
"""Part of the name of a prefix to its scheme."""

_TAKEN = re.compile(r"(?:WALG|AWS|GOOGLE|AZURE|SWIFT|SSH)_[A-Z0-9_]+")
_OF_UPLOADS = re.compile(
    r"UPLOAD|DELTA|_SSE(?!_C)|COMPRESSION|BACKUP|INSTANCE_PROFILE|DOWNLOAD|LIMIT|OVERWRITE|SENTINEL"
)
"""Variables that say how backups are written, or fit production's machine only."""


def spilo(given: LayoutInput) -> Proposal:
    """Return a source for each postgresql, or one for a directory of variables.

    Raises:
        ConfigError: Nothing is given, or there are mistakes in it.
    """
    directories = [path for path in given.paths if is_directory(path)]
    if not given.paths or len(directories) > 1 or len(given.paths) > len(directories) > 0:
        several_ = "a directory and other files are given" if given.paths else "nothing is given"
        raise ConfigError(several_, hint=_GIVE)
    if directories:
        return Proposal(sources=(_of_directory(directories[0], given.name),))
    return proposal_of_each(Wanted("postgresql", GROUP, _GIVE), given, _of_cluster)


def _of_directory(directory: Path, name: str | None) -> ProposedSource:
    """Return the source of a directory of variables.

    Raises:
        ConfigError: It cannot be read, or names no storage.
    """
    try:
        env, _ = read_envdir(directory)
    except ValueError as exc:
        problem, _, hint = str(exc).partition("; ")
        raise ConfigError(problem, hint=hint) from None
    prefixes = [key for key in env if re.fullmatch(r"WAL[GE]_\w+_PREFIX", key)]
    if not prefixes:
        raise ConfigError(
            f"{directory} names no storage: it has no file WALG_S3_PREFIX", hint=_GIVE
        )
    keys = {
        "type": ProposedKey(value="walg"),
        "envdir": ProposedKey(
            value=literal(directory), comment="A file for each variable; secrets stay in it."
        ),
    }
    path = next(env[key] for key in sorted(prefixes, reverse=True))
    parts = re.search(r"/spilo/([^/]+)/", path)
    return ProposedSource(
        name=source_name(parts[1] if parts else "", name), found=str(directory), keys=keys
    )


def _of_cluster(cluster: Document, name: str, manifests: Manifests) -> ProposedSource | None:
    """Return the source of a postgresql; None if that is a mistake."""
    variables = PodVariables.of_spilo(cluster, manifests)
    env, remarks = {}, []
    written = _written_out(cluster)
    if not _has_prefix(variables):
        found = _prefix(cluster, variables)
        if found is None:
            return None
        env = dict([found])
    for key in variables.names():
        if _is_taken(key) and not is_secret(key):
            env[key] = variables.value(key)
    env = {key: written(value) for key, value in env.items()}
    if "AWS_ENDPOINT" not in env and (endpoint := variables.value("WALE_S3_ENDPOINT")):
        env["AWS_ENDPOINT"] = re.sub(r"^(\w+)\+\w+://", r"\1://", endpoint)
    if env.get("AWS_ENDPOINT"):
        virtual = "+virtualhost" in variables.value("WALE_S3_ENDPOINT")
        env.setdefault("AWS_S3_FORCE_PATH_STYLE", "false" if virtual else "true")
    secrets = [
        variables.needed(key) for key in variables.names() if _is_taken(key) and is_secret(key)
    ]
    passed = [variables.needed(key) for key in env if variables.is_elsewhere(key)]
    env |= passed_on(passed)
    if not secrets:
        remarks.append(ROLE)
    keys = {"type": ProposedKey(value="walg")}
    if database := _database(cluster.fields.table("spec")):
        keys["database"] = ProposedKey(value=database, comment="spec.databases")
    keys |= table_keys(env, secrets, f"As in the pod's {ENVDIR}")
    return ProposedSource(
        name=name,
        found=f"the postgresql {cluster.name}",
        keys=keys,
        variables=(*secrets, *passed),
        remarks=tuple(remarks),
    )


def _is_taken(name: str) -> bool:
    """Return whether a variable says how backups are read."""
    return _TAKEN.fullmatch(name) is not None and _OF_UPLOADS.search(name) is None


def _written_out(cluster: Document) -> Callable[[str], str]:
    """Return what writes ``$(NAME)`` out, as Kubernetes does for variables of a pod."""
    fields = cluster.fields
    known = {
        "SCOPE": cluster.name,
        "PGVERSION": fields.table("spec", "postgresql").text("version"),
        "POD_NAMESPACE": fields.table("metadata").text("namespace"),
    }

    def known_or_mistake(found: re.Match[str]) -> str:
        if not known.get(found[1]):
            fields.mistake(
                "spec.env",
                f"$({found[1]}) stands in a variable, and is not known here",
                f"give a copy of the pod's {ENVDIR} in place of manifests.",
            )
        return known.get(found[1], "")

    return lambda value: re.sub(r"\$\((\w+)\)", known_or_mistake, value)


def _has_prefix(variables: PodVariables) -> bool:
    return any(f"WALG_{store}_PREFIX" in variables.names() for store in _STORES)


def _prefix(cluster: Document, variables: PodVariables) -> tuple[str, str] | None:
    """Return the variable of the prefix and its value; None if that is a mistake.

    Spilo's rule: bucket, spilo, the cluster's name between a prefix and a suffix, which the
    operator makes of its UID, wal, and the major version.
    """
    for store, scheme in _STORES.items():
        if whole := variables.value(f"WALE_{store}_PREFIX"):
            return f"WALG_{store}_PREFIX", whole
        bucket = variables.value(f"WAL_{store}_BUCKET")
        if store == "GS":
            bucket = bucket or variables.value("WAL_GCS_BUCKET")
        if not bucket:
            continue
        version = cluster.fields.table("spec", "postgresql").required("version")
        uid = cluster.fields.table("metadata").required(
            "uid", "it is part of the prefix: `kubectl get postgresql NAME -o yaml` prints it."
        )
        begin = variables.value("WAL_BUCKET_SCOPE_PREFIX")
        end = variables.value("WAL_BUCKET_SCOPE_SUFFIX") or f"/{uid}"
        path = f"spilo/{begin}{cluster.name}{end}/wal/{version}"
        return f"WALG_{store}_PREFIX", f"{scheme}://{bucket}/{path}"
    cluster.fields.mistake(
        "spec.env",
        "no bucket: neither WAL_S3_BUCKET nor a prefix is set in the manifests",
        "give the operator's configuration too (OperatorConfiguration or its ConfigMap), and the"
        " ConfigMap of pod_environment_configmap.",
    )
    return None


def _database(spec: Fields) -> str:
    """Return the only database of the manifest; "" if there is no one."""
    names = [*spec.names("databases"), *spec.names("preparedDatabases")]
    return names[0] if len(names) == 1 else ""
