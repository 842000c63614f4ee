"""Credentials of object stores, as operators refer to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.layouts.needed import (
    file_from_selector,
    from_role,
    from_selector,
)
from pytest_pgrestore.cli.init.proposal import NeededVariable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_pgrestore.cli.init.layouts.fields import Fields
    from pytest_pgrestore.cli.init.layouts.manifests import Manifests

PROVIDERS = {"s3": "aws-s3", "azure": "azure-blob-storage", "google": "google-cloud-storage"}
"""Kind of store to barman-cloud's word for it."""

_S3 = {
    "accessKeyId": "AWS_ACCESS_KEY_ID",
    "secretAccessKey": "AWS_SECRET_ACCESS_KEY",
    "region": "AWS_DEFAULT_REGION",
    "sessionToken": "AWS_SESSION_TOKEN",
}
_AZURE = {
    "connectionString": "AZURE_STORAGE_CONNECTION_STRING",
    "storageAccount": "AZURE_STORAGE_ACCOUNT",
    "storageKey": "AZURE_STORAGE_KEY",
    "storageSasToken": "AZURE_STORAGE_SAS_TOKEN",
}

ROLE = (
    "It has no keys: run the drill with a service account that has a role for this bucket."
    " Read-only is enough."
)
UNTRIED = "No test of pgrestore covers this kind of store."


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a tool needs to read a store.

    Attributes:
        store: ``s3``, ``azure`` or ``google``.
        secrets: Variables whose values nobody may see.
        passed: Variables that are set outside and are no secrets.
        remarks: What a reader must know.
    """

    store: str
    secrets: tuple[NeededVariable, ...] = ()
    passed: tuple[NeededVariable, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def variables(self) -> tuple[NeededVariable, ...]:
        """All variables."""
        return (*self.secrets, *self.passed)

    @classmethod
    def of_cnpg(cls, store: Fields, manifests: Manifests) -> Credentials:
        """Return those of an object store of CloudNativePG."""
        ways = ("s3Credentials", "azureCredentials", "googleCredentials")
        given = [key for key in ways if key in store]
        if len(given) != 1:
            store.mistake(
                "s3Credentials",
                "none of s3Credentials, azureCredentials, googleCredentials is there"
                if not given
                else f"{' and '.join(given)} are there",
                "write one of them.",
            )
            return cls("s3")
        table = store.table(given[0])
        match given[0]:
            case "s3Credentials":
                made = _s3(table, manifests)
            case "azureCredentials":
                made = _azure(table, manifests)
            case _:
                made = _google(table, manifests)
        if "endpointCA" in store:
            name = "AWS_CA_BUNDLE" if made.store == "s3" else "REQUESTS_CA_BUNDLE"
            authority = file_from_selector(name, store.table("endpointCA"), manifests)
            made = cls(made.store, made.secrets, (*made.passed, *_there([authority])), made.remarks)
        return made


def _there(found: Iterable[NeededVariable | None]) -> tuple[NeededVariable, ...]:
    return tuple(one for one in found if one is not None)


def _selected(
    table: Fields, variables: dict[str, str], manifests: Manifests
) -> tuple[NeededVariable, ...]:
    """Return the variables for the selectors that are there."""
    return _there(
        from_selector(variable, table.table(key), manifests)
        for key, variable in variables.items()
        if key in table
    )


def _s3(table: Fields, manifests: Manifests) -> Credentials:
    if table.flag("inheritFromIAMRole"):
        return Credentials("s3", passed=tuple(from_role()), remarks=(ROLE,))
    for key in ("accessKeyId", "secretAccessKey"):
        if key not in table:
            table.mistake(key, "missing", "name the key of a Secret, or inheritFromIAMRole: true.")
    return Credentials("s3", _selected(table, _S3, manifests))


def _azure(table: Fields, manifests: Manifests) -> Credentials:
    if table.flag("inheritFromAzureAD") or table.flag("useDefaultAzureCredentials"):
        names = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE")
        source = "a pod with a workload identity (Azure's webhook sets it)"
        passed = tuple(NeededVariable(name=name, source=source) for name in names)
        return Credentials("azure", passed=passed, remarks=(ROLE, UNTRIED))
    return Credentials("azure", _selected(table, _AZURE, manifests), remarks=(UNTRIED,))


def _google(table: Fields, manifests: Manifests) -> Credentials:
    if "applicationCredentials" not in table:
        if not table.flag("gkeEnvironment"):
            table.mistake(
                "applicationCredentials", "missing", "name the key of a Secret, or gkeEnvironment."
            )
        return Credentials("google", remarks=(ROLE, UNTRIED))
    key = table.table("applicationCredentials")
    file = file_from_selector("GOOGLE_APPLICATION_CREDENTIALS", key, manifests)
    return Credentials("google", passed=_there([file]), remarks=(UNTRIED,))
