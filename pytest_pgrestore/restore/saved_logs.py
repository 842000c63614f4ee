"""Logs of a drill saved beside the reports, without row values."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.privacy.log_text import OPEN, without_values
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.sandboxes.protocol import Run


_KNOWN = re.compile(r"(?:server-\d{1,3}|load)\.log|container\.json")
"""Names of the logs that a sandbox and a drill write. Others are not ours."""

KEPT_BYTES = 2 * 1024 * 1024
"""How much is kept of a log's begin, and of its end: twenty thousand lines each.

A server can be made to log any amount. The begin tells how it started, and the end how it ended.
"""

_MESSAGE = re.compile(
    r"^\S+ \S+ \S+ \[\d+\] \w{5} (?!DETAIL|HINT|QUERY|CONTEXT)[A-Z0-9]+:  ", re.MULTILINE
)
"""Begin of a message: a log is cut there, because its last lines decide what may be kept of it."""


def save_logs(run: Run, drill_key: str, log_directory: Path) -> tuple[str, ...]:
    """Copy the logs of the drill's sandbox; return their names relative to the evidence file.

    Their directory may have been written by what ran in the copy. So only regular files of known
    names are read, and no link is followed.

    Args:
        run: The run that owns the sandbox.
        drill_key: Key of the drill.
        log_directory: Directory beside the evidence file.
    """
    return tuple(
        _save(run, drill_key, log_directory, path.name, _log_text(path))
        for path in sorted((run.drill_root(drill_key) / "logs").glob("*"))
        if _KNOWN.fullmatch(path.name)
    )


def _log_text(path: Path) -> str:
    """Return what is kept of a log: all of it, or its begin and its end; no row values."""
    try:
        with open_regular(path, follow=False) as stream:
            size = os.fstat(stream.fileno()).st_size
            head = _decoded(stream.read(min(size, 2 * KEPT_BYTES)))
            if size <= 2 * KEPT_BYTES:
                return without_values(head)
            stream.seek(0)
            head = _decoded(stream.read(KEPT_BYTES))
            stream.seek(size - KEPT_BYTES)
            tail = _decoded(stream.read(KEPT_BYTES))
    except OSError as exc:
        return f"(not saved: {exc.strerror})\n"
    begins = [found.start() for found in _MESSAGE.finditer(head)]
    first = _MESSAGE.search(tail)
    head = head[: begins[-1]] if begins else ""
    tail = tail[first.start() :] if first else ""
    left_out = size - len(head.encode()) - len(tail.encode())
    # Clients could log in when the end was written, whatever words are in it.
    _, _, tail = without_values(f"{OPEN}\n{tail}").partition("\n")
    return f"{without_values(head)}(about {left_out:,} bytes are left out here)\n{tail}"


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", errors="backslashreplace")


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
        _save(run, drill_key, log_directory, f"{step}.log", without_values(text))
        for step, text in tool_output.items()
    )


def _save(run: Run, drill_key: str, log_directory: Path, name: str, text: str) -> str:
    folder = log_directory / run.drill_root(drill_key).name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
    path.chmod(0o600)
    return str(Path(log_directory.name) / folder.name / name)
