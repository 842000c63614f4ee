"""Source `command`: the escape hatch for whatever has no source of its own: snapshots, operators, other tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.model.wal import is_segment_name
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.sources.backup_tool import BackupTool
from pytest_pgrestore.sources.basebackup import manifest_check
from pytest_pgrestore.sources.basebackup.unpacking import TABLESPACE_MAP
from pytest_pgrestore.sources.command import catalogue
from pytest_pgrestore.sources.copying import in_parallel
from pytest_pgrestore.sources.protocol import ChosenBackup
from pytest_pgrestore.sources.selection import no_backup, other_candidates, pick
from pytest_pgrestore.sources.tool_source import Choice, ToolSource, hand_over, required, unheard
from pytest_pgrestore.sources.wal import stored_wal
from pytest_pgrestore.sources.wal.stored_wal import StoredWal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.secret import Secret
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.system.process import Completed

PLACEHOLDERS = {
    "list": (),
    "fetch": ("backup", "data", "tablespaces"),
    "wal_list": (),
    "wal_fetch": ("file", "path"),
}
"""What may stand in braces in each command."""

_ABSENT = 1
"""Status by which the WAL command says that a file is not there; every other one but 0 is an error."""

_HISTORY = ".history"
_HISTORY_DIGITS = 8
_GROWTH = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSettings:
    """What the settings file says.

    Attributes:
        list: Prints the catalogue as JSON.
        fetch: Fills ``{data}`` from ``{backup}``.
        wal_fetch: Brings ``{file}`` to ``{path}``.
        wal_list: Prints the names of the WAL there is, a line each.
        read_paths: Files and directories of this machine the commands read.
        verify: Whether to run pg_verifybackup where there is a manifest.
        backup: Label of the backup to restore; None chooses.
        on_host: Whether they run on this machine beside a docker sandbox.
        env: Variables everybody may see.
        secrets: Variables nobody may see.
        network: Whether they take a network.
    """

    list: Sequence[str]
    fetch: Sequence[str]
    wal_fetch: Sequence[str]
    wal_list: Sequence[str]
    read_paths: Sequence[Path] = ()
    verify: bool = True
    backup: str | None = None
    on_host: bool = False
    env: Mapping[str, str]
    secrets: Mapping[str, Secret]
    network: bool = False


class CommandSource(ToolSource[Choice]):
    """Implements `sources.protocol.PhysicalSource` with commands of the user's.

    Args:
        name: The user's name for it.
        settings: What the settings file says.

    Raises:
        ConfigError: A command is empty, or names a placeholder it does not get.
    """

    type = "command"

    def __init__(self, name: str, settings: CommandSettings) -> None:
        super().__init__(name)
        self._settings = settings
        for key, known in PLACEHOLDERS.items():
            _require_sound(name, key, getattr(settings, key), known)

    @property
    def requirements(self) -> ToolRequirements:
        """What the commands need to run: programs named by a path, and what `read_paths` names."""
        settings = self._settings
        every = (settings.list, settings.fetch, settings.wal_fetch, settings.wal_list)
        named = [Path(command[0]) for command in every if command[0].startswith("/")]
        return ToolRequirements(
            program=settings.list[0],
            reads=tuple(
                dict.fromkeys(path for path in (*named, *settings.read_paths) if path.exists())
            ),
            network=settings.network,
            on_host=settings.on_host,
        )

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - the same for every target
        """Return the names of the checks this source reports."""
        return (stored_wal.CHECK, *((manifest_check.NAME,) if self._settings.verify else ()))

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first."""
        return [
            backup
            for backup, _ in self._catalogue(
                self._tool(required(tool_runner, "its command"), unheard)
            )
        ]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and see whether its target can be reached; reads only."""
        tool = self._tool(request.find_tool_runner(None), request.log)
        entries = self._catalogue(tool)
        if not entries:
            raise no_backup(f"the list of source {self.name}")
        every = [entry[0] for entry in entries]
        backup, selection = pick(every, request.target, self._settings.backup)
        start_file = next(name for entry, name in entries if entry is backup)
        wal = stored_wal.plan(request, backup, start_file, self._stored_wal(tool))
        chosen = ChosenBackup(
            backup=backup,
            selection=selection,
            server_major=backup.server_major or 0,
            needed_bytes=None
            if backup.size_bytes is None
            else int(backup.size_bytes * _GROWTH) + wal.needed_bytes,
            timeline=wal.path.last,
            archive_end=wal.end,
            checks=(wal.check(),),
            not_checked=(
                "Whether the commands left the backups as they were: they are the user's own.",
            ),
            notes=wal.notes,
            other_candidates=other_candidates(every, backup, request.target, self._settings.backup),
            restored_by=f"command {self._settings.fetch[0]}, {tool.tool_runner.origin}",
        )
        return self._keep(chosen, Choice(wal=wal, log=request.log))

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Let the user's command fill the sandbox, and bring the WAL."""
        choice, label = self._choice_of(chosen), chosen.backup.label
        tool = self._tool(sandbox.tool_runner(self.requirements), choice.log)
        places = {
            "backup": label,
            "data": str(sandbox.data),
            "tablespaces": str(sandbox.tablespaces),
        }
        done = self._run(tool, "fetch", places)
        if done.status != 0:
            raise _failed(done, f"backup {label} was not fetched")
        if not (sandbox.data / "PG_VERSION").exists():
            raise HarnessError(
                f"the fetch command ended with status 0 and left no PG_VERSION in {{data}} for backup {label}",
                hint="it is to put the files of the data directory into {data} itself, not below it.",
            )
        # It names production's paths, and beats the links; a tablespace that is not in the sandbox is refused later.
        (sandbox.data / TABLESPACE_MAP).unlink(missing_ok=True)

        def bring(names: Sequence[str], into: Path) -> None:
            in_parallel(lambda name: self._bring_one(tool, name, into / name), names)

        words = stored_wal.bring(choice.wal, bring, sandbox)
        hand_over(sandbox)
        return f"backup {label} fetched by {self._settings.fetch[0]}; {words}"

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:  # noqa: ARG002 - protocol
        """Run pg_verifybackup on the restored files where they have a manifest."""
        if not self._settings.verify:
            return (manifest_check.switched_off(),)
        return (manifest_check.verify(sandbox, []),)

    def _tool(self, tool_runner: ToolRunner, log: Callable[[str, str], None]) -> BackupTool:
        settings = self._settings
        return BackupTool(
            tool_runner=tool_runner,
            program=settings.list[0],
            env=settings.env,
            secrets=settings.secrets,
            log=log,
        )

    def _run(
        self,
        tool: BackupTool,
        key: str,
        values: Mapping[str, str],
        *,
        step: str = "",
        quiet: bool = False,
    ) -> Completed:
        """Run one of the commands with its placeholders filled in; no shell is asked."""
        words = [_filled(word, values) for word in getattr(self._settings, key)]
        return tool.run(step or key, *words[1:], program=words[0], quiet=quiet)

    def _catalogue(self, tool: BackupTool) -> list[tuple[Backup, str]]:
        done = self._run(tool, "list", {}, step="catalogue")
        if done.status != 0:
            raise _failed(done, "the backups could not be listed")
        return catalogue.parse(done.stdout, f"the list of source {self.name}")

    def _stored_wal(self, tool: BackupTool) -> StoredWal:
        done = self._run(tool, "wal_list", {}, step="repository", quiet=True)
        if done.status != 0:
            raise _failed(done, "the WAL could not be listed")
        names = done.stdout.split()
        segments = {name: None for name in names if is_segment_name(name)}
        histories = {
            int(name[:_HISTORY_DIGITS], 16): self._history(tool, name)
            for name in names
            if name.endswith(_HISTORY)
        }
        return StoredWal(segments=segments, histories=histories)

    def _history(self, tool: BackupTool, name: str) -> str:
        # A place of the tool's own: what it writes there is read back by a program of the same place.
        aside = f"/tmp/pgrestore-{uuid4().hex}{_HISTORY}"  # noqa: S108 - a name nobody can guess
        done = self._run(tool, "wal_fetch", {"file": name, "path": aside}, step="wal")
        if done.status != 0:
            raise _failed(done, f"{name} could not be brought")
        text = tool.run("wal", aside, program="cat").stdout
        tool.run("wal", aside, program="rm")
        return text

    def _bring_one(self, tool: BackupTool, name: str, path: Path) -> None:
        done = self._run(tool, "wal_fetch", {"file": name, "path": str(path)}, step="wal")
        if done.status == _ABSENT:
            path.unlink(missing_ok=True)
        elif done.status != 0:
            raise _failed(done, f"WAL segment {name} could not be brought")


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def _require_sound(source: str, key: str, command: Sequence[str], known: Sequence[str]) -> None:
    import re

    if not command:
        raise ConfigError(
            f"source {source}: {key} is empty",
            hint="write a program and its arguments, a text each.",
        )
    named = re.findall(r"\{(\w+)\}", " ".join(command))
    unknown = [name for name in named if name not in known]
    missing = [
        name for name in ("backup", "data", "file", "path") if name in known and name not in named
    ]
    if unknown or missing:
        wrong = [f"{{{name}}} means nothing there" for name in unknown] + [
            f"{{{name}}} is missing" for name in missing
        ]
        raise ConfigError(
            f"source {source}: {key}: {', '.join(wrong)}",
            hint=f"it gets {', '.join(f'{{{name}}}' for name in known)}."
            if known
            else "it gets no placeholder.",
        )


def _failed(done: Completed, what: str) -> HarnessError:
    """Return the error of a command: what it was is not known, so nothing was learned about the backup."""
    said = next(iter((done.stderr or done.stdout).strip().splitlines()), "it printed nothing")
    return HarnessError(
        f"{what}: the command ended with status {done.status}: {said}", hint="read its saved log."
    )
