"""``[sources.NAME]`` of ``type = "dump"``.

Imports pydantic. So this module is imported inside functions only.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pytest_pgrestore.settings.source_tables import SourceTable


def _paths(value: Any) -> Any:
    """Return a path, or a list of paths, as a tuple.

    Raises:
        ValueError: It is neither, or the list is empty.
    """
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(one, str) for one in found):
        raise ValueError("no path; write a text, or a list of texts for several files in order.")
    return tuple(found)


Paths = Annotated[tuple[str, ...], BeforeValidator(_paths)]
"""One path, or several in the order in which they are loaded."""


class DumpTable(SourceTable):
    """``type = "dump"``: output of pg_dump or pg_dumpall."""

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
    max_statement_mb: Annotated[int, Field(ge=1)] = 256
    max_objects: Annotated[int, Field(ge=1)] = 500_000
    keep_free_mb: Annotated[int, Field(ge=0)] = 64
