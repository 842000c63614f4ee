"""``pgrestore.toml`` or ``[tool.pgrestore]`` in pyproject.toml: sources, sandbox, reports, as frozen values.

Imports pydantic, and is therefore imported inside functions only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.suggest import known_names
from pytest_pgrestore.toml import Duration, Table, read_table, read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE = re.compile(r"\$(\$\{[^}]*\}?)|\$\{([^}]*)\}")
_SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def _secret(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("a text is expected; write it in quotes.")  # noqa: TRY004 - pydantic collects ValueError only
    return Secret(value)


def _runtime(value: Any) -> Any:
    if value == "docker":
        raise ValueError('runtime "docker" is not in this version; write runtime = "local".')
    return value


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


class SandboxTable(Table):
    """``[sandbox]``: the throwaway place PostgreSQL runs in."""

    runtime: Annotated[Literal["local"], BeforeValidator(_runtime)] = "local"
    bindir: str | None = None
    directory: str | None = None
    user: str | None = None
    timeout: Duration | None = None
    time_limit: Duration | None = None


class ReportsTable(Table):
    """``[reports]``: where they go."""

    directory: str | None = None


SOURCE_TABLES: dict[str, type[SourceTable]] = {"dump": DumpTable, "basebackup": BasebackupTable}
_PATH_KEYS = frozenset({"path", "globals", "schema_file", "wal", "bindir", "directory"})
_TOP_KEYS = ("sources", "sandbox", "reports")


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says; empty where there is none."""

    path: Path | None = None
    sources: Mapping[str, SourceTable] = field(default_factory=dict)
    sandbox: SandboxTable = field(default_factory=SandboxTable)
    reports: ReportsTable = field(default_factory=ReportsTable)


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """Return the settings in the file at `path`, paths made absolute, variables filled in.

    Raises:
        ConfigError: With every mistake in the file at once.
    """
    document = read_toml(path)
    if path.name == "pyproject.toml":
        document = document.get("tool", {}).get("pgrestore", {})
    mistakes: list[str] = []
    document = _expand(document, "", environ, mistakes)
    mistakes += [f"{key}: unknown key\nHINT: {known_names(key, _TOP_KEYS)}" for key in document if key not in _TOP_KEYS]
    document = _absolute(document, path.parent.absolute())
    sources = _read_sources(document.get("sources", {}), mistakes)
    sandbox = read_table(SandboxTable, document.get("sandbox", {}), "sandbox", mistakes)
    reports = read_table(ReportsTable, document.get("reports", {}), "reports", mistakes)
    if mistakes or sandbox is None or reports is None:
        raise ConfigError(
            f"{path} has {_count(mistakes)}:\n" + "\n".join(mistakes),
            hint="docs/configuration.md lists every key.",
        )
    return Config(path, sources, sandbox, reports)


def _count(mistakes: list[str]) -> str:
    return "one mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"


def _read_sources(tables: Any, mistakes: list[str]) -> dict[str, SourceTable]:
    if not isinstance(tables, dict):
        mistakes.append("sources: a table is expected here\nHINT: write [sources.NAME] and keys below it.")
        return {}
    found = {}
    for name, table in tables.items():
        where = f"sources.{name}"
        if _SOURCE_NAME.fullmatch(name) is None:
            mistakes.append(f"{where}: not a name\nHINT: use letters, digits, dots, dashes and underscores.")
            continue
        kind = table.get("type") if isinstance(table, dict) else None
        if isinstance(table, dict) and kind not in SOURCE_TABLES:
            problem = "missing" if kind is None else "unknown type of source"
            mistakes.append(f"{where}.type: {problem}\nHINT: {known_names(str(kind), SOURCE_TABLES)}")
            continue
        source = read_table(SOURCE_TABLES.get(str(kind), SourceTable), table, where, mistakes)
        if source is not None:
            found[name] = source
    return found


def _expand(value: Any, where: str, environ: Mapping[str, str], mistakes: list[str]) -> Any:
    """Return `value` with every ``${NAME}`` in its texts replaced by the variable of that name; ``$${`` stays."""
    match value:
        case dict():
            return {
                key: _expand(entry, f"{where}.{key}" if where else key, environ, mistakes)
                for key, entry in value.items()
            }
        case list():
            return [_expand(entry, where, environ, mistakes) for entry in value]
        case str():
            return _VARIABLE.sub(lambda found: found[1] or _variable(found[2], where, environ, mistakes), value)
    return value


def _variable(name: str, where: str, environ: Mapping[str, str], mistakes: list[str]) -> str:
    if name not in environ:
        mistakes.append(
            f"{where}: environment variable {name} is not set\nHINT: set it, or write $${{ for a literal ${{."
        )
    return environ.get(name, "")


def _absolute(value: Any, base: Path) -> Any:
    """Return `value` with the texts under path keys made absolute from the directory of the file."""
    if not isinstance(value, dict):
        return value
    return {
        key: str(base / Path(entry).expanduser())
        if key in _PATH_KEYS and isinstance(entry, str)
        else _absolute(entry, base)
        for key, entry in value.items()
    }
