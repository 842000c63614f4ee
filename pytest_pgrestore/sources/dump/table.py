"""``[sources.NAME]`` of ``type = "dump"``.

Imports pydantic. So this module is imported inside functions only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pytest_pgrestore.settings.source_tables import SecretText, SourceTable
from pytest_pgrestore.sources.dump.one_moment import require_latest

if TYPE_CHECKING:
    from pytest_pgrestore.model.target import RecoveryTarget


def _paths(value: Any) -> Any:
    """Return a path as it is, and a list of paths as a tuple.

    Raises:
        ValueError: It is neither, or the list is empty.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise ValueError("no path; write a text, or a list of texts for several files in order.")
    return tuple(value)


Paths = Annotated[str | tuple[str, ...], BeforeValidator(_paths)]
"""One path, or several in the order in which they are loaded."""


class DumpTable(SourceTable):
    """``type = "dump"``: output of pg_dump or pg_dumpall.

    Attributes:
        secrets: Variables of `decrypt` that nobody may see. The file lists their names;
            `read_file` adds the values from pytest's environment.
    """

    type: Literal["dump"]
    path: Paths
    globals: str | None = None
    jobs: Annotated[int, Field(ge=1)] | None = None
    tables: list[str] = Field(default_factory=list)
    schema_only: bool = False
    data_only: bool = False
    schema_file: str | None = None
    owners: bool = True
    before: str | None = None
    skip_extensions: list[str] = Field(default_factory=list)
    taken_at: str | None = None
    complete: Literal["unmarked"] | None = None
    decrypt: list[str] | None = None
    secrets: dict[str, SecretText] = Field(default_factory=dict)
    max_statement_mb: Annotated[int, Field(ge=1)] = 256
    max_objects: Annotated[int, Field(ge=1)] = 500_000
    keep_free_mb: Annotated[int, Field(ge=0)] = 64

    def require_target(self, source: str, target: RecoveryTarget) -> None:
        """Refuse every target but latest; see the base class."""
        require_latest(source, target)
