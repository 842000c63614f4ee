"""The commands of the user: their placeholders, how they run, and the error of one that fails."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.sources.backup_tool import ends_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_pgrestore.sources.backup_tool import BackupTool
    from pytest_pgrestore.sources.command.table import CommandTable
    from pytest_pgrestore.system.process import Completed

PLACEHOLDERS: Mapping[str, tuple[str, ...]] = {
    "list": (),
    "fetch": ("backup", "data", "tablespaces"),
    "wal_list": (),
    "wal_fetch": ("file", "path"),
}
"""Key of each command to the names that it may have in braces."""

_REQUIRED = ("backup", "data", "file", "path")
"""Placeholders that a command must have if it may have them."""

_LONGEST = 300
"""Characters of the command's text in a message."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def commands_of(table: CommandTable) -> dict[str, Sequence[str]]:
    """Return the key of each command to its program and arguments."""
    return {
        "list": table.list,
        "fetch": table.fetch,
        "wal_list": table.wal_list,
        "wal_fetch": table.wal_fetch,
    }


def require_commands(source: str, table: CommandTable) -> None:
    """Check every command of a source.

    Raises:
        ConfigError: One is empty, has a placeholder it does not get, or lacks one it needs.
    """
    for key, command in commands_of(table).items():
        _require_command(f"source {source}: {key}", command, PLACEHOLDERS[key])


def _require_command(where: str, command: Sequence[str], known: Sequence[str]) -> None:
    if not command:
        raise ConfigError(
            f"{where} is empty", hint="write a program and its arguments, a text each."
        )
    named = _PLACEHOLDER.findall(" ".join(command))
    wrong = [f"{{{name}}} means nothing there" for name in named if name not in known]
    wrong += [f"{{{name}}} is missing" for name in _REQUIRED if name in known and name not in named]
    if wrong:
        gets = ", ".join(f"{{{name}}}" for name in known) or "no placeholder"
        raise ConfigError(f"{where}: {', '.join(wrong)}", hint=f"it gets {gets}.")


def run_command(
    tool: BackupTool,
    command: Sequence[str],
    step: str,
    values: Mapping[str, str] | None = None,
    *,
    quiet: bool = False,
) -> Completed:
    """Run a command without a shell.

    Args:
        tool: Where it runs, and its variables.
        command: Program and arguments.
        step: Name of the log that keeps the output.
        values: Placeholders to their values.
        quiet: As of `BackupTool.run`.
    """
    program, *arguments = [_filled(word, values or {}) for word in command]
    return tool.run(step, *arguments, program=program, quiet=quiet)


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def failed(done: Completed, what: str) -> HarnessError:
    """Return the error for a command that failed.

    The cause is not known, so it never means that the backup is bad.
    """
    lines = ends_of(done.stderr or done.stdout).strip().splitlines()
    first = lines[0][:_LONGEST] if lines else "it printed nothing"
    return HarnessError(
        f"{what}: the command ended with status {done.status}: {first}", hint="read its saved log."
    )
