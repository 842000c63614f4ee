"""What the runs of both kinds of sandboxes share: the directory, and what is derived from it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_pgrestore.sandboxes import confinement, watchdog
from pytest_pgrestore.sandboxes.base_sandbox import SOCKETS
from pytest_pgrestore.sandboxes.settings import SandboxSettings
from pytest_pgrestore.system.account import server_account

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.model.errors import HarnessError
    from pytest_pgrestore.sandboxes.confinement import Confinement
    from pytest_pgrestore.sandboxes.run_directory import RunDirectory

SettingsT = TypeVar("SettingsT", bound=SandboxSettings)


class BaseRun(Generic[SettingsT]):
    """One pytest run: its directory on this machine.

    Args:
        settings: How its sandboxes are set up.
        directory: The run's directory.
    """

    def __init__(self, settings: SettingsT, directory: RunDirectory) -> None:
        self.settings = settings
        self.directory = directory
        self.account = server_account(settings.user)

    @property
    def root(self) -> Path:
        """The run's directory on this machine."""
        return self.directory.root

    @property
    def scratch(self) -> Path:
        """Directory of ours that every program and tool can read at the same path."""
        return self.root / "scratch"

    @property
    def removed_leftovers(self) -> list[str]:
        """What dead runs had left and this run removed."""
        return self.directory.removed_leftovers

    @property
    def timeout_seconds(self) -> float:
        """Deadline of one tool or one wait."""
        return self.settings.timeout_seconds

    @cached_property
    def confinement(self) -> Confinement:
        """What confines processes of this machine.

        Raises:
            HarnessError: The settings require some, and there is none.
        """
        return confinement.choose(self.settings.confine, self.account)

    def time_limit_error(self) -> HarnessError | None:
        """Return the error if the run's time limit has passed and its copies were removed."""
        return self.directory.time_limit_error()

    def drill_root(self, drill_key: str) -> Path:
        """Return the directory of a drill on this machine, whether it exists or not."""
        return self.directory.drill(drill_key)

    def _keep(self, drill_key: str, limit: str = "") -> str:
        """Mark the drill as kept; return how to connect to its server and how to remove it.

        Args:
            drill_key: Of the drill.
            limit: When the server ends by itself, as a part of the sentence.
        """
        root = self.drill_root(drill_key)
        (root / watchdog.KEEP).write_text("")
        who = f"as {self.account.name} or root: " if self.account.drop else ""
        connect = f"{who}psql -h {root / SOCKETS} -d postgres"
        return f"{connect};{limit} remove it with: pgrestore clean {root}"
