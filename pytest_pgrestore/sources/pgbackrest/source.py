"""Source `pgbackrest`: chooses a backup of a stanza, lets pgBackRest restore it, and brings its WAL ahead of replay."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import BackupNotRestorable, ConfigError, HarnessError
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.sources.backup_tool import BackupTool
from pytest_pgrestore.sources.pgbackrest import catalogue, checks
from pytest_pgrestore.sources.pgbackrest.delta import UNTIMED, Kept
from pytest_pgrestore.sources.pgbackrest.messages import failed
from pytest_pgrestore.sources.pgbackrest.own_config import DEFAULT_INCLUDE, repositories
from pytest_pgrestore.sources.pgbackrest.wal import Archive, Bringer, listed
from pytest_pgrestore.sources.protocol import ChosenBackup
from pytest_pgrestore.sources.selection import no_backup, other_candidates, pick
from pytest_pgrestore.sources.tool_source import Choice, ToolSource, hand_over, required, unheard
from pytest_pgrestore.sources.wal import stored_wal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.secret import Secret
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.pgbackrest.own_config import Repository
    from pytest_pgrestore.sources.protocol import LocateRequest

_GROWTH = 1.1
_WHOLE_AND_INSIDE = (
    "--reset-link-map",
    "--reset-tablespace-map-all",
    "--reset-db-include",
    "--reset-db-exclude",
)
"""What production's file may say of a restore: files elsewhere, or some databases only."""

_VERSION = re.compile(r"^pgBackRest (\d+)\.(\d+)(?:\.(\d+))?", re.MULTILINE)
_ROOT_REFUSED_SINCE = (2, 59)


@dataclass(frozen=True, slots=True, kw_only=True)
class PgbackrestSettings:
    """What the settings file says.

    Attributes:
        stanza: Name of the stanza.
        config: pgBackRest's own file; None is where it looks by itself.
        repo: Number of the repository; None takes the first.
        process_max: Processes of a restore; None is one a core.
        verify: Whether to run ``pgbackrest verify`` on the backup too.
        delta: Directory that keeps a restore for the next one; None restores from nothing.
        backup: Label of the backup to restore; None chooses.
        program: pgBackRest's name or path.
        on_host: Whether it runs on this machine beside a docker sandbox.
        env: Variables everybody may see.
        secrets: Variables nobody may see.
        network: Whether the repository takes a network; None asks its configuration.
    """

    stanza: str
    config: Path | None = None
    repo: int | None = None
    process_max: int | None = None
    verify: bool = False
    delta: Path | None = None
    backup: str | None = None
    program: str = "pgbackrest"
    on_host: bool = False
    env: Mapping[str, str]
    secrets: Mapping[str, Secret]
    network: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice(Choice):
    """What `locate` found out, kept for the later steps of the same restore."""

    repository: Repository
    archive: Archive
    tablespaces: tuple[tuple[int, str], ...]


class PgbackrestSource(ToolSource[_Choice]):
    """Implements `sources.protocol.PhysicalSource` for pgBackRest.

    Args:
        name: The user's name for it.
        settings: What the settings file says.
        timeout_seconds: How long to wait for another drill that uses the same `delta`.
    """

    type = "pgbackrest"

    def __init__(
        self, name: str, settings: PgbackrestSettings, timeout_seconds: float = 3600.0
    ) -> None:
        super().__init__(name)
        self._settings = settings
        self._timeout_seconds = timeout_seconds

    @property
    def requirements(self) -> ToolRequirements:
        """What pgBackRest needs to run.

        Raises:
            HarnessError: Its configuration cannot be read.
        """
        settings, repository = self._settings, self._repository()
        reads = [
            *([settings.config] if settings.config else [Path("/etc/pgbackrest")]),
            *repository.files(),
        ]
        reads += [DEFAULT_INCLUDE] if settings.config is None else []
        return ToolRequirements(
            program=settings.program,
            packages=("pgbackrest", "ca-certificates"),
            reads=tuple(dict.fromkeys(path for path in reads if path.exists())),
            writes=() if settings.delta is None else (settings.delta,),
            network=repository.remote if settings.network is None else settings.network,
            on_host=settings.on_host,
        )

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - the same for every target
        """Return the names of the checks this source reports."""
        return (
            stored_wal.CHECK,
            checks.PAGES,
            *((checks.VERIFY,) if self._settings.verify else ()),
        )

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first."""
        tool, _ = self._tool(required(tool_runner, "pgBackRest"), unheard)
        return [entry.backup for entry in self._catalogue(tool, self._repository()).entries]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and see whether its target can be reached; reads only."""
        repository = self._repository()
        found = self._catalogue(
            self._tool(request.find_tool_runner(None), request.log)[0], repository
        )
        if not found.entries:
            raise no_backup(f"{repository.address}, stanza {self._settings.stanza}")
        every = [entry.backup for entry in found.entries]
        backup, selection = pick(every, request.target, self._settings.backup)
        entry = next(entry for entry in found.entries if entry.backup is backup)
        if backup.server_major is None or not entry.start_file:
            raise BackupNotRestorable(
                f"the catalogue does not say of which server backup {backup.label} is, or where its WAL begins",
                hint="take a new backup, online and with archiving on.",
            )
        # From here on the one that restores: another image may have another version.
        tool, version = self._tool(request.find_tool_runner(backup.server_major), request.log)
        about = self._details(tool, repository, backup.label)
        archive = listed(tool, repository, self._settings.stanza, entry.archive)
        wal = stored_wal.plan(request, backup, entry.start_file, archive.wal)
        here, labels = not repository.remote, (*backup.chain, backup.label)
        stanza = self._settings.stanza
        chosen = ChosenBackup(
            backup=backup,
            selection=selection,
            server_major=backup.server_major,
            needed_bytes=int((backup.size_bytes or 0) * _GROWTH) + wal.needed_bytes,
            timeline=wal.path.last,
            archive_end=wal.end,
            checks=(wal.check(), checks.pages(entry, about)),
            not_checked=self._not_checked(),
            notes=(*wal.notes, *self._notes(found, repository)),
            backup_paths=tuple(
                repository.path / "backup" / stanza / label for label in labels if here
            ),
            wal_archive_paths=(repository.path / "archive" / stanza / entry.archive,)
            if here
            else (),
            other_candidates=other_candidates(every, backup, request.target, self._settings.backup),
            restored_by=f"{version}, {tool.tool_runner.origin}",
            rto_not_comparable="" if self._settings.delta is None else UNTIMED,
        )
        spaces = tuple(
            (int(space["oid"]), str(space["name"])) for space in about.get("tablespace") or ()
        )
        return self._keep(
            chosen,
            _Choice(
                wal=wal, log=request.log, repository=repository, archive=archive, tablespaces=spaces
            ),
        )

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Let pgBackRest restore into the sandbox, and bring the WAL."""
        choice = self._choice_of(chosen)
        label, repository, delta = chosen.backup.label, choice.repository, self._settings.delta
        if delta is None:
            tool, _ = self._tool(sandbox.tool_runner(self.requirements), choice.log, sandbox)
            for oid, _ in choice.tablespaces:
                (sandbox.tablespaces / str(oid)).mkdir(mode=0o700)
            self._restore(tool, chosen, sandbox.tablespaces)
        else:
            kept = Kept(delta)
            kept.claim()
            tool, _ = self._tool(sandbox.tool_runner(self.requirements), choice.log, sandbox)
            with kept.held(self._timeout_seconds):
                kept.make_tablespaces({str(oid) for oid, _ in choice.tablespaces})
                onto = {"PGBACKREST_PG1_PATH": str(kept.data), "PGBACKREST_DELTA": "y"}
                self._restore(replace(tool, env={**tool.env, **onto}), chosen, kept.tablespaces)
                kept.copy_into(sandbox)
        words = stored_wal.bring(
            choice.wal, Bringer(tool, repository, self._settings.stanza, choice.archive), sandbox
        )
        hand_over(sandbox)
        return f"backup {label} ({chosen.backup.kind}) restored by pgBackRest, its checksums compared; {words}"

    def _restore(self, tool: BackupTool, chosen: ChosenBackup, tablespaces: Path) -> None:
        choice, label = self._choice_of(chosen), chosen.backup.label
        maps = [f"--tablespace-map={oid}={tablespaces / str(oid)}" for oid, _ in choice.tablespaces]
        maps = maps or ["--reset-tablespace-map"]
        done = tool.run(
            "restore",
            *(
                f"--repo={choice.repository.number}",
                f"--set={label}",
                "--type=none",
                "--archive-mode=off",
                *maps,
            ),
            *_WHOLE_AND_INSIDE,
            "restore",
        )
        if done.status != 0:
            raise failed(done, choice.repository, f"backup {label} was not restored")

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:
        """Run ``pgbackrest verify`` where it is switched on; a restore has compared every checksum already."""
        if not self._settings.verify:
            return ()
        choice = self._choice_of(chosen)
        tool, _ = self._tool(sandbox.tool_runner(self.requirements), choice.log, sandbox)
        done = tool.run(
            "verify", f"--repo={choice.repository.number}", "--output=text", "--verbose", "verify"
        )
        return (checks.verified(done),)

    def _repository(self) -> Repository:
        every = repositories(self._settings.config, self._settings.stanza, self._settings.env)
        wanted = self._settings.repo
        if wanted is None:
            return every[0]
        for repository in every:
            if repository.number == wanted:
                return repository
        raise ConfigError(
            f"source {self.name}: pgBackRest's configuration has no repo{wanted}",
            hint=f"it has {', '.join(f'repo{repository.number}' for repository in every)}.",
        )

    def _tool(
        self,
        tool_runner: ToolRunner,
        log: Callable[[str, str], None],
        sandbox: Sandbox | None = None,
    ) -> tuple[BackupTool, str]:
        """Return pgBackRest with the settings that beat those of production's file, and its version in words.

        Variables of the user's may be production's too, and name its directories: they beat what is only a wish.
        """
        settings = self._settings
        wishes = {
            "PGBACKREST_PROCESS_MAX": str(settings.process_max or os.cpu_count() or 1),
            # Of an accident in the repository it is certain at once; a store gets time.
            "PGBACKREST_JOB_RETRY_INTERVAL": "1",
        }
        ours = {
            "PGBACKREST_STANZA": settings.stanza,
            # Standard output is for data.
            "PGBACKREST_LOG_LEVEL_CONSOLE": "off",
            "PGBACKREST_LOG_LEVEL_STDERR": "warn",
            "PGBACKREST_LOG_LEVEL_FILE": "off",
            "PGBACKREST_LOG_TIMESTAMP": "n",
            "PGBACKREST_ARCHIVE_ASYNC": "n",
        }
        if settings.config is not None:
            ours["PGBACKREST_CONFIG"] = str(settings.config)
        if sandbox is None:
            wishes["PGBACKREST_IO_TIMEOUT"] = "20"
        else:
            ours |= {
                "PGBACKREST_PG1_PATH": str(sandbox.data),
                "PGBACKREST_LOCK_PATH": str(sandbox.wal / "lock"),
                # A restore removes the stanza's directory there: production's queue of what is to be archived.
                "PGBACKREST_SPOOL_PATH": str(sandbox.wal / "spool"),
                "PGBACKREST_LINK_ALL": "n",
                "PGBACKREST_DELTA": "n",
                "PGBACKREST_FORCE": "n",
            }
        tool = BackupTool(
            tool_runner=tool_runner,
            program=settings.program,
            env={},
            secrets=settings.secrets,
            log=log,
        )
        version = _version(tool)
        if version >= _ROOT_REFUSED_SINCE and os.geteuid() == 0:
            # For the files that root would leave; this one may write nothing but the copy.
            ours["PGBACKREST_ALLOW_ROOT"] = "y"
        return replace(
            tool, env={**wishes, **settings.env, **ours}
        ), f"pgBackRest {'.'.join(map(str, version))}"

    def _catalogue(self, tool: BackupTool, repository: Repository) -> catalogue.Catalogue:
        done = tool.run("catalogue", f"--repo={repository.number}", "info", "--output=json")
        if done.status != 0:
            raise failed(done, repository, "the catalogue could not be read")
        return catalogue.parse(done.stdout, self._settings.stanza, repository)

    def _details(self, tool: BackupTool, repository: Repository, label: str) -> Mapping[str, Any]:
        done = tool.run(
            "catalogue", f"--repo={repository.number}", "info", f"--set={label}", "--output=json"
        )
        if done.status != 0:
            raise failed(done, repository, f"backup {label} could not be looked up")
        return catalogue.details(done.stdout, self._settings.stanza, label)

    def _not_checked(self) -> tuple[str, ...]:
        delta = self._settings.delta
        if delta is None:
            return ()
        return (
            f"That nothing of production is left: `delta` keeps the files of the backup in {delta}.",
        )

    def _notes(self, found: catalogue.Catalogue, repository: Repository) -> list[str]:
        said = [f"restored from {repository.address}"]
        others = [
            other.address
            for other in repositories(
                self._settings.config, self._settings.stanza, self._settings.env
            )
            if other.number != repository.number
        ]
        said += [f"not drilled here: {', '.join(others)}"] if others else []
        return said + (
            ["a backup is being taken right now; it is not in the catalogue yet"]
            if found.locked
            else []
        )


def _version(tool: BackupTool) -> tuple[int, ...]:
    done = tool.run("catalogue", "version")
    match = _VERSION.search(done.stdout)
    if match is None:
        raise HarnessError(
            f"{tool.program} does not say that it is pgBackRest", hint="correct `program`."
        )
    return tuple(int(part) for part in match.groups() if part is not None)
