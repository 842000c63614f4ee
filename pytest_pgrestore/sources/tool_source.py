"""What sources share whose backups and WAL only a tool of their own can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.wal import fetched_wal
from pytest_pgrestore.sources.wal.staging import empty_wal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.protocol import ChosenBackup
    from pytest_pgrestore.sources.wal.stored_wal import WalPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What `locate` found out, kept for the later steps of the same restore.

    Attributes:
        wal: The WAL it takes.
        log: Keeps what tools print, under the name of a step.
    """

    wal: WalPlan
    log: Callable[[str, str], None]


ChoiceT = TypeVar("ChoiceT", bound=Choice)


class ToolSource(Generic[ChoiceT]):
    """The steps of `sources.protocol.PhysicalSource` that are the same for every backup tool.

    Args:
        name: The user's name for it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._choices: dict[int, tuple[ChosenBackup, ChoiceT]] = {}

    @property
    def places(self) -> tuple[Path, ...]:
        """Return nothing: PostgreSQL's programs read the copy, and the tool alone the repository."""
        return ()

    def stage_wal(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Check the WAL that was brought, and lay it out for the server."""
        return fetched_wal.stage(self._choice_of(chosen).wal, sandbox)

    def reachable(self, chosen: ChosenBackup, sandbox: Sandbox) -> list[str]:
        """Return the stops nearest the target, and what cuts the archive."""
        return fetched_wal.reachable(self._choice_of(chosen).wal, sandbox)

    def _keep(self, chosen: ChosenBackup, choice: ChoiceT) -> ChosenBackup:
        # By identity: two drills of one backup differ in what they want of it. Held, so that no other gets its number.
        self._choices[id(chosen)] = chosen, choice
        return chosen

    def _choice_of(self, chosen: ChosenBackup) -> ChoiceT:
        return self._choices[id(chosen)][1]


def required(tool_runner: ToolRunner | None, tool: str) -> ToolRunner:
    """Return where the tool runs; a catalogue that only it can read takes it."""
    if tool_runner is None:
        raise HarnessError(f"the catalogue takes {tool}", hint="this is a bug: please report it.")
    return tool_runner


def unheard(_step: str, _text: str) -> None:
    """Keep nothing of what a tool prints: a listing has no drill whose logs it could go to."""


def hand_over(sandbox: Sandbox) -> None:
    """Give what a tool laid out to the server's user; WAL is not what came along, but what was brought."""
    empty_wal(sandbox.data)
    for folder in (sandbox.data, sandbox.tablespaces, sandbox.wal):
        sandbox.adopt(folder)
    sandbox.data.chmod(0o700)
