"""Logs of a drill saved beside the reports, without row values."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.privacy.log_text import without_values
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.sandboxes.protocol import Run

LOG_BYTES = 16 * 1024 * 1024
"""Most that is kept of a log. The messages of a day's drill have a hundredth of it."""


def save_logs(run: Run, drill_key: str, log_directory: Path) -> tuple[str, ...]:
    """Copy the logs of the drill's sandbox; return their names relative to the evidence file.

    Args:
        run: The run that owns the sandbox.
        drill_key: Key of the drill.
        log_directory: Directory beside the evidence file.
    """
    saved = []
    for path in sorted((run.drill_root(drill_key) / "logs").glob("*")):
        text = _text_of(path)
        if text:
            saved.append(_save(run, drill_key, log_directory, path.name, text))
    return tuple(saved)


def _text_of(path: Path) -> str:
    """Return the text of a log; of a long one the beginning and the end.

    The server writes it, and so does whatever the backup's SQL runs: it may be anything.
    """
    try:
        with open_regular(path, follow=False) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size <= LOG_BYTES:
                return _decoded(stream.read(LOG_BYTES))
            first = stream.read(LOG_BYTES // 2)
            stream.seek(size - LOG_BYTES // 2)
            left_out = f"\n[{size - LOG_BYTES:,} bytes left out]\n"
            return _decoded(first) + left_out + _decoded(stream.read(LOG_BYTES // 2))
    except OSError as exc:
        return f"[not kept: {exc.strerror}]\n"


def _decoded(content: bytes) -> str:
    return content.decode(errors="backslashreplace")


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
