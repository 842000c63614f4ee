"""CloudNativePG: backups of barman-cloud in an object store.

Sources: CloudNativePG, API reference, Cluster; barman-cloud's library for it, pkg/api/config.go and
pkg/credentials/env.go; the plugin barman-cloud, ObjectStore (spec.configuration is the same table).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.layouts.manifests import Document, Manifests, read_manifests
from pytest_pgrestore.cli.init.layouts.names import several, source_name
from pytest_pgrestore.cli.init.layouts.needed import passed_on, table_keys
from pytest_pgrestore.cli.init.layouts.store_credentials import PROVIDERS, Credentials
from pytest_pgrestore.cli.init.proposal import Proposal, ProposedKey, ProposedSource
from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from pytest_pgrestore.cli.init.layouts.fields import Fields
    from pytest_pgrestore.cli.init.proposal import LayoutInput

GROUP = "postgresql.cnpg.io"
STORES = "barmancloud.cnpg.io"
PLUGIN = "barman-cloud.cloudnative-pg.io"

DATABASE = "app"
"""Default of ``bootstrap.*.database``."""

_GIVE = "give the manifest of a Cluster (and of its ObjectStore), e.g. cluster.yaml."
_SNAPSHOTS = "Its snapshots of volumes are not drilled: this is about the object store."


def cnpg(given: LayoutInput) -> Proposal:
    """Return a source for each Cluster with an object store.

    Raises:
        ConfigError: No manifest, or mistakes in them.
    """
    if not given.paths:
        raise ConfigError("no manifest is given", hint=_GIVE)
    manifests = read_manifests(given.paths)
    clusters = manifests.of("Cluster", GROUP)
    stores = manifests.of("ObjectStore", STORES)
    if not clusters and not (stores and given.name):
        raise ConfigError(
            f"no Cluster of {GROUP} in the manifests: there is {manifests.kinds()}",
            hint=_GIVE
            if not stores
            else "give the Cluster too: its name is where its backups lie in the ObjectStore.",
        )
    names = several([one.name for one in clusters], given.name) if clusters else []
    sources = [
        source
        for cluster, name in zip(clusters, names, strict=True)
        if (source := _of_cluster(cluster, name, manifests)) is not None
    ]
    if not clusters:
        sources = [_of_store(one, given.name or "", manifests) for one in stores[:1]]
    manifests.require_none()
    remarks = (manifests.unread(),)
    return Proposal(sources=tuple(sources), remarks=tuple(filter(None, remarks)))


def _of_cluster(cluster: Document, name: str, manifests: Manifests) -> ProposedSource | None:
    """Return the source of a Cluster; None if that is a mistake."""
    spec = cluster.fields.table("spec")
    store, server = _store_of(spec, manifests), cluster.name
    if store is None:
        return None
    for plugin in _plugins(spec):
        server = plugin.table("parameters").text("serverName", server)
    server = store.text("serverName", server)
    remarks = [_SNAPSHOTS] if "volumeSnapshot" in spec.table("backup") else []
    keys = _keys(store, server, manifests)
    database = _database(spec)
    if database:
        keys[0]["database"] = ProposedKey(value=database, comment="spec.bootstrap")
    else:
        remarks.append("Set `database` if there are several databases.")
    return _source(cluster, name, keys, remarks)


def _of_store(store: Document, name: str, manifests: Manifests) -> ProposedSource:
    """Return the source of an ObjectStore without its Cluster, whose name is wanted as source's."""
    configuration = store.fields.table("spec", "configuration")
    keys = _keys(configuration, configuration.text("serverName", name), manifests)
    remark = "`server` is the name of the Cluster; check it, because no Cluster was given."
    return _source(store, source_name(name), keys, [remark])


_Keys = tuple[dict[str, ProposedKey], Credentials]


def _source(found: Document, name: str, keys: _Keys, remarks: list[str]) -> ProposedSource:
    table, credentials = keys
    _put_last(table, ("env", "secrets"))
    return ProposedSource(
        name=name,
        found=f"the {found.kind} {found.name}",
        keys=table,
        variables=credentials.variables,
        remarks=(*remarks, *credentials.remarks),
    )


def _put_last(table: dict[str, ProposedKey], names: tuple[str, ...]) -> None:
    for name in names:
        if name in table:
            table[name] = table.pop(name)


def _plugins(spec: Fields) -> list[Fields]:
    """Return the plugins that back up; a disabled one has the store of former times."""
    return [
        one
        for one in spec.tables("plugins")
        if one.text("name") == PLUGIN and one.text("enabled", "true").lower() != "false"
    ]


def _store_of(spec: Fields, manifests: Manifests) -> Fields | None:
    """Return the table of the object store; None if that is a mistake."""
    for plugin in _plugins(spec):
        parameters = plugin.table("parameters")
        wanted = parameters.required("barmanObjectName")
        found = manifests.named("ObjectStore", wanted, STORES)
        if found is not None:
            return found.fields.table("spec", "configuration")
        if wanted:
            parameters.mistake(
                "barmanObjectName",
                f"the ObjectStore {wanted} is not among the manifests",
                f"give it too: `kubectl get objectstore {wanted} -o yaml`.",
            )
        return None
    backup = spec.table("backup")
    if "barmanObjectStore" not in backup:
        other = "only snapshots of volumes" if "volumeSnapshot" in backup else "no backups at all"
        spec.mistake(
            "backup.barmanObjectStore",
            f"there is no object store, and no plugin {PLUGIN}: the cluster has {other}",
            "a snapshot cannot be drilled; let the cluster back up to an object store.",
        )
        return None
    return backup.table("barmanObjectStore")


def _keys(store: Fields, server: str, manifests: Manifests) -> _Keys:
    """Return the keys of a source, without its database."""
    url = store.required("destinationPath")
    credentials = Credentials.of_cnpg(store, manifests)
    keys = {
        "type": ProposedKey(value="barman"),
        "server": ProposedKey(value=server, comment="serverName, or the name of the Cluster"),
        "url": ProposedKey(value=url.rstrip("/"), comment="destinationPath"),
    }
    if endpoint := store.text("endpointURL"):
        keys["endpoint_url"] = ProposedKey(value=endpoint, comment="endpointURL")
    if (provider := PROVIDERS[credentials.store]) != PROVIDERS["s3"]:
        keys["cloud_provider"] = ProposedKey(value=provider)
    env = passed_on(credentials.passed)
    keys.update(table_keys(env, credentials.secrets, "Set outside, see above."))
    return keys, credentials


def _database(spec: Fields) -> str:
    """Return the application's database; "" if there is no one."""
    bootstrap = spec.table("bootstrap")
    initdb = bootstrap.table("initdb")
    if initdb.table("import").text("type") == "monolith":
        return ""
    for way in ("initdb", "recovery", "pg_basebackup"):
        if way in bootstrap:
            return bootstrap.table(way).text("database", DATABASE)
    return DATABASE
