"""What each operator's manifests become, and what is said of those that have mistakes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from pytest_pgrestore.cli.init.layouts import LAYOUTS
from pytest_pgrestore.cli.init.proposal import LayoutInput, Proposal
from pytest_pgrestore.model.errors import ConfigError
from tests.layout_manifests import (
    CNPG,
    CNPG_PLUGIN,
    PGO,
    SPILO,
    STACKGRES,
    proposed,
    settings,
)

STORE = {
    "database": "shop",
    "url": "s3://backups/prod/",
    "endpoint": "https://minio:9000",
    "bucket": "backups",
    "region": "us-east-1",
    "port": 9000,
    "ca": "/etc/ca.crt",
    "key": "geese-id",
    "secret": "geese-secret",
}
TEXTS = {
    "cnpg": CNPG.format(**STORE),
    "plugin": CNPG_PLUGIN.format(**STORE),
    "pgo": PGO.format(**STORE),
    "spilo": SPILO.format(**STORE),
    "stackgres": STACKGRES.format(**STORE),
}


def table(proposal: Proposal) -> dict[str, Any]:
    """Return the keys of the only source, as TOML gives them."""
    (source,) = tomllib.loads(settings(proposal))["sources"].values()
    return dict(source)


@pytest.mark.parametrize("text", ["cnpg", "plugin"])
def test_cloudnativepg(tmp_path: Path, text: str) -> None:
    """The object store in the Cluster, and that of the plugin, are the same source."""
    found = proposed("cnpg", tmp_path, TEXTS[text])

    assert table(found) == {
        "type": "barman",
        "server": "cluster-example",
        "url": "s3://backups/prod",
        "endpoint_url": "https://minio:9000",
        "database": "shop",
        "env": {"AWS_CA_BUNDLE": "${AWS_CA_BUNDLE}"},
        "secrets": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    }
    needed = {one.name: one for one in found.sources[0].variables}
    assert list(needed) == ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CA_BUNDLE"]
    assert needed["AWS_SECRET_ACCESS_KEY"].source == "the key ACCESS_SECRET_KEY of the Secret minio"


def test_the_yaml_of_a_variable_can_be_pasted_below_env(tmp_path: Path) -> None:
    """It is what a container of Kubernetes takes."""
    import yaml

    found = proposed("cnpg", tmp_path, TEXTS["cnpg"]).sources[0].variables
    pasted = yaml.safe_load("\n".join(one.yaml for one in found))

    assert pasted[0] == {
        "name": "AWS_ACCESS_KEY_ID",
        "valueFrom": {"secretKeyRef": {"name": "minio", "key": "ACCESS_KEY_ID"}},
    }
    assert pasted[2] == {"name": "AWS_CA_BUNDLE", "value": "/etc/pgrestore/minio-ca/ca.crt"}


@pytest.mark.parametrize(
    ("old", "new", "server"),
    [
        ("      endpointCA:", "      serverName: cluster-2\n      endpointCA:", "cluster-2"),
        ("  name: cluster-example", "  name: other", "other"),
    ],
)
def test_the_server_name_of_cloudnativepg(tmp_path: Path, old: str, new: str, server: str) -> None:
    """Backups lie below serverName, or the name of the Cluster."""
    assert table(proposed("cnpg", tmp_path, TEXTS["cnpg"].replace(old, new)))["server"] == server


def test_the_server_name_of_the_plugin(tmp_path: Path) -> None:
    """A cluster that was restored archives under another name."""
    named = TEXTS["plugin"] + "      serverName: cluster-2\n"

    assert table(proposed("cnpg", tmp_path, named))["server"] == "cluster-2"


def test_a_disabled_plugin_of_cloudnativepg_names_no_store(tmp_path: Path) -> None:
    """Its old backups would pass every night, and nobody would drill the new ones."""
    old = """  plugins:
  - name: barman-cloud.cloudnative-pg.io
    enabled: false
    parameters:
      barmanObjectName: abandoned
      serverName: abandoned
"""
    found = table(proposed("cnpg", tmp_path, TEXTS["plugin"].replace("  plugins:\n", old)))

    assert (found["server"], found["url"]) == ("cluster-example", "s3://backups/prod")


@pytest.mark.parametrize(
    ("bootstrap", "database"),
    [
        ("  bootstrap: {}", "app"),
        ("  bootstrap:\n    recovery:\n      database: old", "old"),
        ("  bootstrap:\n    recovery:\n      source: x", "app"),
        ("  bootstrap:\n    initdb:\n      import:\n        type: monolith", None),
    ],
)
def test_the_database_of_cloudnativepg(
    tmp_path: Path, bootstrap: str, database: str | None
) -> None:
    """The operator calls it `app` if nobody says otherwise; a monolith has several."""
    text = TEXTS["cnpg"].replace("  bootstrap:\n    initdb:\n      database: shop", bootstrap)

    assert table(proposed("cnpg", tmp_path, text)).get("database") == database


ROLE = "      s3Credentials:\n        inheritFromIAMRole: true\n"
AZURE = (
    "      azureCredentials:\n        storageAccount:\n          name: az\n          key: account\n"
    "        storageKey:\n          name: az\n          key: key\n"
)
GOOGLE = (
    "      googleCredentials:\n        applicationCredentials:\n"
    "          name: g\n          key: j\n"
)


@pytest.mark.parametrize(
    ("credentials", "provider", "env", "secrets"),
    [
        (ROLE, None, {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_REGION"}, []),
        (AZURE, "azure-blob-storage", set(), ["AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_KEY"]),
        (GOOGLE, "google-cloud-storage", {"GOOGLE_APPLICATION_CREDENTIALS"}, []),
    ],
    ids=["role", "azure", "google"],
)
def test_other_credentials_of_cloudnativepg(
    tmp_path: Path, credentials: str, provider: str | None, env: set[str], secrets: list[str]
) -> None:
    """A role has no keys; what the pod gets is handed on to the tool."""
    begin, _, rest = TEXTS["cnpg"].partition("      endpointCA:")
    text = begin + credentials + rest[rest.index("      wal:") :]
    keys = table(proposed("cnpg", tmp_path, text))

    assert keys.get("cloud_provider") == provider
    assert set(keys.get("env", {})) == env
    assert keys.get("secrets", []) == secrets


def test_crunchy_without_a_directory(tmp_path: Path) -> None:
    """Repositories and global options become variables; keys are in a Secret as a file."""
    found = proposed("pgo", tmp_path, TEXTS["pgo"])

    keys = table(found)
    assert (keys["type"], keys["stanza"]) == ("pgbackrest", "db")
    assert keys["env"] == {
        "PGBACKREST_REPO1_PATH": "/pgbackrest/postgres-operator/hippo/repo1",
        "PGBACKREST_REPO1_TYPE": "s3",
        "PGBACKREST_REPO1_S3_BUCKET": "backups",
        "PGBACKREST_REPO1_S3_ENDPOINT": "localhost",
        "PGBACKREST_REPO1_S3_REGION": "us-east-1",
        "PGBACKREST_REPO1_S3_URI_STYLE": "path",
        "PGBACKREST_REPO1_STORAGE_HOST": "localhost",
        "PGBACKREST_REPO1_STORAGE_PORT": "9000",
        "PGBACKREST_REPO1_STORAGE_CA_FILE": "/etc/ca.crt",
    }
    assert keys["secrets"] == ["PGBACKREST_REPO1_S3_KEY", "PGBACKREST_REPO1_S3_KEY_SECRET"]
    assert "a file of the Secret pgo-s3-creds" in found.sources[0].variables[0].source


def test_crunchy_with_several_repositories(tmp_path: Path) -> None:
    """Each repository is a copy, and is drilled; a path that nobody set is the operator's."""
    text = TEXTS["pgo"] + "      - name: repo2\n        volume: {volumeClaimSpec: {}}\n"
    found = proposed("pgo", tmp_path, text)

    keys = table(found)
    assert keys["repo"] == 1
    assert keys["copies"] == {"repo2": {"repo": 2}}
    assert keys["env"]["PGBACKREST_REPO2_PATH"] == "/pgbackrest/repo2"
    assert any("the claim hippo-repo2" in one for one in found.sources[0].remarks)


@pytest.mark.parametrize("key_type", ["web-id", "auto"])
def test_crunchy_with_a_role(tmp_path: Path, key_type: str) -> None:
    """Then there are no keys."""
    text = TEXTS["pgo"].replace(
        "        repo1-retention-full:",
        f"        repo1-s3-key-type: {key_type}\n        repo1-retention-full:",
    )
    keys = table(proposed("pgo", tmp_path, text))

    assert "secrets" not in keys
    assert keys["env"]["AWS_ROLE_ARN"] == "${AWS_ROLE_ARN}"


def test_crunchy_with_its_directory(tmp_path: Path) -> None:
    """What the directory has is not repeated, and its secrets stay in it."""
    conf_d = tmp_path / "conf.d"
    conf_d.mkdir()
    (conf_d / "s3.conf").write_text("[global]\nrepo1-s3-key=geese\nrepo1-s3-key-secret=geese\n")
    (conf_d / "pgbackrest_instance.conf").write_text(
        "[global]\nrepo1-path=/x\nlog-path=/tmp\n[db]\npg1-path=/pgdata/pg15\n"
    )
    both = proposed("pgo", tmp_path, TEXTS["pgo"], paths=(conf_d,))
    alone = proposed("pgo", tmp_path, paths=(conf_d,), name="shop")

    keys = table(both)
    assert keys["config"] == str(conf_d)
    assert "PGBACKREST_REPO1_PATH" not in keys["env"]
    assert "secrets" not in keys
    assert both.sources[0].variables == ()
    assert table(alone) == {"type": "pgbackrest", "stanza": "db", "config": str(conf_d)}
    assert alone.sources[0].name == "shop"
    assert "geese" not in repr((both, alone))


def test_spilo_by_its_manifests(tmp_path: Path) -> None:
    """The prefix is Spilo's rule, with the UID that the operator adds."""
    found = proposed("spilo", tmp_path, TEXTS["spilo"])

    assert table(found) == {
        "type": "walg",
        "env": {
            "WALG_S3_PREFIX": (
                "s3://backups/spilo/acid-shop/7bb7a2f1-6d4b-4a0c-9a53-3a5c6e1d7f10/wal/15"
            ),
            "AWS_ENDPOINT": "https://minio:9000",
            "AWS_REGION": "us-east-1",
            "AWS_S3_FORCE_PATH_STYLE": "true",
            "WALG_S3_CA_CERT_FILE": "/etc/ca.crt",
        },
        "secrets": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    }
    by_name = {one.name: one for one in found.sources[0].variables}
    assert "configMapKeyRef" in by_name["AWS_ACCESS_KEY_ID"].yaml
    assert "secretKeyRef" in by_name["AWS_SECRET_ACCESS_KEY"].yaml
    assert "geese" not in repr(found)


def test_spilo_with_references_in_variables(tmp_path: Path) -> None:
    """Kubernetes writes $(SCOPE) out for the pod; nobody does for a tool."""
    text = TEXTS["spilo"].replace(
        "WAL_S3_BUCKET: backups", "WALG_S3_PREFIX: s3://backups/$(SCOPE)/$(PGVERSION)"
    )
    known = table(proposed("spilo", tmp_path, text))

    assert known["env"]["WALG_S3_PREFIX"] == "s3://backups/acid-shop/15"
    with pytest.raises(ConfigError, match=r"\$\(SECRET\) stands in a variable"):
        proposed("spilo", tmp_path, text.replace("$(SCOPE)", "$(SECRET)"))


def test_spilo_with_the_configuration_of_the_operator(tmp_path: Path) -> None:
    """The bucket may be set for all clusters; what the cluster's own manifest says wins."""
    operator = (
        "apiVersion: acid.zalan.do/v1\nkind: OperatorConfiguration\nmetadata:\n  name: op\n"
        "configuration:\n  aws_or_gcp:\n    wal_s3_bucket: all\n    aws_region: eu-west-1\n"
    )
    cluster = TEXTS["spilo"].rpartition("---\n")[2]
    own = "  env:\n  - name: AWS_REGION\n    value: eu-north-1\n"
    found = proposed("spilo", tmp_path, operator, cluster + own)

    env = table(found)["env"]
    assert env["WALG_S3_PREFIX"].startswith("s3://all/spilo/acid-shop/7bb7")
    assert env["AWS_REGION"] == "eu-north-1"


def test_spilo_by_its_directory(tmp_path: Path) -> None:
    """The directory is read by the drill; nothing of it is written."""
    envdir = tmp_path / "env"
    envdir.mkdir()
    (envdir / "WALG_S3_PREFIX").write_text("s3://b/spilo/acid-shop/uid/wal/15\n")
    (envdir / "AWS_SECRET_ACCESS_KEY").write_text("geese\n")
    found = proposed("spilo", tmp_path, paths=(envdir,))

    assert table(found) == {"type": "walg", "envdir": str(envdir)}
    assert found.sources[0].name == "acid-shop"
    assert "geese" not in repr(found)


def test_a_value_that_nobody_thought_of_is_no_value(tmp_path: Path) -> None:
    """Only known names are written with their values; of others, where they are."""
    text = TEXTS["spilo"].replace(
        "USE_WALG_BACKUP:", "WALG_S3_NEW_THING: geese\n  USE_WALG_BACKUP:"
    )
    spilo = proposed("spilo", tmp_path, text)
    text = TEXTS["pgo"].replace("repo1-retention-full:", "repo1-s3-new: geese\n        repo1-x:")
    pgo = proposed("pgo", tmp_path, text)

    assert "WALG_S3_NEW_THING" in table(spilo)["secrets"]
    assert "PGBACKREST_REPO1_S3_NEW" in table(pgo)["secrets"]
    assert "geese" not in repr((spilo, pgo))


def test_an_address_with_a_password_is_a_mistake(tmp_path: Path) -> None:
    """It would stand in the settings."""
    text = TEXTS["cnpg"].replace("https://minio", "https://me:geese@minio")

    with pytest.raises(ConfigError, match="endpointURL: an address with a secret") as caught:
        proposed("cnpg", tmp_path, text)
    assert "geese" not in str(caught.value)


def test_stackgres(tmp_path: Path) -> None:
    """The prefix is the bucket and the path that the operator made."""
    found = proposed("stackgres", tmp_path, TEXTS["stackgres"])

    assert table(found) == {
        "type": "walg",
        "env": {
            "WALG_S3_PREFIX": (
                "s3://backups/sgbackups.stackgres.io/shop/demodb/2026-02-15-15-39-38/15"
            ),
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT": "https://minio:9000",
            "AWS_S3_FORCE_PATH_STYLE": "true",
            "WALG_S3_CA_CERT_FILE": "${WALG_S3_CA_CERT_FILE}",
        },
        "secrets": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    }


def test_a_secret_among_the_manifests_must_have_the_key(tmp_path: Path) -> None:
    """Its names are used, and its values are not."""
    given = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: minio\nstringData:\n  OTHER: geese\n"

    with pytest.raises(ConfigError, match="the Secret minio has no key ACCESS_KEY_ID") as caught:
        proposed("cnpg", tmp_path, TEXTS["cnpg"], given)
    assert "geese" not in str(caught.value)


TWICE = (TEXTS["cnpg"] + "---" + TEXTS["cnpg"].replace("cluster-example", "shop.two"), "cnpg")


@pytest.mark.parametrize(
    ("wanted", "names"),
    [(None, ["cluster-example", "shop-two"]), ("x", ["x-cluster-example", "x-shop-two"])],
)
def test_several_clusters_are_several_sources(
    tmp_path: Path, wanted: str | None, names: list[str]
) -> None:
    """A dot in a name would make a copy of it."""
    found = proposed("cnpg", tmp_path, TWICE[0], name=wanted)

    assert [source.name for source in found.sources] == names


@pytest.mark.parametrize(
    ("layout", "text", "old", "new", "says"),
    [
        ("cnpg", "cnpg", "destinationPath: s3://backups/prod/", "x: y", "destinationPath: missing"),
        ("cnpg", "cnpg", "barmanObjectStore", "volumeSnapshot", "only snapshots of volumes"),
        ("cnpg", "cnpg", "s3Credentials", "credentials", "none of s3Credentials"),
        ("cnpg", "cnpg", "key: ACCESS_KEY_ID", "k: x", "accessKeyId.key: missing"),
        ("cnpg", "cnpg", "s3://backups/prod/", "${BUCKET}", "a template"),
        ("cnpg", "cnpg", "kind: Cluster", "kind: Deployment", "there is Deployment"),
        ("cnpg", "plugin", "name: minio-store", "name: other", "ObjectStore minio-store is not"),
        ("pgo", "pgo", "name: repo1", "name: one", "no name of a repository"),
        ("pgo", "pgo", "s3:\n", "nfs:\n", "one of s3, gcs, azure, volume"),
        ("pgo", "pgo", "bucket: backups", "b: x", "repos[0].s3.bucket: missing"),
        ("spilo", "spilo", "WAL_S3_BUCKET", "OTHER", "no bucket"),
        ("spilo", "spilo", "uid: 7bb7", "id: 7bb7", "metadata.uid: missing"),
        ("spilo", "spilo", "acid.zalan.do/v1", "v1", "no postgresql of acid.zalan.do"),
        ("stackgres", "stackgres", "path: sgb", "p: sgb", "path: missing"),
        ("stackgres", "stackgres", "type: s3Compatible", "type: nfs", "unknown type"),
        ("stackgres", "stackgres", "cronSchedule", "useVolumeSnapshot: true\n      c", "snapshots"),
        ("stackgres", "stackgres", "name: objectstorage", "name: x", "is not among the manifests"),
    ],
)
def test_a_mistake_has_its_place_and_a_hint(
    tmp_path: Path, layout: str, text: str, old: str, new: str, says: str
) -> None:
    """Each is red before a line is written."""
    assert old in TEXTS[text]

    with pytest.raises(ConfigError, match="HINT: ") as caught:
        proposed(layout, tmp_path, TEXTS[text].replace(old, new))
    assert says in str(caught.value)


def test_all_mistakes_of_a_manifest_come_at_once(tmp_path: Path) -> None:
    """Not one a run."""
    text = TEXTS["cnpg"].replace("destinationPath", "d").replace("key: ACCESS", "k: ACCESS")

    with pytest.raises(ConfigError) as caught:
        proposed("cnpg", tmp_path, text)
    assert str(caught.value).count("HINT: ") == 3


@pytest.mark.parametrize("layout", ["cnpg", "pgo", "spilo", "stackgres"])
def test_without_a_manifest_the_hint_says_which(layout: str) -> None:
    """Nothing can be guessed for an operator."""
    with pytest.raises(ConfigError, match="HINT: give"):
        LAYOUTS[layout](LayoutInput(paths=(), environ={}, name=None))
