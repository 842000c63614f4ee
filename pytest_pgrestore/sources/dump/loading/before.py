"""The file of the setting `before`: SQL of the user, run before the dump."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, ConfigError, HarnessError
from pytest_pgrestore.sources.dump.loading.blame import Situation
from pytest_pgrestore.system.regular_file import read_limited

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sources.dump.loading.clients import Clients

_LARGEST_BYTES = 64 * 1024 * 1024


def run_before(path: Path, clients: Clients, database: str) -> str:
    """Run the file in `database`; return the sentence for the evidence.

    Raises:
        ConfigError: It cannot be read.
        HarnessError: An error in it. It is the user's own file, and no part of the backup.
    """
    try:
        content = read_limited(path, _LARGEST_BYTES)
    except OSError as exc:
        raise ConfigError(
            f"before names {path}: {exc.strerror or exc}",
            hint="name a file of SQL statements that the user who runs pytest may read.",
        ) from exc
    stream = clients.stream([content], lambda sql: sql, path.name)
    done = clients.psql(stream, database)
    try:
        clients.judge(done, f"psql, {path.name}", Situation())
    except BackupNotRestorable as exc:
        raise HarnessError(
            f"before, {exc.problem}", hint=f"correct {path}: it is run before the dump."
        ) from exc
    return f"before the dump, {path.name} was run in database {database}"
