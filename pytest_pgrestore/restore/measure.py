"""Measuring the restored server: quarantine, version, data loss, what differs on this system."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.checks import environment
from pytest_pgrestore.checks.isolation import NetworkState, OutsideView, isolation
from pytest_pgrestore.checks.leftovers import leftovers
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.evidence import ServerFacts
from pytest_pgrestore.model.target import Latest
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.restore import logical
from pytest_pgrestore.restore.archiver import archiver_figures
from pytest_pgrestore.restore.data_loss import data_loss
from pytest_pgrestore.restore.databases import read_databases, restored_bytes, with_contents
from pytest_pgrestore.restore.extensions import extensions_by_database
from pytest_pgrestore.restore.judgement import objectives
from pytest_pgrestore.restore.quarantine.carried_settings import (
    CONFIGURATION_BYTES,
    carried_settings,
    unknown_settings,
)
from pytest_pgrestore.restore.quarantine.files import ATTIC
from pytest_pgrestore.restore.quarantine.settings import ASKED, server_settings
from pytest_pgrestore.restore.relation_files import check_relation_files, is_needed
from pytest_pgrestore.sources.protocol import is_logical
from pytest_pgrestore.system import server_process
from pytest_pgrestore.system.machine import machine
from pytest_pgrestore.system.regular_file import read_limited

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from pytest_pgrestore.checks.environment import Fit
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.restore.attempt import Attempt
    from pytest_pgrestore.restore.instance import ConnectionInfo
    from pytest_pgrestore.sandboxes.protocol import Sandbox

_SPEED = (
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "shared_buffers",
    "maintenance_work_mem",
    "max_wal_size",
)
"""Settings that bear on the speed of a restore, for the evidence."""

_VALUES = (
    "select name, pg_catalog.current_setting(name) from pg_catalog.unnest(%s::pg_catalog.text[])"
    " as asked(name)"
)


_NAMES = "select name from pg_catalog.pg_show_all_settings()"


def measure(attempt: Attempt) -> None:
    """Add to `attempt` what only the running server knows.

    Raises:
        HarnessError: The quarantine does not hold; the instance must not be used.
    """
    access, sandbox = attempt.access, attempt.sandbox
    if access is None or sandbox is None:
        return
    with access.ask() as connection:
        quarantine, settings = _quarantine(sandbox, connection, access.nonce)
        attempt.checks.append(quarantine)
        attempt.server = _server_facts(attempt, sandbox, settings, connection)
        _require_quarantine(quarantine)
        attempt.server = replace(
            attempt.server,
            version=_version(connection),
            system_identifier=access.system_identifier,
            extensions=extensions_by_database(access, connection),
        )
        # Before the user's own query, which may read a file that is lost.
        if not is_logical(attempt.source) and is_needed(attempt):
            check_relation_files(attempt, sandbox, access)
        attempt.data_loss = data_loss(attempt, access)
        attempt.databases = with_contents(read_databases(connection), access)
        attempt.restored_bytes = restored_bytes(access)
        attempt.notes += leftovers(connection)
        # A dump is sorted anew and loaded by this server, so it fits by its nature.
        if not is_logical(attempt.source):
            _environment(attempt, sandbox, access, connection)
    live = attempt.settings.live_conninfo
    if live is not None and not is_logical(attempt.source):
        attempt.archiver = archiver_figures(live, access.timeout_seconds)
    _backup_age(attempt)
    attempt.not_checked += _limits_of_the_drill(attempt, sandbox)


def _quarantine(
    sandbox: Sandbox, connection: psycopg.Connection[Any], nonce: str
) -> tuple[Check, dict[str, str]]:
    """Return the check of the quarantine, and the settings it queried with the value in force."""
    ours = {**server_settings(sandbox.programs.major, ""), **sandbox.own_settings()}
    wanted = {name: ours[name] for name in ASKED if name in ours}
    network = NetworkState(sandbox.network, _is_cut(sandbox), sandbox.network_interfaces())
    return isolation(connection, wanted, network, _outside_view(sandbox, nonce))


def _outside_view(sandbox: Sandbox, nonce: str) -> OutsideView:
    process = sandbox.server_process()
    if process is None:
        return OutsideView(None, None, None)
    return OutsideView(
        process,
        server_process.settings_of(process),
        server_process.titles_of_children(process, nonce),
    )


def _require_quarantine(check: Check) -> None:
    if check.verdict is not Verdict.PASSED:
        raise HarnessError(
            check.message, hint="this must not happen: please report it with the saved logs."
        )


def _server_facts(
    attempt: Attempt,
    sandbox: Sandbox,
    settings: Mapping[str, str],
    connection: psycopg.Connection[Any],
) -> ServerFacts:
    speed = dict(connection.execute(_VALUES, [list(_SPEED)]).fetchall())
    speedups = logical.SPEEDUPS if is_logical(attempt.source) else ()
    return ServerFacts(
        version="",
        binaries=sandbox.programs.origin,
        sandbox=sandbox.kind,
        network=sandbox.network,
        confinement=sandbox.confinement,
        machine=machine(),
        settings={**settings, **speed},
        speedups=("autovacuum=off", *(f"{name}={speed[name]}" for name in speedups)),
    )


def _version(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute("select pg_catalog.version()").fetchone()
    return "" if row is None else str(row[0])


def _environment(
    attempt: Attempt,
    sandbox: Sandbox,
    access: ConnectionInfo,
    connection: psycopg.Connection[Any],
) -> None:
    """Name what differs between this system and the one the backup was made on."""
    found = [
        environment.fit_of_databases(connection),
        environment.preloads_left_out(_carried_configuration(sandbox)),
    ]
    attempt.notes += unknown_settings(carried_settings(sandbox), _settings_of(connection))
    names = [str(name) for (name,) in connection.execute(environment.DATABASES).fetchall()]
    # Together they take no longer than one question may: a copy can have any number of databases.
    deadline = time.monotonic() + access.timeout_seconds
    for number, name in enumerate(names):
        if time.monotonic() > deadline:
            attempt.not_checked.append(
                f"Extensions and collations of {len(names) - number} databases, {name} and those"
                " after it: there was no time left."
            )
            break
        found.append(_fit_of_database(access, name))
    for part in found:
        attempt.not_checked.extend(part.not_checked)
        attempt.notes.extend(part.notes)


def _settings_of(connection: psycopg.Connection[Any]) -> frozenset[str]:
    """Return the names of the server's settings in lower case."""
    rows = connection.execute(_NAMES).fetchall()
    return frozenset(str(name).lower() for (name,) in rows)


def _fit_of_database(access: ConnectionInfo, name: str) -> Fit:
    import psycopg

    try:
        with access.ask(name) as connection:
            return environment.fit_of_database(connection)
    except psycopg.OperationalError as exc:
        message = (str(exc).strip().splitlines() or [type(exc).__name__])[0]
        return environment.Fit(not_checked=(f"Database {name}: it cannot be opened ({message}).",))


def _carried_configuration(sandbox: Sandbox) -> list[str]:
    """Return the texts of the copy's own configuration, in the order a server reads them."""
    texts = []
    for name in ("postgresql.conf", "postgresql.auto.conf"):
        try:
            content = read_limited(sandbox.root / ATTIC / name, CONFIGURATION_BYTES, follow=False)
        except OSError:
            continue  # none, or no file that a server would have been started with
        texts.append(content.decode("utf-8", errors="replace"))
    return texts


def _backup_age(attempt: Attempt) -> None:
    backup = attempt.chosen.backup if attempt.chosen else None
    stopped_at = backup.stopped_at if backup else None
    part = backup.oldest_part if backup else None
    check = objectives.backup_age(attempt.drill, stopped_at, attempt.started_at, part)
    if check is not None:
        attempt.checks.append(check)


def _limits_of_the_drill(attempt: Attempt, sandbox: Sandbox) -> list[str]:
    """Return what this drill does not prove, by its sandbox and its target."""
    limits = []
    if not _is_cut(sandbox):
        limits.append("Whether the copy could have reached the network: it was not cut off.")
    if not sandbox.confined:
        limits.append(
            "Whether SQL of the copy could have reached files and processes of this machine:"
            f" only permissions kept it from them (confinement: {sandbox.confinement})."
        )
    if sockets := sandbox.open_sockets():
        limits.append(
            "Whether SQL of the copy could have reached other PostgreSQL servers of this machine by"
            f" their Unix sockets, which its user may connect to: {', '.join(sockets)}."
        )
    if attempt.drill.objectives.rpo is not None and not isinstance(attempt.drill.target, Latest):
        limits.append("The RPO: it is measured on drills to latest.")
    return limits


def _is_cut(sandbox: Sandbox) -> bool:
    return sandbox.network.startswith("cut")
