"""Variables that an operator gives to a pod: from its manifest, ConfigMaps, Secrets and its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.layouts.needed import from_key, is_secret
from pytest_pgrestore.cli.init.proposal import NeededVariable

if TYPE_CHECKING:
    from pytest_pgrestore.cli.init.layouts.fields import Fields
    from pytest_pgrestore.cli.init.layouts.manifests import Document, Manifests

GROUP = "acid.zalan.do"

_OF_THE_OPERATOR = {
    "wal_s3_bucket": "WAL_S3_BUCKET",
    "wal_gs_bucket": "WAL_GS_BUCKET",
    "wal_az_storage_account": "AZURE_STORAGE_ACCOUNT",
    "aws_region": "AWS_REGION",
    "gcp_credentials": "GOOGLE_APPLICATION_CREDENTIALS",
}
"""Parameter of Zalando's operator to the variable it sets."""

_OWN_CONFIGURATION = ("wal_s3_bucket", "wal_gs_bucket", "pod_environment_configmap")


class PodVariables:
    """Variables of a pod. No value of a secret is kept; of it, only where it is."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._needed: dict[str, NeededVariable] = {}

    @classmethod
    def of_spilo(cls, cluster: Document, manifests: Manifests) -> PodVariables:
        """Return those of a postgresql. What its manifest says wins, then Secrets, ConfigMaps."""
        found = cls()
        for one in manifests.of("OperatorConfiguration", GROUP):
            found._take_parameters(one.fields.table("configuration", "aws_or_gcp"))
        for one in manifests.of("ConfigMap"):
            data = one.fields.table("data")
            if any(name in data for name in _OWN_CONFIGURATION):
                found._take_parameters(data)
            else:
                found._take_config_map(one, data)
        for one in manifests.of("Secret"):
            for key in one.fields.names("data"):
                if key.isupper() and key.isidentifier():
                    found._refer(key, from_key(key, one.name, key))
        for entry in cluster.fields.table("spec").tables("env"):
            found._take_entry(entry)
        return found

    def names(self) -> list[str]:
        """Return the names of all variables."""
        return sorted({*self._values, *self._needed})

    def value(self, name: str) -> str:
        """Return the value of a variable that is no secret; "" if it has none here."""
        return self._values.get(name, "")

    def is_elsewhere(self, name: str) -> bool:
        """Return whether the value of a variable is not in the manifests, or is a secret."""
        return name in self._needed

    def needed(self, name: str) -> NeededVariable:
        """Return where the value of a variable is."""
        return self._needed[name]

    def _take_parameters(self, table: Fields) -> None:
        for parameter, name in _OF_THE_OPERATOR.items():
            if parameter in table:
                self._set(name, table.text(parameter))

    def _take_config_map(self, one: Document, data: Fields) -> None:
        for key in data.names():
            if not key.isupper() or not key.isidentifier():
                continue
            if is_secret(key):
                self._refer(key, from_key(key, one.name, key, kind="ConfigMap"))
            else:
                self._set(key, data.text(key))

    def _take_entry(self, entry: Fields) -> None:
        """Take an entry of ``env``, as a container has it."""
        name = entry.required("name")
        for reference, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
            selector = entry.table("valueFrom", reference)
            if selector:
                owner, key = selector.required("name"), selector.required("key")
                self._refer(name, from_key(name, owner, key, kind=kind))
                return
        if is_secret(name):
            self._refer(
                name, NeededVariable(name=name, source=f"{entry.path} of {entry.place}", yaml="")
            )
        else:
            self._set(name, entry.text("value"))

    def _set(self, name: str, value: str) -> None:
        self._needed.pop(name, None)
        self._values[name] = value

    def _refer(self, name: str, needed: NeededVariable) -> None:
        self._values.pop(name, None)
        self._needed[name] = needed
