"""What the worlds of all backup tools share."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_pgrestore.model.secret import Secret


def as_secrets(variables: object) -> dict[str, Secret]:
    """Return variables of the environment as a source takes them."""
    assert isinstance(variables, Mapping)
    return {name: Secret(str(value)) for name, value in variables.items()}
