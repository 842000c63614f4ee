"""Reads ``pgrestore.toml``, or ``[tool.pgrestore]`` in pyproject.toml, into frozen values.

Imports pydantic; therefore imported inside functions only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from pytest_pgrestore.model.errors import MistakesError
from pytest_pgrestore.model.sandbox_choice import Confine, ConnectBy, Storage
from pytest_pgrestore.settings.file_content import read_content
from pytest_pgrestore.settings.inventory_table import InventoryTable
from pytest_pgrestore.settings.notice_tables import MetricsTable, NotifyTable
from pytest_pgrestore.settings.paths import absolute, empty_paths
from pytest_pgrestore.settings.source_tables import SourceTable
from pytest_pgrestore.settings.suggest import known_names
from pytest_pgrestore.settings.toml import Duration, Margin, Table, read_table
from pytest_pgrestore.settings.variables import fill_in, without_consequences

if TYPE_CHECKING:
    from collections.abc import Collection

_SIZE = r"^[1-9][0-9]*[kmg]$"
"""Sizes as ``docker run --memory`` takes them."""

_SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class SandboxTable(Table):
    """``[sandbox]``: where the throwaway server runs."""

    renamed: ClassVar[Mapping[str, str]] = {
        "base": "base_image",
        "processes": "pids_limit",
        "reach": "connect_by",
        "time_limit": "max_lifetime",
    }

    runtime: str | None = None
    bindir: str | None = None
    directory: str | None = None
    user: str | None = None
    timeout: Duration | None = None
    image: str | None = None
    base_image: str | None = None
    packages: list[str] = Field(default_factory=list)
    locales: list[str] = Field(default_factory=list)
    pull: bool = True
    build_network: str | None = None
    storage: Storage | None = None
    connect_by: ConnectBy = "socket"
    memory: Annotated[str, Field(pattern=_SIZE)] | None = None
    cpus: Annotated[float, Field(gt=0)] | None = None
    pids_limit: Annotated[int, Field(ge=64)] = 1024
    shm_size: Annotated[str, Field(pattern=_SIZE)] = "256m"
    ryuk: bool = False
    tool_network: str = "bridge"
    max_lifetime: Duration | None = None
    confine: Confine | None = None


class ReportsTable(Table):
    """``[reports]``: where they are written to."""

    directory: str | None = None


class HistoryTable(Table):
    """``[history]``: the record of all runs."""

    place: str | None = None
    slower_than_usual: Margin = 0.5
    slower_severity: Literal["error", "warn"] = "warn"
    coverage_days: Annotated[int, Field(ge=1)] = 30


RUNTIMES = ("docker", "local")
"""Our own types of sandboxes."""

_TOP_KEYS = ("sources", "sandbox", "reports", "history", "inventory", "notify", "metrics")

_NOTICES = ("notify", "metrics")
"""Tables that say who is told about a run."""


class _Anything(dict[str, str]):
    """Variables, with an address for each one that is not set, or is empty."""

    def __contains__(self, _name: object) -> bool:
        return True

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name) or default or "https://not-set.invalid/"


@dataclass(frozen=True, slots=True)
class Config:
    """The content of the settings file; empty if there is none.

    Attributes:
        path: Of the file.
        sources: By name, the copies of sources too, as ``NAME.COPY``.
        sandbox: Where the throwaway server runs.
        reports: Where they are written to.
        history: Where it is.
        inventory: What should be backed up.
        notify: Who is told.
        metrics: Where figures go to.
    """

    path: Path | None = None
    sources: Mapping[str, SourceTable] = field(default_factory=dict)
    sandbox: SandboxTable = field(default_factory=SandboxTable)
    reports: ReportsTable = field(default_factory=ReportsTable)
    history: HistoryTable = field(default_factory=HistoryTable)
    inventory: InventoryTable = field(default_factory=InventoryTable)
    notify: NotifyTable = field(default_factory=NotifyTable)
    metrics: MetricsTable = field(default_factory=MetricsTable)


def load_config(
    path: Path,
    environ: Mapping[str, str],
    *,
    tables: Mapping[str, type[SourceTable]],
    runtimes: Collection[str] = RUNTIMES,
    notices: bool = True,
) -> Config:
    """Return the settings in the file at `path`, with absolute paths and variables filled in.

    Args:
        path: The file.
        environ: Has the variables that the file names.
        tables: The known types of sources.
        runtimes: The known types of sandboxes.
        notices: Whether anybody is told. If not, the variables of those tables need not be set:
            they hold secrets, and are set on the machine of the schedule alone.

    Raises:
        MistakesError: With every mistake in the file at once.
    """
    mistakes: list[str] = []
    document = _document(path, environ, mistakes, notices=notices)
    mistakes += [
        f"{key}: unknown key\nHINT: {known_names(key, _TOP_KEYS)}"
        for key in document
        if key not in _TOP_KEYS
    ]
    sources = _read_sources(document.get("sources", {}), tables, mistakes)
    sandbox = read_table(SandboxTable, document.get("sandbox", {}), "sandbox", mistakes)
    if sandbox is not None and sandbox.runtime not in (None, *runtimes):
        hint = known_names(sandbox.runtime or "", runtimes)
        mistakes.append(f"sandbox.runtime: unknown runtime\nHINT: {hint}")
    reports = read_table(ReportsTable, document.get("reports", {}), "reports", mistakes)
    history = read_table(HistoryTable, document.get("history", {}), "history", mistakes)
    inventory = read_table(InventoryTable, document.get("inventory", {}), "inventory", mistakes)
    notify = read_table(NotifyTable, document.get("notify", {}), "notify", mistakes)
    metrics = read_table(MetricsTable, document.get("metrics", {}), "metrics", mistakes)
    mistakes = without_consequences(mistakes)
    if mistakes or not (sandbox and reports and history and inventory and notify and metrics):
        count = "one mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise MistakesError(f"{path} has {count}:\n" + "\n".join(mistakes))
    if not notices:
        notify, metrics = NotifyTable(), MetricsTable()
    return Config(path, sources, sandbox, reports, history, inventory, notify, metrics)


def _document(
    path: Path, environ: Mapping[str, str], mistakes: list[str], *, notices: bool
) -> dict[str, Any]:
    """Return the content of the file, with absolute paths and variables filled in."""
    content = read_content(path)
    told = {} if notices else {key: content.pop(key) for key in _NOTICES if key in content}
    document = fill_in(content, environ, mistakes)
    document |= fill_in(told, _Anything(environ), mistakes)
    if not mistakes:  # a variable that is not set leaves an empty text
        mistakes += [
            f"{place}: an empty path\nHINT: write where it is, or leave the key out."
            for place in empty_paths(document)
        ]
    found: dict[str, Any] = absolute(document, path.parent.absolute())
    return found


def _read_sources(
    given: Any, types: Mapping[str, type[SourceTable]], mistakes: list[str]
) -> dict[str, SourceTable]:
    """Return the sources and their copies by name; mistakes are added to the list."""
    if not isinstance(given, dict):
        mistakes.append(
            "sources: a table is expected here\nHINT: write [sources.NAME] and keys below it."
        )
        return {}
    found = {}
    for name, table in given.items():
        where = f"sources.{name}"
        if _SOURCE_NAME.fullmatch(name) is None:
            mistakes.append(
                f"{where}: not a name\nHINT: use letters, digits, dots, dashes and underscores."
            )
            continue
        model = _model_of(table, where, types, mistakes)
        source = None if model is None else read_table(model, table, where, mistakes)
        if model is None or source is None:
            continue
        found[name] = source
        for copy, changes in source.copies.items():
            there = f"{where}.copies.{copy}"
            if _SOURCE_NAME.fullmatch(copy) is None or f"{name}.{copy}" in given:
                mistakes.append(
                    f"{there}: not a name\nHINT: use letters, digits and dashes, and no name twice."
                )
                continue
            other = read_table(model, {**table, **changes, "copies": {}}, there, mistakes)
            if other is not None:
                found[f"{name}.{copy}"] = other
    return found


def _model_of(
    table: Any, where: str, types: Mapping[str, type[SourceTable]], mistakes: list[str]
) -> type[SourceTable] | None:
    """Return the keys of a source's type; None, and a mistake, if there is no such type."""
    if not isinstance(table, dict):
        return SourceTable  # which reports that a table is expected
    kind = table.get("type")
    if isinstance(kind, str) and kind in types:
        return types[kind]
    problem = "missing" if kind is None else "unknown type of source"
    mistakes.append(f"{where}.type: {problem}\nHINT: {known_names(str(kind), types)}")
    return None
