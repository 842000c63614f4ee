"""Source `barman` with `url`: backups that barman-cloud wrote to an object store.

Source: Barman manual, "barman-cloud-backup-list", "barman-cloud-restore", "barman-cloud-wal-restore".
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.sources.backup_tool import BackupTool
from pytest_pgrestore.sources.barman import catalogue
from pytest_pgrestore.sources.barman.choosing import (
    choose_entry,
    other_candidates_of,
    require_restorable,
)
from pytest_pgrestore.sources.barman.cloud import scripts
from pytest_pgrestore.sources.barman.messages import failed
from pytest_pgrestore.sources.barman.put_back import put_back
from pytest_pgrestore.sources.copying import WORKERS, in_parallel
from pytest_pgrestore.sources.protocol import ChosenBackup
from pytest_pgrestore.sources.tool_source import Choice, ToolSource, hand_over, required, unheard
from pytest_pgrestore.sources.wal import stored_wal
from pytest_pgrestore.sources.wal.stored_wal import StoredWal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.barman.catalogue import Entry
    from pytest_pgrestore.sources.barman.own_config import BarmanSettings
    from pytest_pgrestore.sources.protocol import LocateRequest

LIST, RESTORE, WAL = "barman-cloud-backup-list", "barman-cloud-restore", "barman-cloud-wal-restore"
_SEGMENT_DIGITS = 24
_HISTORY = ".history"
_AT_ONCE = 32
"""Segments a process brings: enough to make its start small, few enough for several at work."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the store holds of a server."""

    entries: list[Entry]
    unreadable: list[str]
    names: list[str]
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice(Choice):
    """What `locate` found out, kept for the later steps of the same restore."""

    entry: Entry


class BarmanCloudSource(ToolSource[_Choice]):
    """Implements `sources.protocol.PhysicalSource` for an object store.

    Args:
        name: The user's name for it.
        settings: What the settings file says; `url` is given.
    """

    type = "barman"

    def __init__(self, name: str, settings: BarmanSettings) -> None:
        super().__init__(name)
        self._settings = settings

    @property
    def requirements(self) -> ToolRequirements:
        """What barman-cloud needs to run: the files that variables name are for it, e.g. AWS_CA_BUNDLE."""
        settings = self._settings
        files = (Path(value) for value in settings.env.values() if value.startswith("/"))
        return ToolRequirements(
            program=self._program(LIST),
            packages=("barman-cli-cloud", "ca-certificates"),
            reads=tuple(path for path in files if path.exists()),
            network=True if settings.network is None else settings.network,
            on_host=settings.on_host,
        )

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - the same for every target
        """Return the names of the checks this source reports."""
        return (stored_wal.CHECK,)

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first; backups that are not complete are left out."""
        found = self._stored(self._tool(required(tool_runner, "Barman"), unheard))
        return [entry.backup for entry in found.entries if entry.status in catalogue.COMPLETE]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and see whether its target can be reached; reads only."""
        tool_runner = request.find_tool_runner(None)
        found = self._stored(self._tool(tool_runner, request.log))
        entry, selection, left_out = choose_entry(
            found.entries, self._settings.backup, request, self._place
        )
        require_restorable(entry)
        backup, major = entry.backup, entry.backup.server_major
        if request.find_tool_runner(major) is not tool_runner:
            # The one that restores: another image may have another version.
            tool_runner = request.find_tool_runner(major)
            found = self._stored(self._tool(tool_runner, request.log))
        wal = stored_wal.plan(
            request, backup, entry.start_file, self._wal(found, tool_runner, request.log)
        )
        left_out += [
            f"the description of backup {label} cannot be read" for label in found.unreadable
        ]
        chosen = ChosenBackup(
            backup=backup,
            selection=selection,
            server_major=major or 0,
            needed_bytes=(entry.restored_bytes + wal.needed_bytes) or None,
            timeline=wal.path.last,
            archive_end=wal.end,
            checks=(wal.check(),),
            not_checked=(
                "The files of the backup: barman-cloud stores no manifest to compare them with.",
            ),
            notes=(*left_out, *wal.notes, f"restored from {self._place}"),
            other_candidates=other_candidates_of(
                found.entries, entry, request, self._settings.backup
            ),
            restored_by=f"barman-cloud {found.version}, {tool_runner.origin}",
        )
        return self._keep(chosen, _Choice(wal=wal, log=request.log, entry=entry))

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Let barman-cloud restore into the sandbox, and bring the WAL ahead of replay."""
        choice = self._choice_of(chosen)
        label = chosen.backup.label
        tool = self._tool(sandbox.tool_runner(self.requirements), choice.log)
        maps: list[str] = []
        for name, oid in choice.entry.tablespaces:
            (sandbox.tablespaces / str(oid)).mkdir(mode=0o700)
            maps += ["--tablespace", f"{name}:{sandbox.tablespaces / str(oid)}"]
        place = (
            *self._options(),
            *maps,
            self._url,
            self._settings.server,
            label,
            str(sandbox.data),
        )
        done = tool.run("restore", *place, program=self._program(RESTORE))
        if done.status != 0:
            raise failed(done, self._place, f"backup {label} was not restored")
        put_back(sandbox, label)
        words = stored_wal.bring(choice.wal, self._bringer(tool), sandbox)
        hand_over(sandbox)
        return f"backup {label} restored by barman-cloud; {words}"

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:  # noqa: ARG002 - the protocol's
        """Return nothing: barman-cloud stores no manifest."""
        return ()

    @property
    def _url(self) -> str:
        return self._settings.url or ""

    @property
    def _place(self) -> str:
        at = f" at {self._settings.endpoint_url}" if self._settings.endpoint_url else ""
        return f"{self._url}{at} (server {self._settings.server})"

    def _program(self, name: str) -> str:
        """Return a program of barman-cloud: beside Barman where that is named by its path."""
        named = Path(self._settings.program)
        return str(named.with_name(name)) if named.is_absolute() else name

    def _options(self) -> tuple[str, ...]:
        settings = self._settings
        provider = ("--cloud-provider", settings.cloud_provider) if settings.cloud_provider else ()
        return (
            *provider,
            *(("--endpoint-url", settings.endpoint_url) if settings.endpoint_url else ()),
        )

    def _tool(self, tool_runner: ToolRunner, log: Callable[[str, str], None]) -> BackupTool:
        settings = self._settings
        tool = BackupTool(
            tool_runner=tool_runner,
            program=self._program(LIST),
            env=settings.env,
            secrets=settings.secrets,
            log=log,
        )
        return replace(tool, env={"AWS_MAX_ATTEMPTS": "3", **settings.env})

    def _stored(self, tool: BackupTool) -> _Stored:
        """Return what the store holds.

        Raises:
            HarnessError: It could not be read, or has nothing of the server.
        """
        settings = self._settings
        script = ("-c", scripts.BESIDE, self._program(LIST), scripts.CATALOGUE)
        done = tool.run(
            "catalogue",
            *script,
            *self._options(),
            self._url,
            settings.server,
            program="sh",
            quiet=True,
        )
        if done.status != 0:
            problem = failed(done, self._place, "the catalogue could not be read")
            raise HarnessError(problem.problem, hint=problem.hint)
        try:
            document: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
        except ValueError:
            raise HarnessError(
                f"barman-cloud's answer about {self._place} is not understood",
                hint="read the saved log of `catalogue`.",
            ) from None
        if not (document["backups"] or document["wals"] or document["unreadable"]):
            raise HarnessError(
                f"there is nothing of server {settings.server!r} in {self._url}",
                hint="correct `server` or `url`.",
            )
        location = f"{self._url.rstrip('/')}/{settings.server}"
        entries = catalogue.entries(document["backups"], location)
        return _Stored(entries, document["unreadable"], document["wals"], document["version"])

    def _wal(
        self, found: _Stored, tool_runner: ToolRunner, log: Callable[[str, str], None]
    ) -> StoredWal:
        segments = [name for name in found.names if len(name) == _SEGMENT_DIGITS]
        histories = {}
        tool = self._tool(tool_runner, log)
        for name in (name for name in found.names if name.endswith(_HISTORY)):
            # The tool's own file, so its own memory: only what it prints comes back.
            path = tool_runner.writable / name
            place = (*self._options(), self._url, self._settings.server, name, str(path))
            done = tool.run("catalogue", *place, program=self._program(WAL))
            if done.status != 0:
                raise failed(done, self._place, f"{name} could not be read")
            histories[int(name.removesuffix(_HISTORY), 16)] = tool.run(
                "catalogue", str(path), program="cat"
            ).stdout
        return StoredWal(segments=dict.fromkeys(segments), histories=histories)

    def _bringer(self, tool: BackupTool) -> stored_wal.Bring:
        settings = self._settings

        def bring(names: Sequence[str], into: Path) -> None:
            share = min(_AT_ONCE, -(-len(names) // WORKERS) or 1)
            batches = [names[begin : begin + share] for begin in range(0, len(names), share)]

            def one(batch: Sequence[str]) -> None:
                script = ("-c", scripts.BESIDE, self._program(WAL), scripts.WAL)
                place = (*self._options(), self._url, settings.server, str(into), ",".join(batch))
                done = tool.run("wal", *script, *place, program="sh", quiet=True)
                if done.status != 0:
                    raise failed(done, self._place, "WAL could not be brought")

            in_parallel(one, batches)

        return bring
