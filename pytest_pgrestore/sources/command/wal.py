"""WAL files that the user's command `wal_fetch` copies."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from pytest_pgrestore.sources.command.commands import failed, run_command
from pytest_pgrestore.sources.copying import in_parallel
from pytest_pgrestore.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_pgrestore.sources.backup_tool import BackupTool
    from pytest_pgrestore.sources.wal.stored_wal import WalPlan

_ABSENT = 1
"""Status of `wal_fetch` for a file that does not exist; any other one but 0 is an error."""

_IN_FLIGHT_SECONDS = 15.0
"""How long the newest segment may stay short: a copy of 16 MiB takes less, even to a slow disk."""

_PAUSE_SECONDS = 1.0
"""Between two looks: each starts the user's command."""


def history_text(tool: BackupTool, command: Sequence[str], name: str) -> str:
    """Return the text of a ``.history`` file.

    Raises:
        HarnessError: The command failed.
    """
    # The tool may run in a container, so the file is written, read and removed there.
    path = f"/tmp/pgrestore-{uuid4().hex}.history"  # noqa: S108 - a name that nobody can guess
    done = run_command(tool, command, "wal", {"file": name, "path": path})
    if done.status != 0:
        raise failed(done, f"{name} could not be brought")
    text = tool.run("wal", path, program="cat").stdout
    tool.run("wal", path, program="rm")
    return text


@dataclass(frozen=True, slots=True)
class Bringer:
    """Fetches segments into a directory; see `stored_wal.Bring`.

    Attributes:
        tool: Where the command runs.
        command: Program and arguments.
        wanted: The WAL of the restore.
    """

    tool: BackupTool
    command: Sequence[str]
    wanted: WalPlan

    def __call__(self, names: Sequence[str], into: Path) -> None:
        """Write each of `names` to `into`.

        Raises:
            HarnessError: The command failed.
        """
        newest = max(self.wanted.stored.segments, default="")

        def bring_one(name: str) -> None:
            bring = self._bring_whole if name == newest else self._bring
            bring(into / name)

        in_parallel(bring_one, names)

    def _bring(self, path: Path) -> None:
        done = run_command(self.tool, self.command, "wal", {"file": path.name, "path": str(path)})
        if done.status == _ABSENT:
            path.unlink(missing_ok=True)
        elif done.status != 0:
            raise failed(done, f"WAL segment {path.name} could not be brought")

    def _bring_whole(self, path: Path) -> None:
        """Fetch the newest segment, again while it is short: production may be copying it there.

        A segment that stays short is left as it is, for the check of all segments.
        """
        began = time.monotonic()

        def is_whole_or_late() -> bool:
            self._bring(path)
            whole = not path.exists() or path.stat().st_size == self.wanted.segment_bytes
            return whole or time.monotonic() - began > _IN_FLIGHT_SECONDS

        wait_until(
            is_whole_or_late,
            what=f"fetching {path.name}",
            timeout_seconds=math.inf,
            sleep=lambda _seconds: time.sleep(_PAUSE_SECONDS),
        )
