"""The settings of one pytest run: flags, environment, ini and file brought together, read when first needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.model.drill import DrillSettings
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.find_file import find_config
from pytest_pgrestore.settings.options import (
    DEFAULT_REPORT_DIRECTORY,
    SETTINGS,
    ExplicitSettings,
    resolve,
)
from pytest_pgrestore.settings.suggest import known_names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pytest_pgrestore.settings.read_file import Config
    from pytest_pgrestore.settings.source_tables import SourceTable


@dataclass(frozen=True, slots=True)
class KnownKinds:
    """What a settings file may name.

    Attributes:
        tables: Types of sources, with their keys.
        runtimes: Kinds of sandboxes.
    """

    tables: Mapping[str, type[SourceTable]]
    runtimes: Collection[str]


class RunSettings:
    """Answers what was set, wherever it was set.

    Args:
        config: pytest's.
        environ: The environment of this process.
        known: Returns the types of sources and the runtimes there are; called when the settings file is read.
    """

    def __init__(
        self, config: pytest.Config, environ: Mapping[str, str], known: Callable[[], KnownKinds]
    ) -> None:
        self._config = config
        self._environ = environ
        self._known = known

    @cached_property
    def path(self) -> Path | None:
        """The file that holds the settings; None when there is none.

        Raises:
            pytest.UsageError: The file that was given is not there.
        """
        given = resolve(self._config, self._environ, only=("config",))["config"]
        try:
            return find_config(given, (self._config.invocation_params.dir, self._config.rootpath))
        except ConfigError as exc:
            raise pytest.UsageError(str(exc)) from None

    @property
    def asked_for(self) -> bool:
        """Whether this is a run of drills: a settings file lies here, or a flag of ours was given."""
        return self.path is not None or any(
            self._config.getoption(setting.key) is not None for setting in SETTINGS
        )

    @cached_property
    def planning(self) -> bool:
        """Whether plans are wanted and nothing else."""
        return self.asked_for and bool(resolve(self._config, self._environ, only=("plan",))["plan"])

    @cached_property
    def given(self) -> ExplicitSettings:
        """What flags, environment and ini say.

        Raises:
            pytest.UsageError: With every mistake at once.
        """
        return resolve(self._config, self._environ)

    @cached_property
    def file(self) -> Config:
        """What the file says; empty when there is none.

        Raises:
            pytest.UsageError: With every mistake at once.
        """
        from pytest_pgrestore.settings.read_file import Config, load_config

        if self.path is None:
            return Config()
        try:
            return load_config(
                self.path,
                self._environ,
                tables=self._known().tables,
                runtimes=self._known().runtimes,
            )
        except ConfigError as exc:
            raise pytest.UsageError(str(exc)) from None

    def check(self) -> None:
        """Read everything.

        Raises:
            pytest.UsageError: With the mistakes of flags and file together.
        """
        mistakes = []
        for name in ("given", "file", "runtime"):
            try:
                getattr(self, name)
            except pytest.UsageError as exc:
                mistakes.append(str(exc))
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
        """Where the reports go."""
        found = self.given.or_default("report_dir", self.file.reports.directory)
        return self._config.rootpath / DEFAULT_REPORT_DIRECTORY if found is None else Path(found)

    def switch(self, name: str) -> bool:
        """Return whether switch `name` is on."""
        return bool(self.given.or_default(name))

    @property
    def runtime(self) -> str:
        """Kind of sandbox the drills run in.

        Raises:
            pytest.UsageError: There is none of that name.
        """
        name = str(self.given.or_default("runtime", self.file.sandbox.runtime))
        known = self._known().runtimes
        if name not in known:
            raise pytest.UsageError(f"unknown runtime {name!r}\nHINT: {known_names(name, known)}")
        return name

    def drill_settings(self, name: str) -> DrillSettings:
        """Return what source `name` says about its drills."""
        table = self.sources[name]
        return DrillSettings(
            database=table.database,
            freshness=table.freshness,
            live_conninfo=table.live_conninfo,
            superuser=table.superuser,
            timeout_seconds=self.timeout_seconds,
        )
