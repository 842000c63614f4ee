"""One pytest run in the `local` sandbox: its directory, its programs, its drills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.sandboxes import run_directory, watchdog
from pytest_pgrestore.sandboxes.host_tool_runner import HostToolRunner
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

    from pytest_pgrestore.model.errors import HarnessError
    from pytest_pgrestore.model.evidence import Teardown
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms, ToolRequirements


class LocalRun:
    """Implements `sandboxes.protocol.Run` with processes. Make it with `open`, or `join` another process's."""

    def __init__(self, settings: LocalSettings, directory: RunDirectory) -> None:
        self.settings = settings
        self.directory = directory
        self.account = server_account(settings.user)
        self._cut: bool | None = None
        self._sandboxes: dict[str, LocalSandbox] = {}

    @classmethod
    def open(cls, settings: LocalSettings, run_id: str) -> LocalRun:
        """Make the run's directory, sweep what dead runs left, and start the watchdog.

        Raises:
            HarnessError: The place cannot be written, or belongs to somebody else.
        """
        account = server_account(settings.user)
        return cls(
            settings,
            RunDirectory.open(settings.directory, account, run_id, settings.max_lifetime_seconds),
        )

    @classmethod
    def join(cls, settings: LocalSettings, root: Path) -> LocalRun:
        """Take part in the run whose directory is `root`."""
        return cls(settings, RunDirectory.join(root, settings.max_lifetime_seconds))

    @property
    def root(self) -> Path:
        """The run's directory."""
        return self.directory.root

    @property
    def removed_leftovers(self) -> list[str]:
        """What dead runs had left."""
        return self.directory.removed_leftovers

    @property
    def timeout_seconds(self) -> float:
        """Deadline of one tool or one wait."""
        return self.settings.timeout_seconds

    def find_programs(
        self,
        major: int | None,
        *,
        at_least: bool = False,
        reads: Sequence[Path] = (),  # noqa: ARG002 - everything here is within reach
        requirements: ToolRequirements | None = None,  # noqa: ARG002 - what runs beside them is on this machine too
    ) -> LocalPrograms:
        """Return PostgreSQL's programs for `major` (None: the newest), runnable by the server's user."""
        if at_least and major is not None:
            found = find_programs.choose_at_least(major, self.settings.bindir)
        else:
            found = find_programs.choose(major, self.settings.bindir)
        usable = reachable_installation(found, self.account, self.root / "programs")
        return LocalPrograms(usable, self.account, self.settings.timeout_seconds, self.root)

    def tool_runner(self, requirements: ToolRequirements, major: int | None) -> HostToolRunner:  # noqa: ARG002 - one machine, one tool
        """Return where a backup tool runs that only reads."""
        return HostToolRunner(requirements, self.root, self.settings.timeout_seconds)

    def sandbox(
        self,
        drill_key: str,
        programs: PostgresPrograms,
        needed_bytes: int | None = None,
        reads: Sequence[Path] = (),  # noqa: ARG002 - everything here is within reach
    ) -> LocalSandbox:
        """Return a fresh sandbox for one drill; `programs` are those of `find_programs`.

        Raises:
            HarnessError: The disk has no room for `needed_bytes`, or the run's time is over.
        """
        self.directory.require_time()
        self.directory.require_room(self.root, needed_bytes)
        own = (
            programs if isinstance(programs, LocalPrograms) else self.find_programs(programs.major)
        )
        made = LocalSandbox(self.drill_root(drill_key), own, cut=self.cut)
        made.create()
        self._sandboxes[drill_key] = made
        return made

    def time_limit_error(self) -> HarnessError | None:
        """Return what to tell when the run's time limit has passed and its copies were removed; None before."""
        return self.directory.time_limit_error()

    @property
    def cut(self) -> bool:
        """Whether servers get a network namespace of their own here."""
        if self._cut is None:
            self._cut = network.can_be_cut(self.account)
        return self._cut

    def close_drill(self, drill_key: str) -> Teardown:
        """Stop the drill's server, remove its directory, and prove it; from any process of the run."""
        ours = self._sandboxes.pop(drill_key, None)
        sandbox = ours or LocalSandbox(
            self.drill_root(drill_key), self.find_programs(None), cut=False
        )
        return sandbox.close()

    def note_state(self, drill_key: str) -> str | None:  # noqa: ARG002 - a process leaves nothing but its log
        """Return None: of a process of this machine nothing more is known than its status."""
        return None

    def keep_drill(self, drill_key: str) -> str:
        """Leave the drill's server running after the run; return how to connect and how to remove it."""
        root = self.drill_root(drill_key)
        (root / watchdog.KEEP).write_text("")
        if drill_key in self._sandboxes:
            self._sandboxes.pop(drill_key).let_go()
        who = f"as {self.account.name} or root: " if self.account.drop else ""
        return f"{who}psql -h {root / 's'} -d postgres; remove it with: pgrestore clean {root}"

    def close(self) -> list[str]:
        """Remove everything that is left and not kept; return what could not be removed."""
        for key in list(self._sandboxes):
            self.close_drill(key)
        return self.directory.close()

    def drill_root(self, drill_key: str) -> Path:
        """Return the directory of a drill, whether it is there or not; its logs are in ``logs``."""
        return self.directory.drill(drill_key)


def sweep(settings: LocalSettings, *, kept: bool = False) -> list[str]:
    """Remove what runs left whose processes are all gone; return what was removed.

    Args:
        settings: Where to look.
        kept: Remove kept instances too.
    """
    return run_directory.sweep(settings.directory, server_account(settings.user), kept=kept)
