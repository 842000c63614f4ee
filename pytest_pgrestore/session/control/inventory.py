"""The inventory of a full run: read, and compared with the sources."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError, PgRestoreError
from pytest_pgrestore.model.visible import visible_message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.model.past import InventoryFacts
    from pytest_pgrestore.session.drill_session import DrillSession
    from pytest_pgrestore.settings.inventory_table import InventoryTable

_LONGEST = 1024 * 1024
"""Bytes of an inventory."""

_NAMED = 20
"""Names that are a problem each."""


def look_up(
    state: DrillSession, covers: Mapping[str, tuple[str, ...]], problems: list[str]
) -> InventoryFacts | None:
    """Return what the inventory has and no source covers; None if there is no inventory.

    A database that nobody backs up is no finding about a backup. The run cannot say that all is
    well either, so it is a problem of the run.

    Args:
        state: The run's drills.
        covers: The names in the inventory of each source.
        problems: Gets each such name, or why the inventory could not be had.
    """
    from pytest_pgrestore.history.inventory import compare, read_inventory
    from pytest_pgrestore.privacy.masking import SecretMasker

    table = state.settings.file.inventory
    if not table.is_set:
        return None
    origin = f"command {Path(table.command[0]).name}" if table.command else f"file {table.file}"
    try:
        names = read_inventory(_text(table, state.settings.path))
    except (PgRestoreError, OSError) as exc:
        why = exc.problem if isinstance(exc, PgRestoreError) else exc.strerror
        hint = exc.hint if isinstance(exc, PgRestoreError) else "correct `file` in [inventory]."
        # What the command was given, it may have printed.
        why = SecretMasker(table.env.values()).mask(why or "")
        told = visible_message(f"the inventory ({origin}) is not known: {why}; {hint}")
        problems.append(state.redaction.masker.mask(told))
        return None
    facts = compare(origin, names, covers, table.ignore)
    problems += [
        f"{name} is in the inventory, and no source covers it; configure it, or list it in `ignore`"
        for name in facts.uncovered[:_NAMED]
    ]
    if len(facts.uncovered) > _NAMED:
        problems.append(
            f"{len(facts.uncovered) - _NAMED} more names of the inventory have no source"
        )
    return facts


def _text(table: InventoryTable, settings: Path | None) -> str:
    """Return the text of the inventory.

    Raises:
        HarnessError: The command failed, or took too long.
        OSError: The file cannot be read.
    """
    if table.command is None:
        from pytest_pgrestore.system.regular_file import read_limited

        content = read_limited(Path(table.file or ""), _LONGEST)
        return content.decode("utf-8", errors="backslashreplace")
    from pytest_pgrestore.system.process import child_environment, run

    try:
        done = run(
            table.command,
            timeout_seconds=table.timeout.total_seconds(),
            env=child_environment(table.env),
            cwd=None if settings is None else settings.parent,
        )
    except HarnessError as exc:
        raise HarnessError(exc.problem, hint=_COMMAND) from None
    return done.stdout


_COMMAND = (
    "run the command by hand: it has PATH and the `env` of [inventory] alone, and may take its"
    " `timeout`."
)
