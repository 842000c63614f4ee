"""Manifests as operators document them, and what a layout makes of them as settings."""

from __future__ import annotations

from pathlib import Path

from pytest_pgrestore.cli.init.layouts import LAYOUTS
from pytest_pgrestore.cli.init.proposal import LayoutInput, Proposal
from pytest_pgrestore.cli.init.settings_text import settings_text

CNPG = """
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata:
  name: cluster-example
spec:
  instances: 3
  bootstrap:
    initdb:
      database: {database}
  backup:
    barmanObjectStore:
      destinationPath: {url}
      endpointURL: {endpoint}
      endpointCA:
        name: minio-ca
        key: ca.crt
      s3Credentials:
        accessKeyId:
          name: minio
          key: ACCESS_KEY_ID
        secretAccessKey:
          name: minio
          key: ACCESS_SECRET_KEY
      wal:
        compression: gzip
"""

CNPG_PLUGIN = """
apiVersion: barmancloud.cnpg.io/v1
kind: ObjectStore
metadata:
  name: minio-store
spec:
  configuration:
    destinationPath: {url}
    endpointURL: {endpoint}
    endpointCA:
      name: minio-ca
      key: ca.crt
    s3Credentials:
      accessKeyId:
        name: minio
        key: ACCESS_KEY_ID
      secretAccessKey:
        name: minio
        key: ACCESS_SECRET_KEY
---
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata:
  name: cluster-example
spec:
  bootstrap:
    initdb:
      database: {database}
  plugins:
  - name: barman-cloud.cloudnative-pg.io
    isWALArchiver: true
    parameters:
      barmanObjectName: minio-store
"""

PGO = """
apiVersion: postgres-operator.crunchydata.com/v1beta1
kind: PostgresCluster
metadata:
  name: hippo
  namespace: postgres-operator
spec:
  postgresVersion: 15
  backups:
    pgbackrest:
      configuration:
      - secret:
          name: pgo-s3-creds
      global:
        repo1-path: /pgbackrest/postgres-operator/hippo/repo1
        repo1-s3-uri-style: path
        repo1-storage-host: localhost
        repo1-storage-port: "{port}"
        repo1-storage-ca-file: {ca}
        repo1-retention-full: "14"
      repos:
      - name: repo1
        s3:
          bucket: {bucket}
          endpoint: localhost
          region: {region}
"""

SPILO = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: pod-config
data:
  WAL_S3_BUCKET: {bucket}
  AWS_ENDPOINT: {endpoint}
  AWS_REGION: {region}
  AWS_ACCESS_KEY_ID: {key}
  USE_WALG_BACKUP: "true"
  USE_WALG_RESTORE: "true"
  BACKUP_SCHEDULE: 0 3 * * *
  WALG_DISABLE_S3_SSE: "true"
  WALG_S3_CA_CERT_FILE: {ca}
---
apiVersion: v1
kind: Secret
metadata:
  name: pod-secrets
stringData:
  AWS_SECRET_ACCESS_KEY: {secret}
---
apiVersion: acid.zalan.do/v1
kind: postgresql
metadata:
  name: acid-shop
  uid: 7bb7a2f1-6d4b-4a0c-9a53-3a5c6e1d7f10
spec:
  teamId: acid
  postgresql:
    version: "15"
"""

STACKGRES = """
apiVersion: stackgres.io/v1beta1
kind: SGObjectStorage
metadata:
  name: objectstorage
spec:
  type: s3Compatible
  s3Compatible:
    bucket: {bucket}
    region: {region}
    enablePathStyleAddressing: true
    endpoint: {endpoint}
    awsCredentials:
      secretKeySelectors:
        accessKeyId:
          key: accesskey
          name: minio
        secretAccessKey:
          key: secretkey
          name: minio
        caCertificate:
          key: ca.crt
          name: minio-ca
---
apiVersion: stackgres.io/v1
kind: SGCluster
metadata:
  name: demodb
  namespace: shop
spec:
  postgres:
    version: "15.8"
  configurations:
    backups:
    - sgObjectStorage: objectstorage
      cronSchedule: "*/5 * * * *"
      path: sgbackups.stackgres.io/shop/demodb/2026-02-15-15-39-38/15
"""


def proposed(
    layout: str, directory: Path, *texts: str, paths: tuple[Path, ...] = (), name: str | None = None
) -> Proposal:
    """Return what a layout proposes for manifests, which are written to files, and other paths."""
    files = []
    for at, text in enumerate(texts):
        files.append(directory / f"manifest{at}.yaml")
        files[-1].write_text(text)
    return LAYOUTS[layout](LayoutInput(paths=(*files, *paths), environ={}, name=name))


def settings(proposal: Proposal) -> str:
    """Return the proposal as the text of a settings file."""
    return settings_text(proposal, {})
