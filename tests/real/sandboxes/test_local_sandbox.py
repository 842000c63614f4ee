"""The local sandbox on real servers: private, without network, and refused where it cannot work."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes import watchdog
from pytest_pgrestore.sandboxes.local.run import LocalRun
from pytest_pgrestore.sandboxes.settings import LocalSettings
from pytest_pgrestore.system import network
from tests.real.sandboxes.local_server import confined_by, connect, empty_server
from tests.real.worlds import MAJORS


@pytest.mark.parametrize("major", MAJORS)
def test_a_server_runs_and_nothing_of_it_is_left(local_run: LocalRun, major: int) -> None:
    """Every setting is known to that major: an unknown one is FATAL."""
    sandbox = empty_server(confined_by("landlock", local_run), major)
    with connect(sandbox) as connection:
        row = connection.execute(
            "select current_setting('server_version_num')::int / 10000"
        ).fetchone()
    memory = watchdog.memory_of_dead_server(sandbox.root)
    held = memory.existing()

    teardown = local_run.close_drill("shop@latest")

    assert row == (major,)
    assert held, "the server had a segment, or the check proves nothing"
    assert memory.existing() == []
    assert teardown.removed
    assert not sandbox.root.exists()


def test_teardown_says_what_it_could_not_remove(local_run: LocalRun) -> None:
    """A teardown that cannot fail proves nothing: a stranger process stands in the directory."""
    sandbox = local_run.sandbox("shop@latest", local_run.find_programs(None))
    with subprocess.Popen(["sleep", "60"], cwd=sandbox.data) as intruder:
        teardown = local_run.close_drill("shop@latest")
        intruder.kill()

    assert not teardown.removed
    assert f"process {intruder.pid}" in teardown.message


def test_the_server_has_no_network(local_run: LocalRun) -> None:
    """COPY TO PROGRAM and dblink work in a read-only transaction; only a cut network stops them."""
    if not local_run.cut:
        assert local_run.sandbox("x", local_run.find_programs(None)).network == network.OPEN
        return
    sandbox = empty_server(local_run, 18)
    with connect(sandbox) as connection:
        connection.execute("create table interfaces (line text)")
        connection.execute("copy interfaces from program 'cat /proc/net/dev'")
        rows = connection.execute(
            "select trim(split_part(line, ':', 1)) from interfaces offset 2"
        ).fetchall()

    assert rows == [("lo",)]


def test_only_the_socket_leads_in(local_run: LocalRun) -> None:
    """No TCP, and a directory no other user can enter."""
    sandbox = empty_server(local_run, 18)
    with connect(sandbox) as connection:
        addresses = connection.execute("show listen_addresses").fetchone()

    assert addresses == ("",)
    assert sandbox.socket_directory.stat().st_mode & 0o777 == 0o700


def test_a_place_without_room_is_refused_before_anything_starts(local_run: LocalRun) -> None:
    """A disk that fills up during the restore looks like a bad backup."""
    with pytest.raises(HarnessError, match="free the disk"):
        local_run.sandbox("shop@latest", local_run.find_programs(None), needed_bytes=10**18)


def test_a_directory_of_somebody_else_is_refused(local_settings: LocalSettings) -> None:
    """The temporary directory is shared: another user may have made ours first."""
    if os.geteuid() != 0:
        with pytest.raises(HarnessError):
            LocalRun.open(LocalSettings(directory=Path("/proc")), "x")
        return
    base = (local_settings.directory or Path()) / "pgrestore-0"
    base.mkdir()
    os.chown(base, 12345, 12345)
    with pytest.raises(HarnessError, match="belongs to somebody else"):
        LocalRun.open(local_settings, "x")
    base.rmdir()


def test_missing_programs_name_every_place_looked_at(
    local_settings: LocalSettings, tmp_path: Path
) -> None:
    """The first run of many newcomers ends here."""
    run = LocalRun.open(replace(local_settings, bindir=tmp_path), uuid4().hex[:8])
    try:
        with pytest.raises(HarnessError, match="no working postgres there") as caught:
            run.find_programs(18)
    finally:
        run.close()

    assert str(tmp_path) in caught.value.problem
    assert "PostgreSQL 18 in sandbox.bindir" in caught.value.hint
    assert "postgresql-18" in caught.value.hint
