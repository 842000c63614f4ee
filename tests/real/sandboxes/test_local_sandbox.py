"""The local sandbox on real servers: private, and gone afterwards, however the run ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.restore.quarantine.settings import server_settings
from pytest_pgrestore.sandboxes import watchdog
from pytest_pgrestore.sandboxes.local.run import LocalRun, sweep
from pytest_pgrestore.sandboxes.local.sandbox import LocalSandbox
from pytest_pgrestore.sandboxes.settings import LocalSettings
from pytest_pgrestore.system import network, process_table
from pytest_pgrestore.system.process import run as run_process
from pytest_pgrestore.system.waiting import wait_until
from tests.plugin.killing import orphaned_memory
from tests.real.worlds import MAJORS

DEADLINE = 60.0
LIMIT_SECONDS = 10.0
"""Long enough for a server to start on a busy machine."""


@pytest.fixture
def settings() -> Iterator[LocalSettings]:
    """A place for runs that root's unprivileged user can enter, short enough for a socket."""
    place = short_directory()
    yield LocalSettings(directory=place, timeout_seconds=DEADLINE)
    sweep(LocalSettings(directory=place), kept=True)
    subprocess.run(["rm", "-rf", str(place)], check=True)


@pytest.fixture
def run(settings: LocalSettings) -> Iterator[LocalRun]:
    """A run of this process."""
    opened = LocalRun.open(settings, uuid4().hex[:8])
    yield opened
    opened.close()


def empty_server(run: LocalRun, major: int, key: str = "shop@latest") -> LocalSandbox:
    """Return a sandbox with a running, empty server."""
    sandbox = run.sandbox(key, run.find_programs(major))
    sandbox.programs.run(
        "initdb",
        "-D",
        str(sandbox.data),
        "-U",
        "boot",
        "-A",
        "trust",
        "--no-sync",
        "--locale=C.UTF-8",
    )
    sandbox.start(server_settings(major, "nonce"))
    wait_until(
        lambda: "ready to accept" in sandbox.server_log().read_text(),
        what="start",
        timeout_seconds=DEADLINE,
    )
    return sandbox


def connect(sandbox: LocalSandbox) -> psycopg.Connection[tuple[object, ...]]:
    """Return a connection to the server in `sandbox`."""
    return psycopg.connect(
        host=str(sandbox.socket_directory),
        port=sandbox.port,
        user="boot",
        dbname="postgres",
        autocommit=True,
    )


@pytest.mark.parametrize("major", MAJORS)
def test_a_server_runs_and_nothing_of_it_is_left(run: LocalRun, major: int) -> None:
    """Every setting is known to that major: an unknown one is FATAL."""
    sandbox = empty_server(run, major)
    with connect(sandbox) as connection:
        row = connection.execute(
            "select current_setting('server_version_num')::int / 10000"
        ).fetchone()
    memory = watchdog.memory_of_dead_server(sandbox.root)
    held = memory.existing()

    teardown = run.close_drill("shop@latest")

    assert row == (major,)
    assert held, "the server had a segment, or the check proves nothing"
    assert memory.existing() == []
    assert teardown.removed
    assert not sandbox.root.exists()


def test_teardown_says_what_it_could_not_remove(run: LocalRun) -> None:
    """A teardown that cannot fail proves nothing: a stranger process stands in the directory."""
    sandbox = run.sandbox("shop@latest", run.find_programs(None))
    with subprocess.Popen(["sleep", "60"], cwd=sandbox.data) as intruder:
        teardown = run.close_drill("shop@latest")
        intruder.kill()

    assert not teardown.removed
    assert f"process {intruder.pid}" in teardown.message


def test_the_server_has_no_network(run: LocalRun) -> None:
    """COPY TO PROGRAM and dblink pass a read-only transaction; only a missing network stops them."""
    if not run.cut:
        assert run.sandbox("x", run.find_programs(None)).network == network.OPEN
        return
    sandbox = empty_server(run, 18)
    with connect(sandbox) as connection:
        connection.execute("create table interfaces (line text)")
        connection.execute("copy interfaces from program 'cat /proc/net/dev'")
        rows = connection.execute(
            "select trim(split_part(line, ':', 1)) from interfaces offset 2"
        ).fetchall()

    assert rows == [("lo",)]


def test_only_the_socket_leads_in(run: LocalRun) -> None:
    """No TCP, and a directory no other user can enter."""
    sandbox = empty_server(run, 18)
    with connect(sandbox) as connection:
        addresses = connection.execute("show listen_addresses").fetchone()

    assert addresses == ("",)
    assert sandbox.socket_directory.stat().st_mode & 0o777 == 0o700


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_local_sandbox import LocalRun, LocalSettings, empty_server
run = LocalRun.open(LocalSettings(directory=Path({place!r})), "child")
if {started}:
    empty_server(run, 18)
else:
    run.sandbox("shop@latest", run.find_tools(18))
print(run.root, flush=True)
os.kill(os.getpid(), signal.{number})
"""


@pytest.mark.parametrize("started", [True, False], ids=["server", "files-only"])
@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM"])
def test_nothing_survives_a_run_that_was_killed(
    settings: LocalSettings, number: str, started: bool
) -> None:
    """No copy of production data outlives the run, also when nobody could clean up."""
    code = CHILD.format(
        tests=str(Path(__file__).parent),
        place=str(settings.directory),
        started=started,
        number=number,
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    root = Path(done.stdout.strip() or "/nonexistent")

    assert done.returncode == -signal.Signals[number], done.stderr
    wait_until(lambda: not root.exists(), what="the watchdog", timeout_seconds=DEADLINE)
    assert process_table.processes_below(root) == []


def test_a_joined_process_keeps_the_run_alive(run: LocalRun, settings: LocalSettings) -> None:
    """Under xdist any worker may end first."""
    run.sandbox("shop@latest", run.find_programs(18))
    other = LocalRun.join(settings, run.root)

    run.directory._lock.close()

    assert sweep(settings) == []
    assert run.root.exists()
    other.close()


def test_the_sweep_takes_dead_runs_and_leaves_kept_ones(settings: LocalSettings) -> None:
    """What the watchdog could not remove goes at the next start; what the user kept stays until he cleans it."""
    dead, kept = (settings.directory or Path()) / f"pgrestore-{os.geteuid()}" / "dead", "kept"
    opened = LocalRun.open(settings, kept)
    opened.sandbox("shop@latest", opened.find_programs(18))
    told = opened.keep_drill("shop@latest")
    opened.close()
    (dead / "drills" / "x" / "data").mkdir(parents=True)
    (dead / watchdog.LOCK).touch()

    assert sweep(settings) == [str(dead)]
    assert opened.drill_root("shop@latest").exists()
    assert f"pgrestore clean {opened.drill_root('shop@latest')}" in told
    assert sweep(settings, kept=True) == [str(opened.root)]


def test_copies_do_not_outlive_the_time_limit(settings: LocalSettings) -> None:
    """A hung pytest, or an instance kept and forgotten, must not leave production data on a build machine."""
    run = LocalRun.open(replace(settings, max_lifetime_seconds=LIMIT_SECONDS), uuid4().hex[:8])
    sandbox = empty_server(run, 18)

    wait_until(lambda: not sandbox.root.exists(), what="the limit", timeout_seconds=DEADLINE)

    with pytest.raises(HarnessError, match=r"time limit of 0:00:10 passed"):
        run.sandbox("other@latest", run.find_programs(18))
    assert run.close() == []


def test_a_kept_copy_goes_when_the_time_limit_passes(settings: LocalSettings) -> None:
    """The watchdog stays for it, and does not hold up the end of the run."""
    run = LocalRun.open(replace(settings, max_lifetime_seconds=LIMIT_SECONDS), uuid4().hex[:8])
    sandbox = empty_server(run, 18)
    server = watchdog.server_of(sandbox.root)
    run.keep_drill("shop@latest")
    run.close()

    assert watchdog.alive(server)
    wait_until(lambda: not run.root.exists(), what="the limit", timeout_seconds=DEADLINE)
    assert not watchdog.alive(server)


def test_the_sweep_takes_a_kept_copy_whose_time_is_over(settings: LocalSettings) -> None:
    """A restart of the machine ends the watchdog that would have removed it."""
    root = (settings.directory or Path()) / f"pgrestore-{os.geteuid()}" / "old"
    (root / "drills" / "x").mkdir(parents=True)
    (root / "drills" / "x" / watchdog.KEEP).touch()
    (root / watchdog.LOCK).touch()
    (root / watchdog.UNTIL).write_text("1.0")

    assert sweep(settings) == [str(root)]
    assert not root.exists()


def test_the_memory_of_another_server_is_left_alone(run: LocalRun) -> None:
    """A backup taken as files brings production's postmaster.pid along, with the number of production's segment."""
    production = empty_server(run, 18, "production@latest")
    copy = run.sandbox("copy@latest", run.find_programs(18))
    (copy.data / "postmaster.pid").write_text((production.data / "postmaster.pid").read_text())
    memory = watchdog.memory_of_dead_server(production.root)

    teardown = run.close_drill("copy@latest")

    assert teardown.removed
    assert memory.existing()


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.5])
def test_a_stopped_initdb_leaves_no_shared_memory(run: LocalRun, seconds: float) -> None:
    """The postgres it runs leaves its segment behind when it is killed, so initdb is asked to see it off."""
    before = orphaned_memory()
    sandbox = run.sandbox("shop@latest", run.find_programs(18))
    try:
        sandbox.programs.run(
            "initdb", "-D", str(sandbox.data), "-U", "boot", timeout_seconds=seconds
        )
    except HarnessError:
        pass

    wait_until(
        lambda: not orphaned_memory() - before, what="the segment to go", timeout_seconds=DEADLINE
    )


def test_a_server_that_nobody_wrote_down_is_removed(run: LocalRun) -> None:
    """A kill may come between the start of the server and the record of it."""
    sandbox = empty_server(run, 18)
    server = watchdog.server_of(sandbox.root)
    (sandbox.root / watchdog.SERVER).unlink()

    watchdog.remove_drills(run.root)

    assert not watchdog.alive(server)
    assert not sandbox.root.exists()


def test_a_place_without_room_is_refused_before_anything_starts(run: LocalRun) -> None:
    """Disk full in the middle looks like a bad backup."""
    with pytest.raises(HarnessError, match="free the disk"):
        run.sandbox("shop@latest", run.find_programs(None), needed_bytes=10**18)


def test_a_directory_of_somebody_else_is_refused(settings: LocalSettings) -> None:
    """The temporary directory is shared: a stranger may have made ours first."""
    if os.geteuid() != 0:
        with pytest.raises(HarnessError):
            LocalRun.open(LocalSettings(directory=Path("/proc")), "x")
        return
    base = (settings.directory or Path()) / "pgrestore-0"
    base.mkdir()
    os.chown(base, 12345, 12345)
    with pytest.raises(HarnessError, match="belongs to somebody else"):
        LocalRun.open(settings, "x")
    base.rmdir()


def test_missing_programs_name_every_place_looked_at(tmp_path: Path) -> None:
    """The first run of many newcomers ends here."""
    run = LocalRun.open(LocalSettings(directory=Path("/tmp"), bindir=tmp_path), uuid4().hex[:8])  # noqa: S108
    try:
        with pytest.raises(HarnessError, match="no working postgres there") as caught:
            run.find_programs(18)
    finally:
        run.close()

    assert str(tmp_path) in caught.value.problem
    assert "pytest-pgrestore[embedded]" in caught.value.hint


@pytest.mark.parametrize("chunks", [[b"a" * 10], None], ids=["stdin", "no-stdin"])
def test_a_tool_that_hangs_ends_with_its_deadline(chunks: list[bytes] | None) -> None:
    """pg_restore hangs for ever on a tar dump that was cut."""
    with pytest.raises(HarnessError, match="did not end within"):
        run_process(["sleep", "60"], timeout_seconds=0.2, env={}, stdin=chunks)


def test_output_that_is_not_text_cannot_harm_a_report() -> None:
    """A lone surrogate in a message kills an xdist worker."""
    done = run_process(["printf", r"\377"], timeout_seconds=DEADLINE, env={"PATH": os.defpath})

    assert done.stdout == r"\xff"


def failing_chunks() -> Iterator[bytes]:
    """Yield one chunk, then fail as a cut archive does."""
    yield b"select 1;\n"
    raise EOFError("cut")


@pytest.mark.parametrize("make", [failing_chunks])
def test_a_failing_input_ends_the_tool_and_is_the_cause(
    make: Callable[[], Iterator[bytes]],
) -> None:
    """A cut archive must not look like a tool that succeeded on half of it."""
    with pytest.raises(EOFError, match="cut"):
        run_process(["cat"], timeout_seconds=DEADLINE, env={"PATH": os.defpath}, stdin=make())
