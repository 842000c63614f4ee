"""Variables that a layout needs: from keys of Secrets, and from what a cluster gives to a pod."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.proposal import NeededVariable, ProposedKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_pgrestore.cli.init.layouts.fields import Fields
    from pytest_pgrestore.cli.init.layouts.manifests import Manifests

MOUNT = "/etc/pgrestore"
"""Directory below which the docs mount files of Secrets: docs/kubernetes.md."""

_PLAIN = re.compile(
    r"WAL[GE]_[A-Z0-9]+_(?:PREFIX|ENDPOINT)|WAL_[A-Z0-9]+_BUCKET|WAL_BUCKET_SCOPE_(?:PREFIX|SUFFIX)"
    r"|WALG_(?:S3_CA_CERT_FILE|LIBSODIUM_KEY_PATH|LIBSODIUM_KEY_TRANSFORM|PGP_KEY_PATH)"
    r"|AWS_(?:CA_BUNDLE|REGION|DEFAULT_REGION|ENDPOINT|ENDPOINT_URL|S3_FORCE_PATH_STYLE|ROLE_ARN"
    r"|WEB_IDENTITY_TOKEN_FILE|STS_REGIONAL_ENDPOINTS)"
    r"|GOOGLE_APPLICATION_CREDENTIALS|AZURE_(?:STORAGE_ACCOUNT|ENVIRONMENT_NAME|ENDPOINT_SUFFIX)"
    r"|SSH_(?:PORT|USERNAME|PRIVATE_KEY_PATH)"
)
"""Variables whose values may be written. One that nobody thought of is treated as a secret."""

ROLE = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_REGION")
"""What Amazon's webhook gives to a pod whose service account has a role, and its region."""


def is_secret(variable: str) -> bool:
    """Return whether the value of a variable is written nowhere."""
    return _PLAIN.fullmatch(variable) is None


def from_key(variable: str, owner: str, key: str, *, kind: str = "Secret") -> NeededVariable:
    """Return a variable whose value is a key of a Secret or a ConfigMap."""
    reference = "secretKeyRef" if kind == "Secret" else "configMapKeyRef"
    lines = (
        f"- name: {variable}",
        "  valueFrom:",
        f"    {reference}:",
        f"      name: {json.dumps(owner)}",
        f"      key: {json.dumps(key)}",
    )
    return NeededVariable(
        name=variable, source=f"the key {key} of the {kind} {owner}", yaml="\n".join(lines)
    )


def from_selector(variable: str, selector: Fields, manifests: Manifests) -> NeededVariable | None:
    """Return the variable for ``{name, key}`` of a manifest; None if that is a mistake.

    A Secret among the manifests must have the key.
    """
    secret, key = selector.required("name"), selector.required("key")
    if not secret or not key:
        return None
    if manifests.has_key(secret, key) is False:
        selector.mistake(
            "key", f"the Secret {secret} has no key {key}", "correct one of the two manifests."
        )
    return from_key(variable, secret, key)


def file_from_selector(
    variable: str, selector: Fields, manifests: Manifests
) -> NeededVariable | None:
    """Return the variable for the path of a file, which is a key of a Secret."""
    if from_selector(variable, selector, manifests) is None:
        return None
    secret, key = selector.text("name"), selector.text("key")
    return NeededVariable(
        name=variable,
        source=f"the path of a file with the key {key} of the Secret {secret}",
        yaml=f"- name: {variable}\n  value: {json.dumps(f'{MOUNT}/{secret}/{key}')}",
    )


def from_role() -> list[NeededVariable]:
    """Return the variables of a pod that has a role of Amazon's instead of keys."""
    return [
        NeededVariable(
            name=name,
            source="a pod whose service account has a role (EKS sets it)"
            if name != "AWS_REGION"
            else "the bucket's region",
        )
        for name in ROLE
    ]


def passed_on(variables: Iterable[NeededVariable]) -> dict[str, str]:
    """Return the entries of ``env`` for variables that are set outside and are no secrets."""
    return {one.name: f"${{{one.name}}}" for one in variables}


def table_keys(
    env: Mapping[str, str], secrets: Iterable[NeededVariable], why: str
) -> dict[str, ProposedKey]:
    """Return the keys ``env`` and ``secrets``, each if it has something in it."""
    names = [one.name for one in secrets]
    keys = {}
    if env:
        keys["env"] = ProposedKey(value=dict(env), comment=why)
    if names:
        keys["secrets"] = ProposedKey(
            value=names, comment="Names only. Their values come from pytest's environment."
        )
    return keys
