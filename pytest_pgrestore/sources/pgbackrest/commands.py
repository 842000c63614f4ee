"""pgBackRest as a drill runs it: its variables, and the commands that read, restore and verify.

Source: pgBackRest command reference and configuration reference.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.backup_tool import BackupTool
from pytest_pgrestore.sources.json_answer import is_name
from pytest_pgrestore.sources.pgbackrest import catalogue
from pytest_pgrestore.sources.pgbackrest.config_files import config_files
from pytest_pgrestore.sources.pgbackrest.messages import failed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.pgbackrest.entries import Catalogue, Details
    from pytest_pgrestore.sources.pgbackrest.own_config import Repository
    from pytest_pgrestore.sources.pgbackrest.table import PgbackrestTable
    from pytest_pgrestore.system.process import Completed

_WHOLE_AND_INSIDE = (
    "--reset-link-map",
    "--reset-tablespace-map-all",
    "--reset-db-include",
    "--reset-db-exclude",
)
"""Cancel options of production's file that restore files elsewhere, or some databases only."""

_NAMED = 10
"""Most stanzas that a hint names."""

_VERSION = re.compile(r"^pgBackRest (\d+)\.(\d+)(?:\.(\d+))?", re.MULTILINE)
TESTED = ((2, 45), (2, 60))
"""The oldest and the newest release that the tests run with."""

_OLDEST = (2, 41)
"""Since this version ``info --set`` prints JSON (its release notes)."""

_ROOT_REFUSED_SINCE = (2, 59)
"""Since this version root may run `restore` only, unless allow-root is set (its release notes)."""


@dataclass(frozen=True, slots=True)
class Pgbackrest:
    """pgBackRest, set up for one stanza of one repository.

    Attributes:
        tool: Runs it.
        stanza: Name of the stanza.
        repository: What it reads.
        version: ``pgBackRest`` and its version.
    """

    tool: BackupTool
    stanza: str
    repository: Repository
    version: str

    def run(
        self, step: str, *arguments: str, quiet: bool = False, more: Mapping[str, str] | None = None
    ) -> Completed:
        """Run a command on the repository; see `BackupTool.run`."""
        number = f"--repo={self.repository.number}"
        return self.tool.run(step, number, *arguments, quiet=quiet, more=more)

    def catalogue(self) -> Catalogue:
        """Return all backups of the stanza.

        Raises:
            HarnessError: The repository cannot be read, or the stanza is not in it.
        """
        done = self.run("catalogue", "info", "--output=json")
        if done.status != 0:
            raise failed(done, self.repository, "the catalogue could not be read")
        try:
            return catalogue.parse(done.stdout, self.stanza, self.repository)
        except catalogue.NoStanzaError as exc:
            raise HarnessError(exc.problem, hint=self._stanzas()) from None

    def _stanzas(self) -> str:
        """Return what to do about a missing stanza: the hint names those that are there."""
        done = self.run("catalogue", "repo-ls", "backup", quiet=True)
        names = [line for line in done.stdout.split("\n") if is_name(line)]
        if done.status != 0 or not names:
            return (
                "the repository has no stanza at all: correct its path in the configuration, or"
                " mount it."
            )
        more = " ..." if names[_NAMED:] else ""
        return f"correct `stanza`: the repository has {', '.join(names[:_NAMED])}{more}."

    def details(self, label: str) -> Details:
        """Return what ``info --set`` reports of one backup.

        Raises:
            HarnessError: The repository cannot be read.
        """
        done = self.run("catalogue", "info", f"--set={label}", "--output=json")
        if done.status != 0:
            raise failed(done, self.repository, f"backup {label} could not be looked up")
        return catalogue.details(done.stdout, self.stanza, label)

    def restore(
        self,
        label: str,
        tablespaces: Mapping[int, Path],
        more: Mapping[str, str] | None = None,
    ) -> None:
        """Restore a backup without recovery settings.

        Args:
            label: Of the backup.
            tablespaces: OID of each tablespace to its directory.
            more: Variables for this call only.

        Raises:
            BackupNotRestorable: A file of the backup is missing or damaged.
            HarnessError: The repository cannot be read, or there is no room.
        """
        maps = [f"--tablespace-map={oid}={place}" for oid, place in tablespaces.items()]
        # archive-mode=off: otherwise the copy could push WAL into production's repository
        # (pgbackrest/pgbackrest issues 2064, 2239, 2480).
        options = (f"--set={label}", "--type=none", "--archive-mode=off")
        maps = maps or ["--reset-tablespace-map"]
        done = self.run("restore", *options, *maps, *_WHOLE_AND_INSIDE, "restore", more=more)
        if done.status != 0:
            raise failed(done, self.repository, f"backup {label} was not restored")

    def verify(self) -> Completed:
        """Run ``verify`` on the whole repository."""
        return self.run("verify", "--output=text", "--verbose", "verify")


def open_pgbackrest(
    table: PgbackrestTable,
    repository: Repository,
    tool_runner: ToolRunner,
    log: Callable[[str, str], None],
    sandbox: Sandbox | None = None,
) -> Pgbackrest:
    """Return pgBackRest, having read its version.

    Args:
        table: Settings of the source.
        repository: The repository to read.
        tool_runner: Where it runs.
        log: Keeps its output.
        sandbox: Where it restores to; None: it only reads.

    Raises:
        HarnessError: The program is not pgBackRest, or does not run.
    """
    tool = BackupTool(
        tool_runner=tool_runner, program=table.program, env={}, secrets=table.secrets, log=log
    )
    version = _version(tool)
    if version < _OLDEST:
        raise HarnessError(
            f"pgBackRest {'.'.join(map(str, version))} is too old: its `info` does not tell what a"
            " restore needs to know",
            hint=f"use pgBackRest {'.'.join(map(str, _OLDEST))} or newer: another image, or"
            " `program`.",
        )
    # The user's variables may be those of production, and name its directories.
    # So they replace the defaults here, and are replaced by what a drill requires.
    env = {**_defaults(table, sandbox), **table.env, **_required(table, version, sandbox)}
    name = f"pgBackRest {'.'.join(map(str, version))}"
    return Pgbackrest(replace(tool, env=env), table.stanza, repository, name)


def _defaults(table: PgbackrestTable, sandbox: Sandbox | None) -> dict[str, str]:
    """Return variables that the user's variables replace."""
    variables = {
        "PGBACKREST_PROCESS_MAX": str(table.process_max or os.cpu_count() or 1),
        # Internal option, since 2.32. A restore of a damaged file took 15 s of retries without it.
        # A store still gets its retries.
        "PGBACKREST_JOB_RETRY_INTERVAL": "1",
    }
    if sandbox is None:
        variables["PGBACKREST_IO_TIMEOUT"] = "20"
    return variables


def _required(
    table: PgbackrestTable, version: tuple[int, ...], sandbox: Sandbox | None
) -> dict[str, str]:
    """Return variables that no file and no variable of the user may change."""
    variables = {
        "PGBACKREST_STANZA": table.stanza,
        # Standard output is for data.
        "PGBACKREST_LOG_LEVEL_CONSOLE": "off",
        "PGBACKREST_LOG_LEVEL_STDERR": "warn",
        "PGBACKREST_LOG_LEVEL_FILE": "off",
        "PGBACKREST_LOG_TIMESTAMP": "n",
        "PGBACKREST_ARCHIVE_ASYNC": "n",
    }
    variables |= config_files(table.config, table.env).variables
    if sandbox is not None:
        variables |= {
            "PGBACKREST_PG1_PATH": str(sandbox.data),
            "PGBACKREST_LOCK_PATH": str(sandbox.wal / "lock"),
            # A restore removes the stanza's directory in the spool path: in production's spool
            # that is the queue of WAL to archive.
            "PGBACKREST_SPOOL_PATH": str(sandbox.wal / "spool"),
            "PGBACKREST_LINK_ALL": "n",
            "PGBACKREST_DELTA": "n",
            "PGBACKREST_FORCE": "n",
        }
    if version >= _ROOT_REFUSED_SINCE and os.geteuid() == 0:
        # The option protects repositories from files owned by root. A drill writes none there.
        variables["PGBACKREST_ALLOW_ROOT"] = "y"
    return variables


def _version(tool: BackupTool) -> tuple[int, ...]:
    done = tool.run("catalogue", "version")
    match = _VERSION.search(done.stdout)
    if match is None:
        raise HarnessError(
            f"{tool.program} does not say that it is pgBackRest", hint="correct `program`."
        )
    return tuple(int(part) for part in match.groups() if part is not None)
