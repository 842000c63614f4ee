"""``[sources.NAME]`` of the settings file: the keys that every type of source has.

Imports pydantic, and is therefore imported inside functions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.settings.inventory_table import CoveredName
from pytest_pgrestore.settings.toml import Duration, Margin, Table

if TYPE_CHECKING:
    from pytest_pgrestore.model.target import RecoveryTarget


def _secret(value: Any) -> Any:
    """Return a text as a secret.

    Raises:
        ValueError: The value is not a text.
    """
    if not isinstance(value, str):
        raise ValueError("a text is expected; write it in quotes.")  # noqa: TRY004 - pydantic collects ValueError only
    return Secret(value)


def _tool_location(value: Any) -> Any:
    """Return the value unless it is the one used before 1.0.

    Raises:
        ValueError: It is ``image``, which is called ``container`` now.
    """
    if value == "image":
        raise ValueError('`image` is called `container` now; write tool_location = "container".')
    return value


FilePath = Annotated[Path, Field(strict=False)]
"""A path, written as a text. `read_file` has made it absolute."""

SecretText = Annotated[Secret, BeforeValidator(_secret)]
"""A text that must not be shown."""


class SourceTable(Table):
    """``[sources.NAME]``: the keys of every type of source.

    Attributes:
        type: Type of source; a subclass narrows it to its own name.
        database: Database for the assertions; None is the type's default.
        rto: Longest acceptable restore.
        rpo: Largest acceptable loss of data, as a time.
        max_age: Oldest acceptable backup.
        every: Longest time between two green drills; None asks for none.
        slower_than_usual: By what part a restore may take longer than usual; None is that of
            ``[history]``.
        slower_severity: Whether a slower one is a warning, or fails; None as above.
        covers: Its names in the inventory; None is its own name.
        freshness: SQL query that returns the time of the newest row.
        live_conninfo: Connection string of production, for comparisons.
        superuser: Role that may log in to the restored server; None finds one.
        copies: Other places of the same backups: a name to the keys that differ there.
            Each copy is a source called ``NAME.COPY``.
    """

    renamed: ClassVar[Mapping[str, str]] = {"live": "live_conninfo"}

    type: str
    database: str | None = None
    rto: Duration | None = None
    rpo: Duration | None = None
    max_age: Duration | None = None
    every: Duration | None = None
    slower_than_usual: Margin | None = None
    slower_severity: Literal["warn", "error"] | None = None
    covers: list[CoveredName] | None = None
    freshness: str | None = None
    live_conninfo: SecretText | None = None
    superuser: str | None = None
    copies: dict[str, dict[str, Any]] = Field(default_factory=dict)

    def require_target(self, source: str, target: RecoveryTarget) -> None:
        """Refuse a target that no backup of this type reaches; by default there is none.

        Raises:
            ConfigError: It is such a target.
        """


class ToolTable(SourceTable):
    """The keys of every source that a backup tool of its own restores.

    Attributes:
        program: Name of the tool or its path on this machine; a subclass sets the usual name.
        tool_location: Where the tool runs beside a docker sandbox: in a container, or on this
            machine.
        env: Variables for the tool that everybody may see.
        secrets: Variables for the tool that nobody may see. The file lists their names;
            `read_file` adds the values from pytest's environment.
        network: Whether the repository is reached by the network; None: see `network` of each type.
        backup: Label of the backup to restore; None chooses one for the target.
    """

    renamed: ClassVar[Mapping[str, str]] = {**SourceTable.renamed, "tool": "tool_location"}

    program: str | None = None
    tool_location: Annotated[Literal["container", "host"], BeforeValidator(_tool_location)] = (
        "container"
    )
    env: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, SecretText] = Field(default_factory=dict)
    network: bool | None = None
    backup: str | None = None

    @property
    def on_host(self) -> bool:
        """Whether the tool runs on this machine, also beside a docker sandbox."""
        return self.tool_location == "host"
