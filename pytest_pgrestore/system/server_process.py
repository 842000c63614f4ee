"""A running server as the system shows it: what its own SQL answers cannot change.

Source: proc(5), /proc/pid/cmdline and /proc/pid/stat. PostgreSQL's postmaster keeps its arguments;
its children show what they do in theirs (src/backend/utils/misc/ps_status.c).
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

_LONGEST_TITLE = 200
"""Characters of a title that are kept: a background worker chooses its own."""


def arguments_of(pid: int) -> list[str]:
    """Return the arguments process `pid` was started with; empty where the system hides them."""
    try:
        content = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [word.decode("utf-8", "backslashreplace") for word in content.rstrip(b"\0").split(b"\0")]


def settings_of(pid: int) -> dict[str, str] | None:
    """Return the settings that server `pid` was given as arguments; None where they are hidden.

    They beat every file, ALTER SYSTEM's too, for as long as it runs (``GucSource`` in PostgreSQL's
    src/include/utils/guc.h).
    """
    words = arguments_of(pid)
    if not words or words == [""]:
        return None
    given = [after for word, after in pairwise(words) if word == "-c"]
    pairs = (text.partition("=") for text in given)
    return {name: value for name, _, value in pairs}


def titles_of_children(pid: int, cluster_name: str) -> list[str] | None:
    """Return what the child processes of server `pid` show as their work; None if it is hidden.

    Args:
        pid: The postmaster.
        cluster_name: The setting, which is a part of each title.
    """
    own = arguments_of(pid)
    if not own:
        return None
    begin = f"postgres: {cluster_name}: " if cluster_name else "postgres: "
    titles = (" ".join(arguments_of(child)).strip() for child in _children(pid))
    return sorted(
        title.removeprefix(begin)[:_LONGEST_TITLE]
        for title in titles
        # Empty: it has ended. The postmaster's own words: it was forked a moment ago.
        if title and title != " ".join(own).strip()
    )


def _children(pid: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - every process of the machine
        if not name.isdigit():
            continue
        try:
            fields = Path(f"/proc/{name}/stat").read_text(errors="replace").rpartition(")")[2]
        except OSError:
            continue
        if fields.split()[1] == str(pid):
            found.append(int(name))
    return found
