"""``[sources.NAME]`` of the settings file: the keys of every type of source.

Imports pydantic, and is therefore imported inside functions only.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.toml import Duration, Table


def _secret(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("a text is expected; write it in quotes.")  # noqa: TRY004 - pydantic collects ValueError only
    return Secret(value)


class SourceTable(Table):
    """``[sources.NAME]``: what every type of source takes."""

    type: str
    database: str | None = None
    rto: Duration | None = None
    rpo: Duration | None = None
    max_age: Duration | None = None
    freshness: str | None = None
    live: Annotated[Secret, BeforeValidator(_secret)] | None = None
    superuser: str | None = None
    copies: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Other places of the same backups: a name to the keys that differ there. Each is a source ``NAME.COPY``."""


class DumpTable(SourceTable):
    """``type = "dump"``: output of pg_dump or pg_dumpall."""

    type: Literal["dump"]
    path: str
    globals: str | None = None
    jobs: Annotated[int, Field(ge=1)] | None = None
    tables: list[str] = Field(default_factory=list)
    schema_only: bool = False
    data_only: bool = False
    schema_file: str | None = None
    owners: bool = True


class BasebackupTable(SourceTable):
    """``type = "basebackup"``: output of pg_basebackup, and a WAL archive."""

    type: Literal["basebackup"]
    path: str
    wal: str | None = None
    verify: bool = True


class ToolTable(SourceTable):
    """What every source takes that a backup tool of its own restores.

    Attributes:
        program: Name of the tool, or its path on this machine; None is the tool's usual name.
        tool: Where it runs beside a docker sandbox: in the image, or on this machine.
        env: Variables for it that everybody may see.
        secrets: Names of variables of pytest's environment that it gets and nobody sees; read as name and value.
        network: Whether its repository is reached by the network; None asks its configuration.
        backup: Label of the backup to restore; None chooses one for the target.
    """

    program: str | None = None
    tool: Literal["image", "host"] = "image"
    env: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, Annotated[Secret, BeforeValidator(_secret)]] = Field(default_factory=dict)
    network: bool | None = None
    backup: str | None = None


class PgbackrestTable(ToolTable):
    """``type = "pgbackrest"``: a stanza of pgBackRest."""

    type: Literal["pgbackrest"]
    stanza: str
    config: str | None = None
    repo: Annotated[int, Field(ge=1)] | None = None
    processes: Annotated[int, Field(ge=1)] | None = None
    verify: bool = False
    delta: str | None = None

    @model_validator(mode="after")
    def _require_time(self) -> Self:
        if self.delta is not None and self.rto is not None:
            raise ValueError(
                "rto and delta exclude each other: a restore onto a kept directory is faster than the one in a"
                " disaster; leave one of them out, or give the rto to a copy without delta."
            )
        return self


class BarmanTable(ToolTable):
    """``type = "barman"``: a server in a Barman home, or in an object store written by barman-cloud."""

    type: Literal["barman"]
    server: str
    config: str | None = None
    url: str | None = None
    endpoint_url: str | None = None
    cloud_provider: Literal["aws-s3", "azure-blob-storage", "google-cloud-storage"] | None = None
    get_wal: bool = False
    jobs: Annotated[int, Field(ge=1)] | None = None
    verify: bool = True
    check: bool = False


class WalgTable(ToolTable):
    """``type = "walg"``: a prefix of WAL-G."""

    type: Literal["walg"]
    config: str | None = None
    verify: bool = False


Words = list[str]
"""A program and its arguments; no shell is asked."""


class CommandTable(ToolTable):
    """``type = "command"``: commands of the user's own."""

    type: Literal["command"]
    fetch: Words
    wal: Words
    wal_list: Words
    reads: Words = Field(default_factory=list)
    verify: bool = True
    list: Words


SOURCE_TABLES: dict[str, type[SourceTable]] = {
    "dump": DumpTable,
    "basebackup": BasebackupTable,
    "pgbackrest": PgbackrestTable,
    "walg": WalgTable,
    "command": CommandTable,
    "barman": BarmanTable,
}
"""Types of sources by name."""
