"""The variables a drill runs pgBackRest with, and its version.

Source: pgBackRest command reference: an option may be given as a variable ``PGBACKREST_...``, which
beats the file; an option on the command line beats both.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.backup_tool import BackupTool
    from pytest_pgrestore.sources.pgbackrest.table import PgbackrestTable

_VERSION = re.compile(r"^pgBackRest (\d+)\.(\d+)(?:\.(\d+))?", re.MULTILINE)
_ROOT_REFUSED_SINCE = (2, 59)
_READING = {"PGBACKREST_IO_TIMEOUT": "20"}
"""While only the catalogue is read: a store that does not answer is reported soon."""

_ALWAYS = {
    # Standard output is for data.
    "PGBACKREST_LOG_LEVEL_CONSOLE": "off",
    "PGBACKREST_LOG_LEVEL_STDERR": "warn",
    "PGBACKREST_LOG_LEVEL_FILE": "off",
    "PGBACKREST_LOG_TIMESTAMP": "n",
    "PGBACKREST_ARCHIVE_ASYNC": "n",
}


def version_of(tool: BackupTool) -> tuple[int, ...]:
    """Return the version of pgBackRest.

    Raises:
        HarnessError: The program is not pgBackRest.
    """
    done = tool.run("catalogue", "version")
    match = _VERSION.search(done.stdout)
    if match is None:
        raise HarnessError(
            f"{tool.program} does not say that it is pgBackRest", hint="correct `program`."
        )
    return tuple(int(part) for part in match.groups() if part is not None)


def environment(
    table: PgbackrestTable, sandbox: Sandbox | None, version: tuple[int, ...]
) -> dict[str, str]:
    """Return the variables: defaults of ours, then the user's, then what a drill must have.

    The user's variables may be production's too, and name its directories. So they beat the
    defaults, and what a drill must have beats them.

    Args:
        table: The source's table of the settings file.
        sandbox: What is restored into; None while pgBackRest only reads.
        version: Of pgBackRest.
    """
    defaults = {
        "PGBACKREST_PROCESS_MAX": str(table.process_max or os.cpu_count() or 1),
        # An accident in a directory is certain at once; a store gets time.
        "PGBACKREST_JOB_RETRY_INTERVAL": "1",
        **(_READING if sandbox is None else {}),
    }
    must = {"PGBACKREST_STANZA": table.stanza, **_ALWAYS}
    if table.config is not None:
        must["PGBACKREST_CONFIG"] = str(table.config)
    if sandbox is not None:
        must |= _restoring_into(sandbox)
    if version >= _ROOT_REFUSED_SINCE and os.geteuid() == 0:
        # It is refused for the files that root would leave; ours may write to the copy alone.
        must["PGBACKREST_ALLOW_ROOT"] = "y"
    return {**defaults, **table.env, **must}


def _restoring_into(sandbox: Sandbox) -> dict[str, str]:
    return {
        "PGBACKREST_PG1_PATH": str(sandbox.data),
        "PGBACKREST_LOCK_PATH": str(sandbox.wal / "lock"),
        # A restore removes the stanza's directory in the spool path, and production's queue of
        # WAL to archive lies there.
        "PGBACKREST_SPOOL_PATH": str(sandbox.wal / "spool"),
        "PGBACKREST_LINK_ALL": "n",
        "PGBACKREST_DELTA": "n",
        "PGBACKREST_FORCE": "n",
    }
