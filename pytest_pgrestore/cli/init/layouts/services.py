"""Dumps of managed services: roles and extensions that exist at the service only.

Sources: each service's list of extensions, and the roles that its documentation names.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.detectors.file_names import changes, escaped, following
from pytest_pgrestore.cli.init.layouts.dump_contents import read_contents
from pytest_pgrestore.cli.init.layouts.names import source_name
from pytest_pgrestore.cli.init.proposal import Proposal, ProposedKey, ProposedSource
from pytest_pgrestore.cli.init.surroundings import literal
from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_pgrestore.cli.init.layouts.dump_contents import DumpContents
    from pytest_pgrestore.cli.init.proposal import LayoutInput

_LOGICAL = (
    "A dump proves that rows come back. It proves nothing of the service's own snapshots and"
    " point-in-time recovery: docs/managed.md."
)
_NOT_LOOKED_INTO = (
    "No dump was given, or it could not be looked into: skip_extensions has all extensions that"
    " only this service has."
)
WRITTEN = (
    "`before` names a file that `pgrestore init` writes beside the settings: with --directory, as"
    " printed settings are one file."
)
_AGE = 'Set `max_age`, e.g. "26h": otherwise last week\'s dump passes too.'


@dataclass(frozen=True, slots=True)
class Service:
    """A managed service.

    Attributes:
        title: Its name.
        roles: Whose rights and owners a dump names; they exist there only.
        extensions: Those that nobody can install elsewhere.
        path: Where its dumps are looked for without a path.
        remarks: What a reader must know.
    """

    title: str
    roles: tuple[str, ...]
    extensions: tuple[str, ...]
    path: str = "backups/*.dump"
    remarks: tuple[str, ...] = ()


SERVICES = {
    "rds": Service(
        "Amazon RDS or Aurora",
        ("rdsadmin", "rds_superuser", "rds_iam", "rds_replication"),
        (
            *("apg_plan_mgmt", "aurora_stat_utils", "aws_commons", "aws_lambda", "aws_ml"),
            *("aws_s3", "flow_control", "pg_ad_mapping", "rds_activity_stream", "rds_tools"),
        ),
    ),
    "cloudsql": Service(
        "Google Cloud SQL or AlloyDB",
        ("cloudsqladmin", "cloudsqlsuperuser", "alloydbsuperuser"),
        (
            *("alloydb_ai_nl", "alloydb_scann", "google_columnar_engine", "google_db_advisor"),
            *("google_insights", "google_ml_integration", "google_vacuum_mgmt"),
        ),
        path="backups/*.sql.gz",
        remarks=("An export of gcloud goes to a bucket: copy it here first, in the same job.",),
    ),
    "azure": Service(
        "Azure Database for PostgreSQL",
        ("azure_pg_admin", "azuresu", "azure_superuser"),
        (
            *("azure", "azure_ai", "azure_local_ai", "azure_storage", "pg_azure_storage"),
            *("pg_availability", "pg_diskann", "pg_failover_slots_azure", "pgaadauth"),
        ),
    ),
    "neon": Service(
        "Neon",
        ("neon_superuser", "cloud_admin"),
        ("neon", "neon_migration", "neon_test_utils", "neon_utils", "pg_session_jwt"),
        remarks=("Dump from the direct address, not from the pooler's.",),
    ),
    "heroku": Service("Heroku Postgres", (), (), path="latest.dump"),
}


def services() -> dict[str, Callable[[LayoutInput], Proposal]]:
    """Return the layout of each service."""
    return {name: partial(propose, service) for name, service in SERVICES.items()}


def propose(service: Service, given: LayoutInput) -> Proposal:
    """Return a source for the dumps of a service.

    Raises:
        ConfigError: A path leads to nothing, or several are given.
    """
    if len(given.paths) > 1:
        raise ConfigError(
            "several dumps are given",
            hint='give one; others of the same name belong to it with path = "backups/*.dump".',
        )
    contents = read_contents(given.paths)
    name = source_name("", given.name, default="shop")
    keys = {
        "type": ProposedKey(value="dump"),
        "path": _path(service, given),
        "owners": ProposedKey(value=False, comment=_why_no_owners(service)),
    }
    remarks = [_LOGICAL, _AGE, *service.remarks]
    skipped = _skipped(service, contents)
    if skipped:
        keys["skip_extensions"] = ProposedKey(
            value=skipped, comment=f"Only {service.title} has them. The report names them."
        )
        if contents is None:
            remarks.append(_NOT_LOOKED_INTO)
    files = _prelude(name, contents, keys)
    if files:
        remarks.append(WRITTEN)
    found = f"the dump {given.paths[0]}" if given.paths else f"what {service.title} is known for"
    source = ProposedSource(name=name, found=found, keys=keys, remarks=tuple(remarks))
    return Proposal(sources=(source,), files=files)


def _path(service: Service, given: LayoutInput) -> ProposedKey:
    """Return the key `path`: a dump with a date in its name stands for the later ones, too."""
    if not given.paths:
        return ProposedKey(value=service.path, comment="A glob takes the newest.")
    dump = given.paths[0]
    pattern = following(dump)
    if pattern is not None:
        return ProposedKey(value=literal(pattern), comment="The newest match is restored.")
    comment = "One file: the job writes it anew each time."
    if changes(dump.name):
        comment = "This file alone: no pattern tells its name from others here. Correct it."
    return ProposedKey(value=literal(escaped(dump)), comment=comment)


def _why_no_owners(service: Service) -> str:
    roles = ", ".join(service.roles) or "those of the add-on"
    return f"Roles of the service exist there only: {roles}."


def _skipped(service: Service, contents: DumpContents | None) -> list[str]:
    """Return the extensions to leave out: those of the dump, or all if nobody knows."""
    if contents is None:
        return sorted(service.extensions)
    return sorted(contents.extensions & set(service.extensions))


def _prelude(
    name: str, contents: DumpContents | None, keys: dict[str, ProposedKey]
) -> Mapping[str, str]:
    """Return a file that makes schemas the dump expects, such as Heroku's heroku_ext."""
    if contents is None or not contents.missing_schemas:
        return {}
    file = f"{name}_before.sql"
    keys["before"] = ProposedKey(
        value=file, comment="Makes schemas that the dump puts extensions into, and does not make."
    )
    lines = [f'CREATE SCHEMA "{schema}";\n' for schema in contents.missing_schemas]
    return {file: "".join(lines)}
