"""What all sources share whose backups and WAL only a backup tool can read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_pgrestore.model.errors import HarnessError, TargetUnreachable
from pytest_pgrestore.model.target import Immediate, Latest
from pytest_pgrestore.sources.protocol import ChosenBackup
from pytest_pgrestore.sources.wal import fetched_wal, stored_wal
from pytest_pgrestore.sources.wal.history_choice import choose_backup
from pytest_pgrestore.sources.wal.staging import empty_wal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.selection import Picked
    from pytest_pgrestore.sources.wal.history_graph import HistoryGraph
    from pytest_pgrestore.sources.wal.stored_wal import StoredWal, WalPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What `locate` found out, kept for the later steps of the same restore.

    Attributes:
        wal: The WAL that the restore needs.
        log: Keeps the output of tools under the name of a step.
    """

    wal: WalPlan
    log: Callable[[str, str], None]


ChoiceT = TypeVar("ChoiceT", bound=Choice)
ReadT = TypeVar("ReadT")


class ToolSource(Generic[ChoiceT]):
    """The steps of `sources.protocol.PhysicalSource` that are the same for every backup tool.

    Args:
        name: The user's name for the source.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._choices: dict[int, tuple[ChosenBackup, ChoiceT]] = {}

    @property
    def places(self) -> tuple[Path, ...]:
        """Return nothing: only the tool reads the repository, PostgreSQL's programs never do."""
        return ()

    def stage_wal(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Check the fetched WAL and move it to where the server reads it."""
        return fetched_wal.stage(self._choice_of(chosen).wal, sandbox)

    def reachable(self, chosen: ChosenBackup, sandbox: Sandbox) -> list[str]:
        """Return the reachable points nearest the target, and where the archive breaks off."""
        return fetched_wal.reachable(self._choice_of(chosen).wal, sandbox)

    @staticmethod
    def _read_again(
        request: LocateRequest, picked: Picked, first: ReadT, read: Callable[[ToolRunner], ReadT]
    ) -> tuple[ToolRunner, ReadT]:
        """Return where the tool of the restore runs, and what `read` returns for that tool.

        The image of the backup's major may have another version of the tool than the first one.

        Args:
            request: Finds the tool.
            picked: The chosen backup.
            first: What `read` returned for the first tool; used again if it is the same tool.
            read: Reads the catalogue.
        """
        tool_runner = request.find_tool_runner(picked.backup.server_major)
        if tool_runner is request.find_tool_runner(None):
            return tool_runner, first
        return tool_runner, read(tool_runner)

    @staticmethod
    def _chosen(picked: Picked, wal: WalPlan, restored_by: str) -> ChosenBackup:
        """Return the fields that every tool fills the same way; a source replaces the others."""
        return ChosenBackup(
            backup=picked.backup,
            selection=picked.selection,
            server_major=picked.backup.server_major or 0,
            timeline=wal.path.last,
            timeline_begins=wal.path.last_begins,
            archive_end=wal.end,
            checks=(wal.check(),),
            notes=wal.notes,
            other_candidates=picked.other_candidates,
            restored_by=restored_by,
        )

    def _keep(self, chosen: ChosenBackup, choice: ChoiceT) -> ChosenBackup:
        # Two drills of one backup differ in their targets, so the key is the object, not its value.
        # `chosen` is held too: otherwise a later object could get the same id().
        self._choices[id(chosen)] = chosen, choice
        return chosen

    def _choice_of(self, chosen: ChosenBackup) -> ChoiceT:
        return self._choices[id(chosen)][1]


@dataclass(frozen=True, slots=True)
class Pick:
    """The backup for a request, out of a catalogue that knows where each one begins.

    Attributes:
        picked: The choice.
        start_file: Name of the segment in which it begins.
        graph: The timelines of the archive, with the backups of its cluster.
        newest: Whether it is the newest of all, and not named by the user.
    """

    picked: Picked
    start_file: str
    graph: HistoryGraph
    newest: bool


def pick_among(
    entries: Sequence[tuple[Backup, str]],
    stored: StoredWal,
    request: LocateRequest,
    wanted: str | None,
) -> Pick:
    """Return the backup for a request.

    A position, a transaction and a name mean something in one cluster only. So the newest cluster
    with a backup that fits is the one meant.

    Args:
        entries: The backups, oldest first, each with the segment in which it begins.
        stored: All WAL of the repository.
        request: The target and the timeline.
        wanted: Label of the backup that the user names; None names none.

    Raises:
        BackupNotRestorable: The catalogue contradicts itself.
        HarnessError: There is no backup of that name.
        TargetUnreachable: Every backup ends after the target.
    """
    groups = _by_cluster(entries)
    if wanted is not None:
        named = [group for group in groups if any(backup.label == wanted for backup, _ in group)]
        groups = named or [list(entries)]
    elif isinstance(request.target, Latest | Immediate):
        groups = groups[:1]
    for group in groups[:-1]:
        try:
            return _pick_in(group, stored, request, wanted, entries[-1][0])
        except TargetUnreachable:
            continue
    return _pick_in(groups[-1], stored, request, wanted, entries[-1][0])


def _by_cluster(entries: Sequence[tuple[Backup, str]]) -> list[list[tuple[Backup, str]]]:
    """Return the backups of each cluster, that with the newest backup first."""
    groups: dict[int | None, list[tuple[Backup, str]]] = {}
    for entry in reversed(entries):
        groups.setdefault(entry[0].system_identifier, []).insert(0, entry)
    return list(groups.values())


def _pick_in(
    entries: Sequence[tuple[Backup, str]],
    stored: StoredWal,
    request: LocateRequest,
    wanted: str | None,
    last: Backup,
) -> Pick:
    backups = [backup for backup, _ in entries]
    graph = stored_wal.graph_of(stored, backups, entries[-1][1])
    picked = choose_backup(graph, request, wanted)
    start_file = next(name for backup, name in entries if backup is picked.backup)
    newest = wanted is None and picked.backup is last
    return Pick(picked, start_file, graph, newest)


def untested(
    tool: str, version: str, oldest: tuple[int, ...], newest: tuple[int, ...]
) -> tuple[str, ...]:
    """Return a note if a tool's version lies outside of the releases that our tests ran with.

    Args:
        tool: Name of the tool.
        version: Its version, beginning with numbers and dots.
        oldest: The oldest release tested.
        newest: The newest one; versions that begin with these numbers count as tested.
    """
    found = tuple(int(part) for part in re.findall(r"\d+", version)[: len(oldest)])
    if oldest <= found <= newest:
        return ()
    releases = " to ".join(".".join(map(str, part)) for part in dict.fromkeys((oldest, newest)))
    return (f"{tool} {version} was not tested with this plugin; {releases} was",)


def required(tool_runner: ToolRunner | None, tool: str) -> ToolRunner:
    """Return where the tool runs.

    Raises:
        HarnessError: There is no such place: the caller made a mistake.
    """
    if tool_runner is None:
        raise HarnessError(f"the catalogue takes {tool}", hint="this is a bug: please report it.")
    return tool_runner


def log_nothing(_step: str, _text: str) -> None:
    """Drop the output of a tool: a listing belongs to no drill, so there is no log to keep it."""


def hand_over(sandbox: Sandbox) -> None:
    """Give the restored files to the server's user, and remove WAL that came with the backup.

    Only WAL that `stored_wal.bring` fetched is replayed.
    """
    empty_wal(sandbox.data)
    for folder in (sandbox.data, sandbox.tablespaces, sandbox.wal):
        sandbox.adopt(folder)
    sandbox.data.chmod(0o700)
