"""``[inventory]`` of the settings file: the list of everything that should be backed up.

Imports pydantic, and is therefore imported inside functions only.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from pytest_pgrestore.settings.toml import Duration, Table


def _covered(value: Any) -> Any:
    """Return a name as an inventory has it.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, str) and (not value.strip() or not all(value.split("/"))):
        raise ValueError("not a name; write CLUSTER or CLUSTER/DATABASE.")
    return value.strip() if isinstance(value, str) else value


CoveredName = Annotated[str, BeforeValidator(_covered)]
"""``CLUSTER`` or ``CLUSTER/DATABASE``, as an inventory has it."""


class InventoryTable(Table):
    """``[inventory]``: a file, or a command that prints the same.

    Attributes:
        file: Its path.
        command: Program and arguments; no shell is started.
        timeout: Longest time that the command may take.
        env: The variables of the command, beside PATH and those of a locale.
        ignore: Names in it that need no backup.
    """

    file: str | None = None
    command: Annotated[list[str], Field(min_length=1)] | None = None
    timeout: Duration = timedelta(minutes=1)
    env: dict[str, str] = Field(default_factory=dict)
    ignore: list[CoveredName] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.model_fields_set and (self.file is None) == (self.command is None):
            raise ValueError("file and command are both set, or neither is; write one of them.")
        return self

    @property
    def is_set(self) -> bool:
        """Whether there is an inventory."""
        return self.file is not None or self.command is not None
