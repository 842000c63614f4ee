"""StackGres: WAL-G, below a path that the operator makes for each cluster and major version.

Sources: StackGres, CRD reference, SGCluster (spec.configurations.backups), SGObjectStorage and
SGBackup; its BackupStorageUtil (the prefix is that of the storage, and the path).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.layouts.each_cluster import Wanted, proposal_of_each
from pytest_pgrestore.cli.init.layouts.manifests import Document, Manifests
from pytest_pgrestore.cli.init.layouts.needed import (
    file_from_selector,
    from_role,
    from_selector,
    passed_on,
    table_keys,
)
from pytest_pgrestore.cli.init.layouts.store_credentials import ROLE, UNTRIED
from pytest_pgrestore.cli.init.proposal import (
    LayoutInput,
    NeededVariable,
    Proposal,
    ProposedKey,
    ProposedSource,
)
from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from pytest_pgrestore.cli.init.layouts.fields import Fields

GROUP = "stackgres.io"

_GIVE = "give the manifests of an SGCluster and of its SGObjectStorage."
_PRINTED = "take it from `kubectl get sgcluster NAME -o yaml`: the operator adds it."


def stackgres(given: LayoutInput) -> Proposal:
    """Return a source for each SGCluster.

    Raises:
        ConfigError: No manifest, or mistakes in them.
    """
    if not given.paths:
        raise ConfigError("no manifest is given", hint=_GIVE)
    return proposal_of_each(Wanted("SGCluster", GROUP, _GIVE), given, _of_cluster)


def _of_cluster(cluster: Document, name: str, manifests: Manifests) -> ProposedSource | None:
    """Return the source of an SGCluster; None if that is a mistake."""
    configurations = cluster.fields.table("spec", "configurations")
    backups = configurations.tables("backups")
    if not backups:
        configurations.mistake("backups", "the cluster has no backups", "let it have some.")
        return None
    backup = backups[0]
    if backup.flag("useVolumeSnapshot"):
        backup.mistake(
            "useVolumeSnapshot", "its backups are snapshots of volumes", "they cannot be drilled."
        )
    path = _path(cluster.name, backup, manifests)
    wanted = backup.required("sgObjectStorage")
    storage = manifests.named("SGObjectStorage", wanted, GROUP)
    if storage is None:
        backup.mistake(
            "sgObjectStorage", f"the SGObjectStorage {wanted} is not among the manifests", _GIVE
        )
        return None
    env, secrets, passed, remarks = _storage(storage.fields.table("spec"), path, manifests)
    keys = {"type": ProposedKey(value="walg")}
    keys |= table_keys(env | passed_on(passed), secrets, "SGObjectStorage, and the cluster's path")
    return ProposedSource(
        name=name,
        found=f"the SGCluster {cluster.name}",
        keys=keys,
        variables=(*secrets, *passed),
        remarks=tuple(remarks),
    )


def _path(cluster: str, backup: Fields, manifests: Manifests) -> str:
    """Return the path in the bucket; "" is a mistake already.

    An SGBackup names the path it was written to, which is an older one after an upgrade.
    """
    if "path" in backup:
        return backup.text("path").strip("/")
    for one in manifests.of("SGBackup", GROUP):
        if one.fields.table("spec").text("sgCluster") == cluster:
            return one.fields.table("status").text("backupPath").strip("/")
    return backup.required("path", _PRINTED)


_Found = tuple[dict[str, str], list[NeededVariable], list[NeededVariable], list[str]]


def _storage(spec: Fields, path: str, manifests: Manifests) -> _Found:
    """Return ``env``, secrets, variables that are passed on, and remarks of a storage."""
    kind = spec.required("type", "write s3, s3Compatible, gcs or azureBlob.")
    store = spec.table(kind) if kind else spec
    bucket = store.required("bucket")
    match kind:
        case "s3" | "s3Compatible":
            return _s3(store, f"s3://{bucket}/{path}", manifests)
        case "gcs":
            return _gcs(store, f"gs://{bucket}/{path}", manifests)
        case "azureBlob":
            return _azure(store, f"azure://{bucket}/{path}", manifests)
    if kind:
        spec.mistake("type", "unknown type", "write s3, s3Compatible, gcs or azureBlob.")
    return {}, [], [], []


def _s3(store: Fields, prefix: str, manifests: Manifests) -> _Found:
    env = {"WALG_S3_PREFIX": prefix}
    for key, variable in (("region", "AWS_REGION"), ("endpoint", "AWS_ENDPOINT")):
        if key in store:
            env[variable] = store.text(key)
    if "AWS_ENDPOINT" in env:
        style = "true" if store.flag("enablePathStyleAddressing") else "false"
        env["AWS_S3_FORCE_PATH_STYLE"] = style
        env.setdefault("AWS_REGION", "us-east-1")  # the client wants one; such stores ignore it
    credentials = store.table("awsCredentials")
    if credentials.flag("useIAMRole"):
        return env, [], from_role()[:2], [ROLE]
    selectors = credentials.table("secretKeySelectors")
    secrets = _selected(
        selectors,
        {"accessKeyId": "AWS_ACCESS_KEY_ID", "secretAccessKey": "AWS_SECRET_ACCESS_KEY"},
        manifests,
    )
    passed = []
    if "caCertificate" in selectors:
        authority = selectors.table("caCertificate")
        passed = [file_from_selector("WALG_S3_CA_CERT_FILE", authority, manifests)]
    return env, secrets, [one for one in passed if one is not None], []


def _gcs(store: Fields, prefix: str, manifests: Manifests) -> _Found:
    credentials = store.table("gcpCredentials")
    if credentials.flag("fetchCredentialsFromMetadataService"):
        return {"WALG_GS_PREFIX": prefix}, [], [], [ROLE, UNTRIED]
    selectors = credentials.table("secretKeySelectors")
    selector = selectors.table("serviceAccountJSON")
    file = file_from_selector("GOOGLE_APPLICATION_CREDENTIALS", selector, manifests)
    passed = [file] if file is not None else []
    return {"WALG_GS_PREFIX": prefix}, [], passed, [UNTRIED]


def _azure(store: Fields, prefix: str, manifests: Manifests) -> _Found:
    selectors = store.table("azureCredentials", "secretKeySelectors")
    names = {"storageAccount": "AZURE_STORAGE_ACCOUNT", "accessKey": "AZURE_STORAGE_ACCESS_KEY"}
    return {"WALG_AZ_PREFIX": prefix}, _selected(selectors, names, manifests), [], [UNTRIED]


def _selected(
    selectors: Fields, variables: dict[str, str], manifests: Manifests
) -> list[NeededVariable]:
    """Return the variables for selectors, each of which must be there."""
    for key in variables:
        if key not in selectors:
            selectors.mistake(key, "missing", "name the key of a Secret.")
    found = [
        from_selector(variable, selectors.table(key), manifests)
        for key, variable in variables.items()
        if key in selectors
    ]
    return [one for one in found if one is not None]
