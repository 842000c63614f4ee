"""One pytest run in the `local` sandbox: its directory, its programs, its drills."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_pgrestore.sandboxes import run_directory
from pytest_pgrestore.sandboxes.base_run import BaseRun
from pytest_pgrestore.sandboxes.host_tool_runner import HostToolRunner
from pytest_pgrestore.sandboxes.installation import require_supported
from pytest_pgrestore.sandboxes.local import find_programs
from pytest_pgrestore.sandboxes.local.programs import LocalPrograms, reachable_installation
from pytest_pgrestore.sandboxes.local.sandbox import LocalSandbox
from pytest_pgrestore.sandboxes.run_directory import RunDirectory
from pytest_pgrestore.sandboxes.settings import LocalSettings
from pytest_pgrestore.system import network
from pytest_pgrestore.system.account import server_account

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    from pytest_pgrestore.model.evidence import Teardown
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms, ToolRequirements


class LocalRun(BaseRun[LocalSettings]):
    """Implements `sandboxes.protocol.Run` with processes.

    Make it with `open`, or `join` the run of another process.
    """

    def __init__(self, settings: LocalSettings, directory: RunDirectory) -> None:
        super().__init__(settings, directory)
        self._cut: bool | None = None
        self._sandboxes: dict[str, LocalSandbox] = {}

    @classmethod
    def open(cls, settings: LocalSettings, run_id: str) -> Self:
        """Make the run's directory, remove what dead runs left, and start the watchdog.

        Raises:
            HarnessError: The place cannot be written, or belongs to another user.
        """
        return cls(settings, RunDirectory.open(settings, run_id))

    @classmethod
    def join(cls, settings: LocalSettings, root: Path) -> Self:
        """Take part in the run whose directory is `root`."""
        return cls(settings, RunDirectory.join(settings, root))

    def find_programs(
        self,
        major: int | None,
        *,
        at_least: bool = False,
        reads: Sequence[Path] = (),
        requirements: ToolRequirements | None = None,  # noqa: ARG002 - tools are on this machine
    ) -> LocalPrograms:
        """Return PostgreSQL's programs for `major`, which the server's user can run."""
        if at_least and major is not None:
            found = find_programs.choose_at_least(major, self.settings.bindir)
        else:
            found = find_programs.choose(major, self.settings.bindir)
        require_supported(found, str(found.directory))
        usable = reachable_installation(found, self.account, self.root / "programs")
        return LocalPrograms(
            usable,
            self.account,
            self.timeout_seconds,
            self.root,
            confinement=self.confinement,
            reads=tuple(reads),
        )

    def tool_runner(
        self,
        requirements: ToolRequirements,
        major: int | None,  # noqa: ARG002 - this machine has one version of a tool
    ) -> HostToolRunner:
        """Return where a backup tool runs that only reads."""
        return HostToolRunner(requirements, self.root, self.timeout_seconds, self.confinement)

    def sandbox(
        self,
        drill_key: str,
        programs: PostgresPrograms,
        needed_bytes: int | None = None,
        reads: Sequence[Path] = (),
    ) -> LocalSandbox:
        """Return a fresh sandbox for one drill; `programs` come from `find_programs`.

        Raises:
            HarnessError: The disk has no room for `needed_bytes`, or the run's time is over.
        """
        self.directory.require_time()
        self.directory.require_room(self.root, needed_bytes)
        own = (
            programs if isinstance(programs, LocalPrograms) else self.find_programs(programs.major)
        )
        own = replace(own, reads=(*own.reads, *reads))
        made = LocalSandbox(self.drill_root(drill_key), own, cut=self.cut)
        made.create()
        self._sandboxes[drill_key] = made
        return made

    @property
    def cut(self) -> bool:
        """Whether servers get a network namespace of their own here."""
        if self._cut is None:
            self._cut = network.can_be_cut(self.account)
        return self._cut

    def close_drill(self, drill_key: str) -> Teardown:
        """Stop the drill's server, remove its directory, and prove it.

        Any process of the run may call this.
        """
        sandbox = self._sandboxes.pop(drill_key, None)
        if sandbox is None:
            sandbox = LocalSandbox(self.drill_root(drill_key), self.find_programs(None), cut=False)
        return sandbox.close()

    def note_state(self, drill_key: str) -> str | None:  # noqa: ARG002 - the log is all there is
        """Return None: the system keeps nothing of a process but its exit status."""
        return None

    def keep_drill(self, drill_key: str) -> str:
        """Leave the drill's server running; return how to connect and how to remove it."""
        how = self._keep(drill_key)
        if drill_key in self._sandboxes:
            self._sandboxes.pop(drill_key).let_go()
        return how

    def close(self) -> list[str]:
        """Remove everything that is left and not kept; return what could not be removed."""
        for key in list(self._sandboxes):
            self.close_drill(key)
        return self.directory.close()


def sweep(settings: LocalSettings, *, kept: bool = False) -> list[str]:
    """Remove what runs left whose processes are all gone; return what was removed.

    Args:
        settings: Where to search.
        kept: Remove kept instances too.
    """
    return run_directory.sweep(settings.directory, server_account(settings.user), kept=kept)
