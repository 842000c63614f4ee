"""Source `barman`: chooses a backup of a Barman home, lets Barman restore it, and lays out its WAL ahead of replay."""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.sources.backup_tool import BackupTool
from pytest_pgrestore.sources.barman import catalogue, checks
from pytest_pgrestore.sources.barman.choosing import (
    choose_entry,
    other_candidates_of,
    require_restorable,
)
from pytest_pgrestore.sources.barman.messages import failed
from pytest_pgrestore.sources.barman.own_config import Server, config_file, server_of
from pytest_pgrestore.sources.barman.put_back import put_back
from pytest_pgrestore.sources.barman.wal import GetWalBringer, ShelfBringer, Shelves, listed
from pytest_pgrestore.sources.basebackup import manifest_check
from pytest_pgrestore.sources.protocol import ChosenBackup
from pytest_pgrestore.sources.tool_source import Choice, ToolSource, hand_over, required, unheard
from pytest_pgrestore.sources.wal import stored_wal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.barman.catalogue import Entry
    from pytest_pgrestore.sources.barman.own_config import BarmanSettings
    from pytest_pgrestore.sources.protocol import LocateRequest

WORKSHOP = "barman"
"""Directory of the sandbox for Barman's locks, and for what it unpacks or combines first."""

_UNREADABLE = ("custom",)
"""Kinds of WAL compression that only Barman can undo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice(Choice):
    """What `locate` found out, kept for the later steps of the same restore."""

    entry: Entry
    shelves: Shelves


class BarmanSource(ToolSource[_Choice]):
    """Implements `sources.protocol.PhysicalSource` for a Barman home.

    Args:
        name: The user's name for it.
        settings: What the settings file says; `url` is None.
    """

    type = "barman"

    def __init__(self, name: str, settings: BarmanSettings) -> None:
        super().__init__(name)
        self._settings = settings

    @cached_property
    def _server(self) -> Server:
        return server_of(self._settings.config, self._settings.server)

    @property
    def places(self) -> tuple[Path, ...]:
        """Where the backups are: PostgreSQL's programs verify those that a block-level incremental one depends on."""
        return (self._server.backups,)

    @property
    def requirements(self) -> ToolRequirements:
        """What Barman needs to run.

        Raises:
            HarnessError: Its configuration cannot be read.
        """
        settings = self._settings
        reads = (config_file(settings.config), *self._server.places)
        return ToolRequirements(
            program=settings.program,
            packages=("barman", "rsync"),
            reads=tuple(path for path in reads if path.exists()),
            network=bool(settings.network),
            on_host=settings.on_host,
        )

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - the same for every target
        """Return the names of the checks this source reports."""
        own = checks.NAMES if self._settings.check else ()
        return (stored_wal.CHECK, *((manifest_check.NAME,) if self._settings.verify else ()), *own)

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first; backups that are not complete are left out."""
        every, _ = self._catalogue(self._tool(required(tool_runner, "Barman"), unheard, None))
        return [entry.backup for entry in every if entry.status in catalogue.COMPLETE]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and see whether its target can be reached; reads only."""
        server = self._server
        _require_home(server)
        every, version = self._catalogue(
            self._tool(request.find_tool_runner(None), request.log, None)
        )
        entry, selection, left_out = choose_entry(
            every, self._settings.backup, request, self._place
        )
        require_restorable(entry)
        catalogue.require_chain(entry, every)
        backup, major = entry.backup, entry.backup.server_major
        tool_runner = request.find_tool_runner(major)
        if tool_runner is not request.find_tool_runner(None):
            # The one that restores: another image may have another version.
            _, version = self._catalogue(self._tool(tool_runner, request.log, None))
        chain = (*backup.chain, backup.label)
        for label in chain:
            if not (server.backup(label) / "data").is_dir():
                raise BackupNotRestorable(
                    f"the files of backup {label} are not in {server.backup(label)}"
                    + (
                        f", and backup {backup.label} depends on it"
                        if label != backup.label
                        else ""
                    ),
                    hint="find out what removed them; take a new full backup.",
                )
        shelves = listed(server)
        wal = stored_wal.plan(request, backup, entry.start_file, shelves.wal)
        chosen = ChosenBackup(
            backup=backup,
            selection=selection,
            server_major=major or 0,
            needed_bytes=entry.restored_bytes * (2 if backup.chain else 1) + wal.needed_bytes,
            timeline=wal.path.last,
            archive_end=wal.end,
            checks=(wal.check(), *self._left_out(entry)),
            not_checked=self._not_checked(entry),
            notes=(*left_out, *wal.notes, *shelves.notes, f"restored from {self._place}"),
            backup_paths=tuple(server.backup(label) for label in chain),
            wal_archive_paths=(server.wals,),
            other_candidates=other_candidates_of(every, entry, request, self._settings.backup),
            restored_by=f"Barman {version}, {tool_runner.origin}",
        )
        return self._keep(chosen, _Choice(wal=wal, log=request.log, entry=entry, shelves=shelves))

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Let Barman restore into the sandbox without WAL, and bring that ahead of replay."""
        choice = self._choice_of(chosen)
        label, entry = chosen.backup.label, choice.entry
        tool = self._tool(
            sandbox.tool_runner(self.requirements), choice.log, sandbox, chosen.server_major
        )
        maps: list[str] = []
        for name, oid in entry.tablespaces:
            (sandbox.tablespaces / str(oid)).mkdir(mode=0o700)
            maps += ["--tablespace", f"{name}:{sandbox.tablespaces / str(oid)}"]
        jobs = self._settings.jobs or os.cpu_count() or 1
        # --get-wal: else it would bring all WAL there is, whatever the target, and only after the files.
        done = tool.run(
            "restore",
            *(
                "recover",
                "--jobs",
                str(jobs),
                "--get-wal",
                *maps,
                self._server.name,
                label,
                str(sandbox.data),
            ),
        )
        if done.status != 0:
            raise failed(done, self._place, f"backup {label} was not restored")
        put_back(sandbox, label)
        bringer = (
            GetWalBringer(tool, self._server) if self._by_tool else ShelfBringer(choice.shelves)
        )
        words = stored_wal.bring(choice.wal, bringer, sandbox)
        shutil.rmtree(sandbox.wal / WORKSHOP / "staging", ignore_errors=True)
        hand_over(sandbox)
        way = "by get-wal" if self._by_tool else "read from Barman's home"
        return f"backup {label} ({chosen.backup.form}) restored by Barman; {words}, {way}"

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:
        """Verify what was restored against the backup's manifest, and have Barman check its own where switched on."""
        choice = self._choice_of(chosen)
        found = []
        if self._settings.verify and self._has_manifest(choice.entry):
            inputs = [
                self._server.backup(label) / "data"
                for label in (*chosen.backup.chain, chosen.backup.label)
            ]
            found.append(manifest_check.verify(sandbox, inputs if chosen.backup.chain else []))
        if self._settings.check:
            tool = self._tool(
                sandbox.tool_runner(self.requirements),
                choice.log,
                sandbox,
                chosen.server_major,
                mirrored=True,
            )
            found.append(checks.check_backup(tool, self._server.name, chosen.backup.label))
            if not checks.why_not_verified(choice.entry, self._has_manifest(choice.entry)):
                found.append(checks.verify_backup(tool, self._server.name, chosen.backup.label))
        return tuple(found)

    @property
    def _place(self) -> str:
        return f"{self._server.directory} (server {self._server.name})"

    @property
    def _by_tool(self) -> bool:
        """Whether WAL is brought by Barman."""
        return self._settings.get_wal or self._server.options.get("compression") in _UNREADABLE

    def _has_manifest(self, entry: Entry) -> bool:
        return (self._server.backup(entry.backup.label) / "data" / "backup_manifest").is_file()

    def _left_out(self, entry: Entry) -> tuple[Check, ...]:
        """Return the checks that the chosen backup cannot be put through."""
        settings, has_manifest = self._settings, self._has_manifest(entry)
        said = []
        if settings.verify and not has_manifest:
            said.append(
                Check(
                    name=manifest_check.NAME,
                    verdict=Verdict.SKIPPED,
                    message="backups by rsync have no manifest",
                )
            )
        why = checks.why_not_verified(entry, has_manifest)
        if settings.check and why:
            said.append(Check(name=checks.VERIFY_BACKUP, verdict=Verdict.SKIPPED, message=why))
        return tuple(said)

    def _not_checked(self, entry: Entry) -> tuple[str, ...]:
        if not self._settings.verify:
            return ("The files of the backup: verify = false left the manifest out.",)
        if self._has_manifest(entry):
            return ()
        why = "backups by rsync have no manifest to compare them with; `barman generate-manifest` makes one"
        return (f"The files of the backup: {why}.",)

    def _tool(
        self,
        tool_runner: ToolRunner,
        log: Callable[[str, str], None],
        sandbox: Sandbox | None,
        major: int | None = None,
        *,
        mirrored: bool = False,
    ) -> BackupTool:
        """Return Barman with a configuration of the drill's; see `settings`."""
        settings = self._settings
        workspace = tool_runner.writable
        changes = {}
        if sandbox is not None:
            workspace = sandbox.wal / WORKSHOP
            (workspace / "staging").mkdir(mode=0o700, parents=True, exist_ok=True)
        if mirrored:
            changes = checks.mirror(self._server, workspace / "mirror")
        elif sandbox is not None and self._by_tool:
            changes = {"wals_directory": str(checks.linked(self._server.wals, workspace / "wals"))}
        user = pwd.getpwuid(os.geteuid()).pw_name
        text = self._server.derived(workspace, workspace / "staging", major, user, **changes)
        kind = "reading" if sandbox is None else "checking" if mirrored else "restoring"
        config = tool_runner.scratch / f"barman-{self.name}-{kind}-{os.getpid()}-{id(sandbox)}.conf"
        config.write_text(text, encoding="utf-8")
        tool = BackupTool(
            tool_runner=tool_runner,
            program=settings.program,
            env=settings.env,
            secrets=settings.secrets,
            log=log,
        )
        return replace(tool, env={**settings.env, "BARMAN_CONFIG_FILE": str(config)})

    def _catalogue(self, tool: BackupTool) -> tuple[list[Entry], str]:
        """Return every backup that Barman knows, and Barman's version.

        Raises:
            HarnessError: It could not be read, or Barman does not see what lies there.
        """
        done = tool.run("catalogue", "diagnose", quiet=True)
        if done.status != 0:
            raise failed(done, self._place, "the catalogue could not be read")
        every = catalogue.parse(done.stdout, self._server.name, str(self._server.directory))
        version = catalogue.version(done.stdout)
        unseen = sorted(_labels_in(self._server) - {entry.backup.label for entry in every})
        if unseen:
            raise HarnessError(
                f"Barman {version} does not see backup {unseen[0]}, which lies in {self._server.directory}",
                hint="a newer Barman wrote it: use production's version, by another image or `program`.",
            )
        return every, version


def _require_home(server: Server) -> None:
    for place in server.places:
        if not place.is_dir():
            raise HarnessError(
                f"{place} of Barman's server {server.name} is not on this machine",
                hint="run the drill where Barman's home is, or mount it at the same path.",
            )
        if not os.access(place, os.R_OK | os.X_OK):
            raise HarnessError(
                f"{place} may not be read by this user",
                hint="run the drill as Barman's user, as root, or as a member of its group.",
            )


def _labels_in(server: Server) -> set[str]:
    """Return the backups whose descriptions lie in the home: in ``meta`` since Barman 3.13, beside the files before."""
    newer = {
        path.name.removesuffix("-backup.info")
        for path in server.directory.glob("meta/*-backup.info")
    }
    return newer | {path.parent.name for path in server.backups.glob("*/backup.info")}
