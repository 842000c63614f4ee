"""A private, writable copy of a restored server, for one test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.restore.instance import RestoredInstance
from pytest_pgrestore.restore.quarantine.files import make_empty
from pytest_pgrestore.restore.quarantine.recovery_settings import floors
from pytest_pgrestore.restore.quarantine.settings import server_settings
from pytest_pgrestore.restore.server import control_data
from pytest_pgrestore.restore.server.start import wait_until_open

if TYPE_CHECKING:
    from pytest_pgrestore.restore.instance import ConnectionInfo
    from pytest_pgrestore.sandboxes.protocol import Run, Sandbox


EQUALS = r"\="


def clone(instance: RestoredInstance, run: Run, name: str) -> RestoredInstance:
    """Copy the running `instance` with pg_basebackup and start the copy under the same quarantine.

    The copy is of the instance as it is now. Other tests may use the instance meanwhile.
    It costs the time and space of all data files.

    Args:
        instance: The server to copy.
        run: The run that owns it.
        name: Key of the copy; `run.close_drill(name)` removes it.

    Raises:
        HarnessError: Disk full, or the copy does not start.
    """
    access = instance.access
    with access.ask() as connection:
        major = connection.info.server_version // 10000
    sandbox = run.sandbox(name, run.find_programs(major), reads=(Path(access.socket_directory),))
    _copy_files(instance, sandbox)
    nonce = _start(sandbox, run.timeout_seconds)
    return RestoredInstance(
        _access(access, sandbox, name, nonce),
        instance.record,
        is_private=True,
        noted=instance.noted,
    )


def _copy_files(instance: RestoredInstance, sandbox: Sandbox) -> None:
    access = instance.access
    sandbox.programs.run(
        "pg_basebackup",
        *("--host", access.socket_directory),
        *("--port", str(access.port)),
        *("--username", access.user),
        *("--pgdata", str(sandbox.data)),
        "--checkpoint=fast",
        "--wal-method=fetch",
        "--no-sync",
        "--no-manifest",
        *(
            # An equals sign of a path is escaped (docs, "pg_basebackup").
            f"--tablespace-mapping={old.replace('=', EQUALS)}={sandbox.tablespaces / str(oid)}"
            for oid, old in _tablespaces(instance)
        ),
        env={"PGOPTIONS": access.options},
    )
    # The server reads it even when config_file points elsewhere. The directory belongs to the user
    # that programs of the copy run as.
    try:
        make_empty(sandbox.data, "postgresql.auto.conf")
    except OSError as exc:
        raise HarnessError(
            f"the private copy could not be prepared: {exc}",
            hint="free the disk; or else something in the backup is in the way: read the saved"
            " server log.",
        ) from exc


def _start(sandbox: Sandbox, timeout_seconds: float) -> str:
    """Start the copy and wait until it is open; return its cluster_name."""
    nonce = uuid4().hex
    settings = server_settings(sandbox.programs.major, nonce)
    settings |= floors(control_data.read(sandbox)) | {"wal_level": "replica"}
    sandbox.start(settings)
    wait_until_open(sandbox, "the private copy", timeout_seconds)
    return nonce


def _access(access: ConnectionInfo, sandbox: Sandbox, name: str, nonce: str) -> ConnectionInfo:
    return replace(
        access,
        drill=name,
        socket_directory=str(sandbox.socket_directory),
        client_address=sandbox.client_address,
        nonce=nonce,
        server=sandbox.server_process(),
        log=str(sandbox.server_log()),
    )


def _tablespaces(instance: RestoredInstance) -> list[tuple[int, str]]:
    """Return OID and location of each tablespace that is a link.

    One made "in place" (docs, "allow_in_place_tablespaces") has a relative location, and is copied
    with the data directory.
    """
    query = (
        "select oid, pg_catalog.pg_tablespace_location(oid)"
        " from pg_catalog.pg_tablespace where pg_catalog.pg_tablespace_location(oid) ^@ '/'"
    )
    with instance.access.ask() as connection:
        return [(int(oid), str(location)) for oid, location in connection.execute(query).fetchall()]
