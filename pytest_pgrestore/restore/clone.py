"""A private, writable copy of a restored server, for one test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.restore.instance import RestoredInstance
from pytest_pgrestore.restore.quarantine.recovery_settings import floors
from pytest_pgrestore.restore.quarantine.settings import server_settings
from pytest_pgrestore.restore.server import control_data
from pytest_pgrestore.restore.server.log import ServerLog
from pytest_pgrestore.system.waiting import wait_until

if TYPE_CHECKING:
    from pytest_pgrestore.sandboxes.protocol import Run


def clone(instance: RestoredInstance, run: Run, name: str) -> RestoredInstance:
    """Copy the running `instance` with pg_basebackup and start the copy under the same quarantine.

    The copy is of the instance as it is now, other tests may use it meanwhile. It costs a copy of all data files.

    Args:
        instance: What to copy.
        run: The run that owns it.
        name: Key of the copy; `run.close_drill(name)` removes it.

    Raises:
        HarnessError: Disk full, or the copy does not start.
    """
    access = instance.access
    with instance.connect() as connection:
        major = connection.info.server_version // 10000
    sandbox = run.sandbox(name, run.find_programs(major), reads=(Path(access.socket_directory),))
    where = [
        "--host",
        access.socket_directory,
        "--port",
        str(access.port),
        "--username",
        access.user,
    ]
    mappings = [
        f"--tablespace-mapping={old}={sandbox.tablespaces / oid}"
        for oid, old in _tablespaces(instance)
    ]
    sandbox.programs.run(
        "pg_basebackup",
        *where,
        "--pgdata",
        str(sandbox.data),
        "--checkpoint=fast",
        "--wal-method=fetch",
        "--no-sync",
        "--no-manifest",
        *mappings,
        env={"PGOPTIONS": access.options},
    )
    control = control_data.read(sandbox)
    (sandbox.data / "postgresql.auto.conf").write_text("")
    nonce = uuid4().hex
    settings = server_settings(major, nonce)
    settings |= floors(control) | {"wal_level": "replica"}
    sandbox.start(settings)
    log = ServerLog(sandbox.server_log())

    def is_open() -> bool:
        log.refresh()
        if sandbox.exit_status() is not None:
            raise HarnessError(
                f"the copy did not start: {log.fatal()}", hint="read the saved server log."
            )
        return log.says_ready()

    wait_until(is_open, what="the start of a private copy", timeout_seconds=run.timeout_seconds)
    own = replace(
        access,
        drill=name,
        socket_directory=str(sandbox.socket_directory),
        client_address=sandbox.client_address,
        nonce=nonce,
        log=str(sandbox.server_log()),
    )
    return RestoredInstance(own, instance.record)


def _tablespaces(instance: RestoredInstance) -> list[tuple[str, str]]:
    # Those "in place" have a relative location, and are copied with the data directory.
    query = "select oid::text, pg_tablespace_location(oid) from pg_tablespace where pg_tablespace_location(oid) ^@ '/'"
    with instance.connect() as connection:
        return [(str(oid), str(location)) for oid, location in connection.execute(query).fetchall()]
