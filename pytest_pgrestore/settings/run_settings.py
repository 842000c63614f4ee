"""The settings of one pytest run: flags, environment, ini and file together, read on first use."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.model.drill import DrillSettings
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.find_file import find_config, find_unread
from pytest_pgrestore.settings.listing import is_listing
from pytest_pgrestore.settings.options import DEFAULT_REPORT_DIRECTORY
from pytest_pgrestore.settings.resolve import ExplicitSettings, is_flag_given, resolve
from pytest_pgrestore.settings.suggest import known_names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pytest_pgrestore.settings.read_file import Config
    from pytest_pgrestore.settings.source_tables import SourceTable


@dataclass(frozen=True, slots=True)
class KnownKinds:
    """The types of sources and of sandboxes that a settings file may name.

    Attributes:
        tables: The keys of each type of source, by its name.
        runtimes: Names of the types of sandboxes.
    """

    tables: Mapping[str, type[SourceTable]]
    runtimes: Collection[str]


class RunSettings:
    """Every setting of a run, wherever it was given.

    Args:
        config: pytest's.
        environ: The environment of this process.
        known: Returns the known types of sources and sandboxes; called when the file is read.
    """

    def __init__(
        self, config: pytest.Config, environ: Mapping[str, str], known: Callable[[], KnownKinds]
    ) -> None:
        self._config = config
        self._environ = environ
        self._known = known

    @cached_property
    def path(self) -> Path | None:
        """The settings file; None if there is none.

        Raises:
            pytest.UsageError: The file the user named does not exist.
        """
        given = resolve(self._config, self._environ, only=("config",))["config"]
        try:
            return find_config(given, (self._config.invocation_params.dir, self._config.rootpath))
        except ConfigError as exc:
            raise pytest.UsageError(str(exc)) from None

    def require_read(self, directory: Path) -> None:
        """Refuse a settings file beside tests that do not run with it.

        Args:
            directory: Of tests that ask for a drill.

        Raises:
            ConfigError: There is one, and the user named no other.
        """
        root = self._config.rootpath
        if resolve(self._config, self._environ, only=("config",))["config"] is not None:
            return
        unread = find_unread(directory, root, self.path)
        if unread is None:
            return
        where = "settings are looked for where pytest is started and in its rootdir"
        name_it = f"name the one that counts: --pgrestore-config={unread}."
        if self.path is None:
            raise ConfigError(
                f"{unread} is not read: {where}",
                hint=f"move it to {root}, start pytest in {unread.parent}, or {name_it}",
            )
        raise ConfigError(f"{unread} is not read, {self.path} is: {where}", hint=name_it)

    @property
    def asked_for(self) -> bool:
        """Whether this is a run of drills: it has a settings file, or a flag of ours was given."""
        return self.path is not None or is_flag_given(self._config)

    @cached_property
    def planning(self) -> bool:
        """Whether the run prints plans, and restores nothing."""
        return self.asked_for and bool(resolve(self._config, self._environ, only=("plan",))["plan"])

    @cached_property
    def lists_only(self) -> bool:
        """Whether the run restores nothing and leaves the reports of the last run alone."""
        return self.is_listing or self.planning

    @property
    def is_listing(self) -> bool:
        """Whether pytest itself only lists something."""
        return is_listing(self._config)

    def early_report_directory(self) -> Path:
        """Return `report_directory` without reading the other settings.

        Types of sources are not all known yet, and what is wrong with the file is told later.
        """
        from pytest_pgrestore.settings.file_content import report_directory_in

        found: Path | None = None
        with suppress(pytest.UsageError):
            found = resolve(self._config, self._environ, only=("report_dir",))["report_dir"]
            if found is None and self.path is not None:
                found = report_directory_in(self.path, self._environ)
        return self._config.rootpath / DEFAULT_REPORT_DIRECTORY if found is None else found

    def other_report_directories(self) -> list[Path]:
        """Return where the last run may have reported, if the settings file cannot be read."""
        from pytest_pgrestore.settings.file_content import directories_named_in, is_readable
        from pytest_pgrestore.settings.find_file import candidates

        try:
            if resolve(self._config, self._environ, only=("report_dir",))["report_dir"] is not None:
                return []
            if self.path is None or is_readable(self.path):
                return []
            files = [self.path]
        except pytest.UsageError:
            files = [*candidates((self._config.invocation_params.dir, self._config.rootpath))]
        return [found for file in files for found in directories_named_in(file, self._environ)]

    @cached_property
    def given(self) -> ExplicitSettings:
        """The values of flags, environment and ini.

        Raises:
            pytest.UsageError: With every mistake at once.
        """
        return resolve(self._config, self._environ)

    @cached_property
    def file(self) -> Config:
        """The content of the settings file; empty if there is none.

        Raises:
            pytest.UsageError: With every mistake at once.
        """
        from pytest_pgrestore.settings.read_file import Config, load_config

        if self.path is None:
            return Config()
        try:
            known = self._known()
            return load_config(
                self.path,
                self._environ,
                tables=known.tables,
                runtimes=known.runtimes,
                notices=self.tells,
            )
        except ConfigError as exc:
            raise pytest.UsageError(str(exc)) from None

    def check(self, refusal: str = "") -> None:
        """Read all settings.

        Args:
            refusal: What else is wrong in a run that must drill; "" if nothing is.

        Raises:
            pytest.UsageError: With the mistakes of flags and file together.
        """
        mistakes = []
        for read in (lambda: self.given, lambda: self.file, lambda: self.runtime):
            try:
                read()
            except pytest.UsageError as exc:
                mistakes += [] if str(exc) in mistakes else [str(exc)]
        if refusal and (mistakes or self.switch("strict")):
            mistakes.append(refusal)
        if mistakes:
            raise pytest.UsageError("\n".join(mistakes))

    @property
    def sources(self) -> Mapping[str, SourceTable]:
        """The sources by name."""
        return self.file.sources

    @property
    def timeout_seconds(self) -> float:
        """Deadline of each tool and each wait."""
        return float(self.given.or_default("timeout", self.file.sandbox.timeout).total_seconds())

    @property
    def report_directory(self) -> Path:
        """Directory the reports are written to."""
        found = self.given.or_default("report_dir", self.file.reports.directory)
        return self._config.rootpath / DEFAULT_REPORT_DIRECTORY if found is None else Path(found)

    @property
    def history(self) -> str | None:
        """Where each run adds a file: a path or a URL; None is nowhere."""
        found = self.given.or_default("history", self.file.history.place)
        return None if found is None else str(found)

    @property
    def tells(self) -> bool:
        """Whether others are told about this run: not about one that restores nothing."""
        told = resolve(self._config, self._environ, only=("notify",)).or_default("notify")
        return bool(told) and not self.lists_only

    def switch(self, name: str) -> bool:
        """Return whether switch `name` is on."""
        return bool(self.given.or_default(name))

    @property
    def runtime(self) -> str:
        """Name of the type of sandbox the drills run in.

        Raises:
            pytest.UsageError: There is none of that name.
        """
        name = str(self.given.or_default("runtime", self.file.sandbox.runtime))
        known = self._known().runtimes
        if name not in known:
            raise pytest.UsageError(f"unknown runtime {name!r}\nHINT: {known_names(name, known)}")
        return name

    def drill_settings(self, name: str) -> DrillSettings:
        """Return the settings that source `name` has for its drills."""
        table = self.sources[name]
        return DrillSettings(
            database=table.database,
            freshness=table.freshness,
            live_conninfo=table.live_conninfo,
            superuser=table.superuser,
            timeout_seconds=self.timeout_seconds,
        )
