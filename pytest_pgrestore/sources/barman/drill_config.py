"""The configuration that a drill runs Barman with, made from the user's own configuration.

- It has no hook scripts, so no script runs.
- It has no connection to production, so it needs no password of production.
- Its locks are outside of Barman's home, so the home is only read.
- Its `barman_user` is the user who runs pytest. Barman refuses to run as another user.

Source: Barman manual, "Configuration".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_pgrestore.sources.barman.own_config import Server

STAGING = "staging"
"""Directory of the workspace in which Barman unpacks or combines a backup first."""

_KEPT = re.compile(
    r"\w+_directory|compression|custom_\w+|backup_method|backup_compression\w*|encryption\w*"
)
"""Options of a server that are needed to read its home."""

_NOT_KEPT = {"barman_lock_directory", "configuration_files_directory"}


def drill_config(
    server: Server, workspace: Path, major: int | None, user: str, changes: Mapping[str, str]
) -> str:
    """Return the text of the configuration file.

    Args:
        server: The server, from the user's configuration.
        workspace: Directory that Barman may write to.
        major: Server major whose programs Barman may need; None needs none.
        user: Name of the user who runs Barman.
        changes: Options that replace all others.
    """
    kept = {
        name: value
        for name, value in server.options.items()
        if _KEPT.fullmatch(name) and name not in _NOT_KEPT
    }
    common = {
        "barman_user": user,
        "barman_home": str(workspace),
        "barman_lock_directory": str(workspace),
    }
    own = {**kept, **_required(server, workspace, major), **changes}
    return _section("barman", common) + _section(server.name, own)


def _required(server: Server, workspace: Path, major: int | None) -> dict[str, str]:
    """Return the options that replace those of the user."""
    return {
        "conninfo": "host=/nonexistent",
        "streaming_conninfo": "host=/nonexistent",
        "ssh_command": "false",
        # Barman wants one way in which WAL arrives, and streaming needs a slot of production.
        # Neither is used.
        "archiver": "on",
        "recovery_staging_path": str(workspace / STAGING),
        "local_staging_path": str(workspace / STAGING),
        "path_prefix": ":".join(_program_directories(server, major)),
        # A restore first archives what is in these directories, into the home.
        "incoming_wals_directory": str(workspace / "none-incoming"),
        "streaming_wals_directory": str(workspace / "none-streaming"),
        "errors_directory": str(workspace / "none-errors"),
    }


def _program_directories(server: Server, major: int | None) -> list[str]:
    """Return the directories of PostgreSQL's programs: the user's, and those of distributions."""
    own = server.options.get("path_prefix")
    found = [own] if own else []
    if major is not None:
        # Packages of Debian, and of the PostgreSQL project for Red Hat.
        found += [f"/usr/lib/postgresql/{major}/bin", f"/usr/pgsql-{major}/bin"]
    return found


def _section(name: str, options: Mapping[str, str]) -> str:
    lines = [f"{option} = {_escaped(value)}" for option, value in options.items() if value]
    return "\n".join([f"[{name}]", *lines]) + "\n"


def _escaped(value: str) -> str:
    """Return a value as Python's configparser reads it back."""
    return value.replace("%", "%%").replace("\n", "\n    ")
