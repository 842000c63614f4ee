"""The directory of one pytest run on this machine: shared by its processes, removed when the last one is gone."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.process import child_environment, spawn
from pytest_pgrestore.sandboxes import binaries, guardian, network
from pytest_pgrestore.sandboxes.account import Account, server_account
from pytest_pgrestore.sandboxes.local import LocalSandbox
from pytest_pgrestore.sandboxes.tools import LocalTools, reachable_binaries

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import Teardown

_SLUG_LENGTH = 12
_HEADROOM_BYTES = 64 * 1024 * 1024
"""Free space wanted beyond the estimate: server log, WAL written by the promotion."""

_HALF_MADE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """How the local sandbox is set up.

    Attributes:
        bindir: Directory of PostgreSQL's programs; None looks everywhere.
        directory: Where copies live while a drill runs; None is the system's temporary directory.
        user: Whom root drops to; None is nobody.
        timeout_seconds: Deadline of one tool or one wait.
        time_limit_seconds: How long copies may live, kept ones too; then the guardian removes them.
    """

    bindir: Path | None = None
    directory: Path | None = None
    user: str | None = None
    timeout_seconds: float = 3600.0
    time_limit_seconds: float = 12 * 3600.0


class LocalRun:
    """One run's directory. Make it with `open`, or `join` the one another process of the run made."""

    def __init__(self, settings: LocalSettings, root: Path, lock: IO[str]) -> None:
        self.settings = settings
        self.root = root
        self.account = server_account(settings.user)
        self.swept: list[str] = []
        self._lock = lock
        self._cut: bool | None = None
        self._guardian: subprocess.Popen[bytes] | None = None
        self._sandboxes: dict[str, LocalSandbox] = {}

    @classmethod
    def open(cls, settings: LocalSettings, run_id: str) -> LocalRun:
        """Make the directory, sweep what dead runs left, and start the guardian.

        Raises:
            HarnessError: The place cannot be written, or belongs to somebody else.
        """
        account = server_account(settings.user)
        base = _base(settings, account)
        mode = 0o711 if account.drop else 0o700
        unlocked = base / f".{run_id}"
        watcher = _start_guardian(base / run_id, settings.time_limit_seconds)
        unlocked.mkdir(mode=0o700)
        lock = (unlocked / guardian.LOCK).open("w")
        fcntl.flock(lock, fcntl.LOCK_SH)
        for folder in ("drills", "programs", "state"):
            (unlocked / folder).mkdir()
            (unlocked / folder).chmod(mode)
        (unlocked / guardian.UNTIL).write_text(str(time.time() + settings.time_limit_seconds))
        unlocked.chmod(mode)
        root = unlocked.rename(base / run_id)
        run = cls(settings, root, lock)
        run._guardian = watcher
        run.swept = sweep(settings)
        return run

    @classmethod
    def join(cls, settings: LocalSettings, root: Path) -> LocalRun:
        """Take part in the run whose directory is `root`."""
        lock = (root / guardian.LOCK).open()
        fcntl.flock(lock, fcntl.LOCK_SH)
        return cls(settings, root, lock)

    def find_tools(self, major: int | None, *, at_least: bool = False) -> LocalTools:
        """Return PostgreSQL's programs for `major` (None: the newest), runnable by the server's user.

        Args:
            major: Server major wanted.
            at_least: A newer major will do where this one is not installed: enough for a dump.

        Raises:
            HarnessError: There are none; every place looked at is named.
        """
        if at_least and major is not None:
            found = binaries.choose_at_least(major, self.settings.bindir)
        else:
            found = binaries.choose(major, self.settings.bindir)
        usable = reachable_binaries(found, self.account, self.root / "programs")
        return LocalTools(usable, self.account, self.settings.timeout_seconds, self.root)

    def sandbox(self, drill_key: str, tools: LocalTools, needed_bytes: int | None = None) -> LocalSandbox:
        """Return a fresh sandbox for one drill.

        Raises:
            HarnessError: The disk has no room for `needed_bytes`, or the run's time is over.
        """
        late = self.overdue()
        if late is not None:
            raise late
        free = shutil.disk_usage(self.root).free
        if needed_bytes is not None and free < needed_bytes + _HEADROOM_BYTES:
            raise HarnessError(
                f"the restore needs about {needed_bytes:,} bytes and {self.root} has {free:,} free",
                hint="free the disk or set sandbox.directory to a larger one.",
            )
        made = LocalSandbox(self.drill_root(drill_key), tools, cut=self.cut)
        made.create()
        self._sandboxes[drill_key] = made
        return made

    def overdue(self) -> HarnessError | None:
        """Return what to tell when the run's time limit has passed and its copies were removed; None before."""
        if not (self.root / guardian.OVERDUE).exists():
            return None
        limit = timedelta(seconds=self.settings.time_limit_seconds)
        return HarnessError(
            f"the time limit of {limit} passed, and every copy of this run was removed",
            hint="find out what took so long, or raise sandbox.time_limit.",
        )

    @property
    def cut(self) -> bool:
        """Whether servers get a network namespace of their own here."""
        if self._cut is None:
            self._cut = network.can_be_cut(self.account)
        return self._cut

    def close_drill(self, drill_key: str) -> Teardown:
        """Stop the drill's server, remove its directory, and prove it; from any process of the run."""
        ours = self._sandboxes.pop(drill_key, None)
        sandbox = ours or LocalSandbox(self.drill_root(drill_key), self.find_tools(None), cut=False)
        return sandbox.close()

    def keep_drill(self, drill_key: str) -> str:
        """Leave the drill's server running after the run; return how to connect and how to remove it."""
        root = self.drill_root(drill_key)
        (root / guardian.KEEP).write_text("")
        if drill_key in self._sandboxes:
            self._sandboxes.pop(drill_key).let_go()
        who = f"as {self.account.name} or root: " if self.account.drop else ""
        return f"{who}psql -h {root / 's'} -d postgres; remove it with: pgrestore clean {root}"

    def close(self) -> list[str]:
        """Remove everything that is left and not kept; return what could not be removed."""
        for key in list(self._sandboxes):
            self.close_drill(key)
        kept = guardian.remove_run(self.root)
        self._lock.close()
        if self._guardian is not None and self._guardian.stdin is not None:
            self._guardian.stdin.close()
            if kept:
                self._guardian.returncode = 0  # it stays until the time limit; Popen complains of children that do
            else:
                self._guardian.wait()
        return [] if kept or not self.root.exists() else [str(self.root)]

    def drill_root(self, drill_key: str) -> Path:
        """Return the directory of a drill, whether it is there or not."""
        # Short, because a socket path has 107 bytes, and unique, because keys may differ in odd characters only.
        digest = sha256(drill_key.encode()).hexdigest()[:_SLUG_LENGTH]
        return self.root / "drills" / f"{re.sub(r'[^a-z0-9]+', '-', drill_key.lower())[:_SLUG_LENGTH]}-{digest}"


def sweep(settings: LocalSettings, *, kept: bool = False) -> list[str]:
    """Remove what runs left whose processes are all gone; return what was removed.

    Args:
        settings: Where to look.
        kept: Remove kept instances too.
    """
    base = _base(settings, server_account(settings.user))
    removed = []
    for root in sorted(base.iterdir()):
        if root.name.startswith("."):
            # Made but never locked: its maker died between two system calls.
            if time.time() - root.stat().st_mtime > _HALF_MADE_SECONDS:
                shutil.rmtree(root, ignore_errors=True)
            continue
        if _abandoned(root):
            if kept or guardian.past_its_limit(root):
                guardian.forget_keeping(root)
            if not guardian.remove_run(root):
                removed.append(str(root))
    return removed


def _start_guardian(root: Path, limit_seconds: float) -> subprocess.Popen[bytes]:
    """Start the guardian of the run whose directory will be `root`, before there is anything to guard.

    Not a child that dies with us: outliving us is its purpose. Its standard input ends when we do.
    """
    return spawn(
        [sys.executable, "-P", "-S", "-m", guardian.__name__, str(root), str(limit_seconds)],
        env=child_environment({"PYTHONPATH": str(Path(guardian.__file__).parents[2])}),
        prepare=guardian.ignore_signals,
        stdin=True,
    )


def _abandoned(root: Path) -> bool:
    """Tell whether no process holds the run's lock."""
    try:
        with (root / guardian.LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True


def _base(settings: LocalSettings, account: Account) -> Path:
    """Return the directory that holds all runs of this user, made on first use.

    It lies in a place others can write, so it must be ours: a stranger's directory of that name is refused.
    """
    parent = settings.directory or Path(tempfile.gettempdir())
    base = parent / f"pgrestore-{os.geteuid()}"
    try:
        base.mkdir(mode=0o700, exist_ok=True)
        facts = base.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
            raise HarnessError(
                f"{base} belongs to somebody else", hint="remove it, or set sandbox.directory to a place of your own."
            )
        base.chmod(0o711 if account.drop else 0o700)
    except OSError as exc:
        raise HarnessError(
            f"could not make {base}: {exc.strerror}", hint="set sandbox.directory to a directory that can be written."
        ) from exc
    if account.drop:
        require_traversable(parent, account)
    return base


def require_traversable(parent: Path, account: Account) -> None:
    """Refuse a place that `account` cannot enter.

    Raises:
        HarnessError: It, or a directory above it, is closed to others.
    """
    closed = [folder for folder in (parent, *parent.resolve().parents) if not folder.stat().st_mode & stat.S_IXOTH]
    if closed:
        raise HarnessError(
            f"user {account.name}, which the server runs as, cannot enter {closed[0]}",
            hint="set sandbox.directory to a place every user can enter, such as /var/tmp.",
        )
