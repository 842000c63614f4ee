"""``[sources.NAME]`` of the settings file: the keys that every type of source has.

Imports pydantic, and is therefore imported inside functions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.settings.toml import Duration, Table


def _secret(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("a text is expected; write it in quotes.")  # noqa: TRY004 - pydantic collects ValueError only
    return Secret(value)


class SourceTable(Table):
    """``[sources.NAME]``: what every type of source takes."""

    renamed: ClassVar[Mapping[str, str]] = {"live": "live_conninfo"}

    type: str
    database: str | None = None
    rto: Duration | None = None
    rpo: Duration | None = None
    max_age: Duration | None = None
    freshness: str | None = None
    live_conninfo: Annotated[Secret, BeforeValidator(_secret)] | None = None
    superuser: str | None = None
    copies: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Other places of the same backups: a name to the keys that differ there. Each is a source ``NAME.COPY``."""


class ToolTable(SourceTable):
    """What every source takes that a backup tool of its own restores.

    Attributes:
        program: Name of the tool, or its path on this machine; None is the tool's usual name.
        tool_location: Where it runs beside a docker sandbox: in a container, or on this machine.
        env: Variables for it that everybody may see.
        secrets: Names of variables of pytest's environment that it gets and nobody sees; read as name and value.
        network: Whether its repository is reached by the network; None asks its configuration.
        backup: Label of the backup to restore; None chooses one for the target.
    """

    renamed: ClassVar[Mapping[str, str]] = {**SourceTable.renamed, "tool": "tool_location"}

    program: str | None = None
    tool_location: Literal["container", "host"] = "container"
    env: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, Annotated[Secret, BeforeValidator(_secret)]] = Field(default_factory=dict)
    network: bool | None = None
    backup: str | None = None
