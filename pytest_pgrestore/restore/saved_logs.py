"""Logs of a drill saved beside the reports, without row values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.privacy.log_text import without_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.sandboxes.protocol import Run


def save_logs(run: Run, drill_key: str, log_directory: Path) -> tuple[str, ...]:
    """Copy the logs of the drill's sandbox; return their names relative to the evidence file.

    Args:
        run: The run that owns the sandbox.
        drill_key: Key of the drill.
        log_directory: Directory beside the evidence file.
    """
    saved = []
    for path in sorted((run.drill_root(drill_key) / "logs").glob("*")):
        text = path.read_text(encoding="utf-8", errors="backslashreplace")
        saved.append(_save(run, drill_key, log_directory, path.name, text))
    return tuple(saved)


def save_tool_output(
    run: Run, drill_key: str, tool_output: Mapping[str, str], log_directory: Path
) -> tuple[str, ...]:
    """Write what backup tools printed, also for a drill that never had a sandbox.

    Args:
        run: The run that owns the sandbox.
        drill_key: Key of the drill.
        tool_output: Text by the name of its log, without suffix.
        log_directory: Directory beside the evidence file.
    """
    return tuple(
        _save(run, drill_key, log_directory, f"{step}.log", text)
        for step, text in tool_output.items()
    )


def _save(run: Run, drill_key: str, log_directory: Path, name: str, text: str) -> str:
    folder = log_directory / run.drill_root(drill_key).name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(without_values(text), encoding="utf-8", errors="backslashreplace")
    path.chmod(0o600)
    return str(Path(log_directory.name) / folder.name / name)
