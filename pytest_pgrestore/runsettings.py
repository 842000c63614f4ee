"""The settings of one pytest run: flags, environment, ini and file brought together, read when first needed."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.configfile import find_config
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.options import DEFAULT_REPORT_DIRECTORY, SETTINGS, Given, resolve
from pytest_pgrestore.suggest import known_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.config import Config
    from pytest_pgrestore.recovery.attempt import DrillSettings
    from pytest_pgrestore.sandboxes.docker.settings import DockerSettings
    from pytest_pgrestore.sandboxes.run import LocalSettings
    from pytest_pgrestore.scrubbing import Scrubber
    from pytest_pgrestore.sources.protocol import LogicalSource, PhysicalSource
    from pytest_pgrestore.sourcetables import SourceTable


class RunSettings:
    """Answers what was set, wherever it was set.

    Args:
        config: pytest's.
        environ: The environment of this process.
    """

    def __init__(self, config: pytest.Config, environ: Mapping[str, str]) -> None:
        self._config = config
        self._environ = environ

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
        return self.path is not None or any(self._config.getoption(setting.key) is not None for setting in SETTINGS)

    @cached_property
    def planning(self) -> bool:
        """Whether plans are wanted and nothing else."""
        return self.asked_for and bool(resolve(self._config, self._environ, only=("plan",))["plan"])

    @cached_property
    def given(self) -> Given:
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
        from pytest_pgrestore.config import Config, load_config
        from pytest_pgrestore.extending import runtimes, source_types

        if self.path is None:
            return Config()
        try:
            return load_config(
                self.path,
                self._environ,
                tables={kind: added.table for kind, added in source_types(self._config).items()},
                runtimes=tuple(runtimes(self._config)),
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
        from pytest_pgrestore.extending import runtimes

        name = str(self.given.or_default("runtime", self.file.sandbox.runtime))
        known = runtimes(self._config)
        if name not in known:
            raise pytest.UsageError(f"unknown runtime {name!r}\nHINT: {known_names(name, known)}")
        return name

    def docker(self) -> DockerSettings:
        """Return how the docker sandbox is set up."""
        from pytest_pgrestore.sandboxes.docker.settings import DEFAULT_BASE, DockerSettings

        table = self.file.sandbox
        local = self.local()
        return DockerSettings(
            image=self.given.or_default("image", table.image),
            base=str(self.given.or_default("base", table.base) or DEFAULT_BASE),
            packages=tuple(table.packages),
            locales=tuple(table.locales),
            pull=table.pull,
            build_network=table.build_network,
            storage=self.given.or_default("storage", table.storage),
            reach=table.reach,
            memory=table.memory,
            cpus=table.cpus,
            processes=table.processes,
            shm_size=table.shm_size,
            ryuk=table.ryuk,
            tool_network=table.tool_network,
            directory=local.directory,
            user=local.user,
            timeout_seconds=local.timeout_seconds,
            time_limit_seconds=local.time_limit_seconds,
        )

    @cached_property
    def scrubber(self) -> Scrubber:
        """What strikes the secrets this run knows: connection strings of the settings file, and PGPASSWORD."""
        from pytest_pgrestore.model.secret import Secret
        from pytest_pgrestore.scrubbing import Scrubber, passwords_in

        found = [self._environ.get("PGPASSWORD", "")]
        for table in self.sources.values():
            for _, value in table:
                found += passwords_in(value) if isinstance(value, Secret) else []
                entries = value.values() if isinstance(value, dict) else ()
                found += [entry.reveal() for entry in entries if isinstance(entry, Secret)]
        return Scrubber(found)

    def local(self) -> LocalSettings:
        """Return how the local sandbox is set up."""
        from pytest_pgrestore.sandboxes.run import LocalSettings

        bindir = self.given.or_default("bindir", self.file.sandbox.bindir)
        directory = self.given.or_default("sandbox_directory", self.file.sandbox.directory)
        return LocalSettings(
            bindir=None if bindir is None else Path(bindir),
            directory=None if directory is None else Path(directory),
            user=self.file.sandbox.user,
            timeout_seconds=self.timeout_seconds,
            time_limit_seconds=self.given.or_default("time_limit", self.file.sandbox.time_limit).total_seconds(),
        )

    def source(self, name: str) -> LogicalSource | PhysicalSource:
        """Return the source called `name`."""
        from pytest_pgrestore.extending import source_types

        table = self.sources[name]
        return source_types(self._config)[table.type].make(name, table, self.timeout_seconds)

    def drill_settings(self, name: str) -> DrillSettings:
        """Return what source `name` says about its drills."""
        from pytest_pgrestore.recovery.attempt import DrillSettings

        table = self.sources[name]
        return DrillSettings(
            database=table.database,
            freshness=table.freshness,
            live=table.live,
            superuser=table.superuser,
            timeout_seconds=self.timeout_seconds,
        )
