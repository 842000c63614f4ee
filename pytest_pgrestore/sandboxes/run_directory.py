"""The directory of one pytest run on this machine.

The processes of the run share it. It is removed when the last of them has ended.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes import watchdog
from pytest_pgrestore.sandboxes.base_directory import base_directory, require_proc
from pytest_pgrestore.system.account import server_account
from pytest_pgrestore.system.parents_files import keep_from_forks
from pytest_pgrestore.system.process import child_environment, spawn
from pytest_pgrestore.system.process_group import ends_within

if TYPE_CHECKING:
    from typing import Self

    from pytest_pgrestore.sandboxes.settings import SandboxSettings
    from pytest_pgrestore.system.account import Account

FOLDERS = ("drills", "programs", "state", "scratch", watchdog.COPIES)
"""Drills; copied programs; results; files that tools read; the copies that live in containers."""

HEADROOM_BYTES = 64 * 1024 * 1024
"""Free space wanted beyond the estimate: server log, WAL written by the promotion."""

_SLUG_LENGTH = 12
_HALF_MADE_SECONDS = 3600.0
_WATCHDOG_SECONDS = 60.0
"""Time for the watchdog to end after the run's directory is gone. It has nothing left to do then,
unless another process holds the pipe open that tells it."""


class RunDirectory:
    """One run's directory. Make it with `open`, or `join` the one another process made."""

    def __init__(self, root: Path, lock: IO[str], max_lifetime_seconds: float) -> None:
        self.root = root
        self.max_lifetime_seconds = max_lifetime_seconds
        self.removed_leftovers: list[str] = []
        self._lock = lock
        keep_from_forks(lock)
        self._watchdog: subprocess.Popen[bytes] | None = None

    @classmethod
    def open(cls, settings: SandboxSettings, run_id: str) -> Self:
        """Make the directory, remove what dead runs left, and start the watchdog.

        Args:
            settings: Its place, the server's user, and how long copies may live.
            run_id: Name of the directory.

        Raises:
            HarnessError: The place cannot be written, or belongs to another user; no /proc.
        """
        require_proc()
        account, max_lifetime_seconds = server_account(settings.user), settings.max_lifetime_seconds
        base = base_directory(settings.directory, account)
        mode = 0o711 if account.drop else 0o700
        unlocked = base / f".{run_id}"
        watcher = _start_watchdog(base / run_id, max_lifetime_seconds)
        unlocked.mkdir(mode=0o700)
        lock = (unlocked / watchdog.LOCK).open("w")
        # A program of a copy that opens it could hold it, and the run would never end. Root of a
        # container has to open it, and has no rights to files of an ordinary user's own.
        (unlocked / watchdog.LOCK).chmod(0o600 if account.drop else 0o644)
        fcntl.flock(lock, fcntl.LOCK_SH)
        for folder in FOLDERS:
            (unlocked / folder).mkdir()
            (unlocked / folder).chmod(mode)
        (unlocked / watchdog.UNTIL).write_text(str(time.time() + max_lifetime_seconds))
        unlocked.chmod(mode)
        run = cls(unlocked.rename(base / run_id), lock, max_lifetime_seconds)
        run._watchdog = watcher
        run.removed_leftovers = sweep(settings.directory, account)
        return run

    @classmethod
    def join(cls, settings: SandboxSettings, root: Path) -> Self:
        """Take part in the run whose directory is `root`."""
        lock = (root / watchdog.LOCK).open()
        fcntl.flock(lock, fcntl.LOCK_SH)
        return cls(root, lock, settings.max_lifetime_seconds)

    @property
    def lock(self) -> Path:
        """The file that every process of the run holds locked."""
        return self.root / watchdog.LOCK

    def drill(self, drill_key: str) -> Path:
        """Return the directory of a drill, whether it exists or not."""
        return self.root / "drills" / _slug(drill_key)

    def copy(self, drill_key: str) -> Path:
        """Return the path of a drill's copy that lives in a container."""
        return self.root / watchdog.COPIES / _slug(drill_key)

    def time_limit_error(self) -> HarnessError | None:
        """Return the error if the run's time limit has passed and its copies were removed."""
        if not (self.root / watchdog.OVERDUE).exists():
            return None
        limit = timedelta(seconds=self.max_lifetime_seconds)
        return HarnessError(
            f"the time limit of {limit} passed, and every copy of this run was removed",
            hint="find out what took so long, or raise sandbox.max_lifetime.",
        )

    def require_time(self) -> None:
        """Check that the time limit has not passed.

        Raises:
            HarnessError: It has.
        """
        late = self.time_limit_error()
        if late is not None:
            raise late

    def require_room(self, place: Path, needed_bytes: int | None) -> None:
        """Check that `place` has room for `needed_bytes`.

        Raises:
            HarnessError: It has not; the error names both numbers.
        """
        free = shutil.disk_usage(place).free
        if needed_bytes is not None and free < needed_bytes + HEADROOM_BYTES:
            raise HarnessError(
                f"the restore needs about {needed_bytes:,} bytes and {place} has {free:,} free",
                hint="free the disk or set sandbox.directory to a larger one.",
            )

    def close(self) -> list[str]:
        """Remove everything that is left and not kept; return what could not be removed."""
        kept = watchdog.remove_run(self.root)
        self._lock.close()
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
            if not kept and ends_within(self._watchdog, _WATCHDOG_SECONDS):
                self._watchdog.wait()
            else:
                # It runs until the time limit. Popen.__del__ warns about a child that runs.
                self._watchdog.returncode = 0
        return [] if kept or not self.root.exists() else [str(self.root)]


def _slug(drill_key: str) -> str:
    # Short, because a socket path has at most 107 bytes. The digest makes it unique: two keys may
    # differ only in characters that are replaced here.
    digest = sha256(drill_key.encode()).hexdigest()[:_SLUG_LENGTH]
    return f"{re.sub(r'[^a-z0-9]+', '-', drill_key.lower())[:_SLUG_LENGTH]}-{digest}"


def sweep(parent: Path | None, account: Account, *, kept: bool = False) -> list[str]:
    """Remove what runs left whose processes are all gone; return what was removed.

    Args:
        parent: Directory that holds `base_directory`; None is the system's temporary directory.
        account: The server's user.
        kept: Remove kept instances too.
    """
    removed = []
    for root in sorted(base_directory(parent, account).iterdir()):
        if root.name.startswith("."):
            # Made but never locked: the process that made it died between two system calls.
            if time.time() - root.stat().st_mtime > _HALF_MADE_SECONDS:
                shutil.rmtree(root, ignore_errors=True)
            continue
        if is_abandoned(root):
            if kept or watchdog.past_its_limit(root):
                watchdog.forget_keeping(root)
            if not watchdog.remove_run(root):
                removed.append(str(root))
    return removed


def _start_watchdog(root: Path, limit_seconds: float) -> subprocess.Popen[bytes]:
    """Start the watchdog of the run whose directory will be `root`, before the directory exists.

    It must outlive us, so it does not die with its parent. Its standard input ends when we do.
    """
    watcher = spawn(
        [sys.executable, "-P", "-S", "-m", watchdog.__name__, str(root), str(limit_seconds)],
        env=child_environment({"PYTHONPATH": str(Path(watchdog.__file__).parents[2])}),
        prepare=watchdog.ignore_signals,
        stdin=True,
    )
    if watcher.stdin is not None:
        keep_from_forks(watcher.stdin)
    return watcher


def is_abandoned(root: Path) -> bool:
    """Return whether no process holds the run's lock (flock(2))."""
    try:
        with (root / watchdog.LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    except PermissionError:
        return False  # another user's run, on the same Docker daemon: it is theirs to sweep
    return True
