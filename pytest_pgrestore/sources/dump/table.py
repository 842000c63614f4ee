"""``[sources.NAME]`` of ``type = "dump"``.

Imports pydantic. So this module is imported inside functions only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.source_tables import SecretText, SourceTable
from pytest_pgrestore.sources.dump.decrypting import Decryption
from pytest_pgrestore.sources.dump.one_moment import require_latest
from pytest_pgrestore.sources.dump.reading.moments import teller

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


def _taken_at(value: Any) -> Any:
    """Return the value if it says who tells a dump's moment.

    Raises:
        ValueError: It is no pattern that tells one.
    """
    try:
        teller(value, "taken_at")
    except ConfigError as exc:
        raise ValueError(_in_place(exc, "taken_at: ")) from None
    return value


def _decrypt(value: Any) -> Any:
    """Return the value if it is a command that shows no secret to other users.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        # Not the value itself: a secret may be in it.
        raise ValueError(
            "a list is expected, of a program and its arguments; "
            'write decrypt = ["gpg", "--decrypt"], for example.'
        )
    try:
        Decryption("", tuple(value))
    except ConfigError as exc:
        raise ValueError(_in_place(exc, "source : ")) from None
    return value


def _in_place(exc: ConfigError, prefix: str) -> str:
    return f"{exc.problem.removeprefix(prefix)}; {exc.hint}"


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
    taken_at: Annotated[str | None, BeforeValidator(_taken_at)] = None
    complete: Literal["unmarked"] | None = None
    decrypt: Annotated[list[str] | None, BeforeValidator(_decrypt)] = None
    secrets: dict[str, SecretText] = Field(default_factory=dict)
    max_statement_mb: Annotated[int, Field(ge=1)] = 256
    max_objects: Annotated[int, Field(ge=1)] = 500_000
    keep_free_mb: Annotated[int, Field(ge=0)] = 64

    def require_target(self, source: str, target: RecoveryTarget) -> None:
        """Refuse every target but latest; see the base class."""
        require_latest(source, target)
