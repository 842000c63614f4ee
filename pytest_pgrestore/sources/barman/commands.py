"""Barman as a drill runs it: its configuration, and the commands that read and restore.

Source: Barman manual, "diagnose", "restore".
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.backup_tool import BackupTool
from pytest_pgrestore.sources.barman import catalogue, checks
from pytest_pgrestore.sources.barman.drill_config import STAGING, drill_config
from pytest_pgrestore.sources.barman.home import labels_in
from pytest_pgrestore.sources.barman.messages import failed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.barman.catalogue import Entry
    from pytest_pgrestore.sources.barman.own_config import Server
    from pytest_pgrestore.sources.barman.table import BarmanTable

_WORKSPACE = "barman"
"""Directory in the sandbox's WAL directory for Barman's locks and its staging directory."""


@dataclass(frozen=True, slots=True)
class Found:
    """Barman's catalogue.

    Attributes:
        entries: Every backup, oldest first, with incomplete ones.
        version: Barman's version.
    """

    entries: list[Entry]
    version: str


@dataclass(frozen=True, slots=True)
class Setup:
    """What each run of Barman has in common.

    Attributes:
        name: The user's name for the source.
        table: Its table of the settings file.
        server: The server of Barman.
    """

    name: str
    table: BarmanTable
    server: Server

    def for_reading(self, tool_runner: ToolRunner, log: Callable[[str, str], None]) -> BackupTool:
        """Return Barman for the catalogue."""
        text = self._config(tool_runner.writable, None, {})
        return self._tool(tool_runner, log, "reading", text)

    def for_restoring(
        self,
        sandbox: Sandbox,
        tool_runner: ToolRunner,
        log: Callable[[str, str], None],
        *,
        fetches_wal: bool,
    ) -> BackupTool:
        """Return Barman for a restore; `fetches_wal` is whether ``get-wal`` will run."""
        workspace = workspace_of(sandbox)
        changes = {}
        if fetches_wal:
            wals = checks.linked(self.server.wals, workspace / "wals")
            changes = {"wals_directory": str(wals)}
        text = self._config(workspace, sandbox.programs.major, changes)
        return self._tool(tool_runner, log, f"restoring-{id(sandbox)}", text)

    def for_checking(
        self, sandbox: Sandbox, tool_runner: ToolRunner, log: Callable[[str, str], None]
    ) -> BackupTool:
        """Return Barman for its own checks, which write: it gets a mirror of the home."""
        workspace = workspace_of(sandbox)
        changes = checks.mirror(self.server, workspace / "mirror")
        text = self._config(workspace, sandbox.programs.major, changes)
        return self._tool(tool_runner, log, f"checking-{id(sandbox)}", text)

    def _config(self, workspace: Path, major: int | None, changes: Mapping[str, str]) -> str:
        user = pwd.getpwuid(os.geteuid()).pw_name
        return drill_config(self.server, workspace, major, user, changes)

    def _tool(
        self, tool_runner: ToolRunner, log: Callable[[str, str], None], purpose: str, config: str
    ) -> BackupTool:
        """Write the configuration file, and return Barman with it."""
        path = tool_runner.scratch / f"barman-{self.name}-{purpose}-{os.getpid()}.conf"
        path.write_text(config, encoding="utf-8")
        return BackupTool(
            tool_runner=tool_runner,
            program=self.table.program,
            env={**self.table.env, "BARMAN_CONFIG_FILE": str(path)},
            secrets=self.table.secrets,
            log=log,
        )


def workspace_of(sandbox: Sandbox) -> Path:
    """Return Barman's directory in the sandbox, and make it."""
    workspace = sandbox.wal / _WORKSPACE
    (workspace / STAGING).mkdir(mode=0o700, parents=True, exist_ok=True)
    return workspace


def place_of(server: Server) -> str:
    """Return where the backups of a server are, for messages."""
    return f"{server.directory} (server {server.name})"


def read_catalogue(tool: BackupTool, server: Server) -> Found:
    """Return every backup that Barman lists.

    Raises:
        HarnessError: The catalogue cannot be read, or this Barman is too old to see a backup.
    """
    done = tool.run("catalogue", "diagnose", quiet=True)
    if done.status != 0:
        raise failed(done, place_of(server), "the catalogue could not be read")
    every = catalogue.parse(done.stdout, server.name, str(server.directory))
    version = catalogue.version(done.stdout)
    # Barman 3.4 does not read the descriptions of 3.13, and reports an empty catalogue.
    unseen = sorted(labels_in(server) - {entry.backup.label for entry in every})
    if unseen:
        raise HarnessError(
            f"Barman {version} does not see backup {unseen[0]}, which lies in {server.directory}",
            hint="a newer Barman wrote it: use production's version, by another image or"
            " `program`.",
        )
    return Found(every, version)


def restore(
    tool: BackupTool, server: Server, label: str, arguments: Sequence[str], data: Path
) -> None:
    """Restore a backup into `data`, without its WAL.

    ``--get-wal`` stops Barman from copying WAL: it would copy all there is after the backup,
    whatever the target. The recovery settings it writes instead are removed later.

    Raises:
        BackupNotRestorable: A file of the backup is missing or damaged.
        HarnessError: The home cannot be read, or a program is missing.
    """
    # Barman 3.4 has only this name of the command; newer versions call it `restore` too.
    command = ("recover", *arguments, "--get-wal", server.name, label, str(data))
    done = tool.run("restore", *command)
    if done.status != 0:
        raise failed(done, place_of(server), f"backup {label} was not restored")
