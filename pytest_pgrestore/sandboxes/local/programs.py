"""PostgreSQL's programs on this machine, run as the server's user."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.confinement import NONE, system_reach
from pytest_pgrestore.sandboxes.local.find_programs import Installation
from pytest_pgrestore.system import capabilities
from pytest_pgrestore.system.process import Completed, child_environment, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_pgrestore.sandboxes.confinement import Confinement
    from pytest_pgrestore.system.account import Account
    from pytest_pgrestore.system.landlock import Reach

_PROBE_SECONDS = 20.0
_WITHOUT_HEADERS = shutil.ignore_patterns("include")


@dataclass(frozen=True, slots=True)
class LocalPrograms:
    """Implements `sandboxes.protocol.PostgresPrograms` with the programs of one directory.

    Attributes:
        installation: The programs.
        account: The user who runs them.
        timeout_seconds: Deadline of a call without one of its own.
        directory: Their working directory. The watchdog finds our processes by it.
        confinement: Of programs of this machine.
        reads: Files and directories that they may read, beside the system's.
        writes: Files and directories that they may change.
    """

    installation: Installation
    account: Account
    timeout_seconds: float
    directory: Path
    confinement: Confinement = NONE
    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()

    @property
    def major(self) -> int:
        """Major version of the programs."""
        return self.installation.major

    @property
    def scratch(self) -> Path:
        """Directory of ours whose files the programs can read."""
        return self.directory / "scratch"

    @property
    def origin(self) -> str:
        """Where they were found, with their full version."""
        found = self.installation
        return f"{found.directory} ({found.origin}, PostgreSQL {found.version})"

    def path(self, tool: str) -> Path:
        """Return the path of program `tool`.

        Raises:
            HarnessError: It is not among the programs found.
        """
        program = self.installation.directory / tool
        if not os.access(program, os.X_OK):
            raise HarnessError(
                f"{tool} is missing from {self.origin}",
                hint="install the full server package,"
                " or name a complete directory in sandbox.bindir.",
            )
        return program

    def run(
        self,
        tool: str,
        *arguments: str,
        timeout_seconds: float | None = None,
        stdin: Iterable[bytes] | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
        as_caller: bool = False,
    ) -> Completed:
        """Run one program; see the protocol.

        As root it keeps few of root's rights: it reads what only root can read, and in a sandbox it
        also writes in directories of the server's user.
        """
        if tool == "initdb":
            self.account.require_name()
        few = capabilities.RESTORER if self.writes else capabilities.READER
        keeps = few if as_caller and self.account.drop else None
        with self.confinement.child(self.reach(), root_keeps=keeps) as confine:
            return run(
                [str(self.path(tool)), *arguments],
                timeout_seconds=self.timeout_seconds
                if timeout_seconds is None
                else timeout_seconds,
                env=child_environment(env),
                account=None if as_caller else self.account,
                stdin=stdin,
                cwd=self.directory,
                check=check,
                confine=confine,
            )

    def reach(self) -> Reach:
        """Return what the programs can reach."""
        return system_reach(
            (*program_files(self.installation), self.scratch, *self.reads), self.writes
        )


def program_files(installation: Installation) -> tuple[Path, ...]:
    """Return every directory that the programs of an installation and their libraries are in.

    A user's directory may hold links to the programs only.
    """
    real = (installation.directory / "postgres").resolve().parent
    return (*_homes(installation.directory), *_homes(real))


def _homes(bindir: Path) -> tuple[Path, Path]:
    """Return the home of programs, and of the libraries that a wheel has beside it.

    auditwheel puts them into ``PACKAGE.libs`` beside the package; programs find them relative to
    their own path (RPATH $ORIGIN).
    """
    home = bindir.parent
    return home, home.parent.with_name(f"{home.parent.name}.libs")


def reachable_installation(
    installation: Installation, account: Account, shelf: Path
) -> Installation:
    """Return `installation`, or a copy of it in `shelf` if `account` cannot run the original.

    A virtual environment below /root is closed to the unprivileged user that root changes to.

    Raises:
        HarnessError: The copy does not run either.
    """
    if not account.drop or _runs_for(installation, account):
        return installation
    copy = shelf / str(installation.major)
    if not copy.exists():
        _shelve(_homes(installation.directory), copy)
    home = installation.directory.parent
    shelved = replace(installation, directory=copy / home.parent.name / home.name / "bin")
    if not _runs_for(shelved, account):
        raise HarnessError(
            f"user {account.name}, which the server runs as,"
            f" cannot run the programs in {installation.directory}",
            hint="open that directory to every user, or name another one in sandbox.bindir.",
        )
    return shelved


def _shelve(homes: tuple[Path, Path], copy: Path) -> None:
    """Copy an installation and its libraries to ``copy/PARENT/HOME``, readable by everybody."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.parent.chmod(copy.parent.stat().st_mode | 0o011)
    # Made under another name and renamed when complete: another worker may make the same copy.
    half = Path(tempfile.mkdtemp(prefix=".", dir=copy.parent))
    home = homes[0]
    targets = [half / home.parent.name / home.name, half / homes[1].name]
    for origin, target in zip(homes, targets, strict=True):
        if origin.is_dir():
            shutil.copytree(
                origin, target, symlinks=True, ignore=_WITHOUT_HEADERS, copy_function=_link_or_copy
            )
    for folder, _, _ in os.walk(half):
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 - hot; programs, not data # nosec B103 # likewise
    try:
        half.rename(copy)
    except OSError:
        shutil.rmtree(half)  # the other worker was first
        if not copy.exists():
            raise


def _link_or_copy(source: str, target: str) -> None:
    """Link a file that everybody can read; copy others. A link takes a tenth of the time."""
    mode = os.stat(source).st_mode  # noqa: PTH116 - hot: a thousand files
    wanted = 0o755 if mode & stat.S_IXUSR else 0o644
    if mode & wanted == wanted:
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError:
            pass  # another file system
        else:
            return
    shutil.copyfile(source, target)
    os.chmod(target, wanted)  # noqa: PTH101 - hot, as above


def _runs_for(installation: Installation, account: Account) -> bool:
    # initdb needs libpq, which the server itself does not (src/bin/initdb/Makefile).
    program = installation.directory / "initdb"
    if not program.exists():
        program = installation.directory / "postgres"
    try:
        done = run(
            [str(program), "--version"],
            timeout_seconds=_PROBE_SECONDS,
            env=child_environment(),
            account=account,
            check=False,
        )
    except HarnessError:
        return False
    return done.status == 0
