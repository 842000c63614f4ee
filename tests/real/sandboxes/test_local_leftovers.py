"""Nothing of a local sandbox is left, however its run ended: no process, memory or file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes import watchdog
from pytest_pgrestore.sandboxes.local.run import LocalRun, sweep
from pytest_pgrestore.sandboxes.settings import LocalSettings
from pytest_pgrestore.system import process_table
from pytest_pgrestore.system.waiting import wait_until
from tests.plugin.processes import orphaned_memory
from tests.project import ROOT
from tests.real.sandboxes.local_server import DEADLINE, confined_by, empty_server

LIMIT_SECONDS = 10.0
"""Long enough for a server to start on a busy machine."""

CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from tests.real.sandboxes.local_server import LocalRun, empty_server
from pytest_pgrestore.sandboxes.settings import LocalSettings
run = LocalRun.open(LocalSettings(directory=Path({place!r})), "child")
if {started}:
    empty_server(run, 18)
else:
    run.sandbox("shop@latest", run.find_programs(18))
print(run.root, flush=True)
os.kill(os.getpid(), signal.{number})
"""


@pytest.mark.parametrize("started", [True, False], ids=["server", "files-only"])
@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM"])
def test_nothing_survives_a_run_that_was_killed(
    local_settings: LocalSettings, number: str, started: bool
) -> None:
    """No copy of production data outlives the run, even if nobody could clean up."""
    code = CHILD.format(
        here=str(ROOT),
        place=str(local_settings.directory),
        started=started,
        number=number,
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    root = Path(done.stdout.strip() or "/nonexistent")

    assert done.returncode == -signal.Signals[number], done.stderr
    wait_until(lambda: not root.exists(), what="the watchdog", timeout_seconds=DEADLINE)
    assert process_table.processes_below(root) == []


def test_a_joined_process_keeps_the_run_alive(
    local_run: LocalRun, local_settings: LocalSettings
) -> None:
    """Under xdist any worker may end first."""
    local_run.sandbox("shop@latest", local_run.find_programs(18))
    other = LocalRun.join(local_settings, local_run.root)

    local_run.directory._lock.close()

    assert sweep(local_settings) == []
    assert local_run.root.exists()
    other.close()


def test_the_sweep_takes_dead_runs_and_leaves_kept_ones(local_settings: LocalSettings) -> None:
    """The next start removes what the watchdog could not. Kept ones stay until they are cleaned."""
    dead, kept = (local_settings.directory or Path()) / f"pgrestore-{os.geteuid()}" / "dead", "kept"
    opened = LocalRun.open(local_settings, kept)
    opened.sandbox("shop@latest", opened.find_programs(18))
    told = opened.keep_drill("shop@latest")
    opened.close()
    (dead / "drills" / "x" / "data").mkdir(parents=True)
    (dead / watchdog.LOCK).touch()

    assert sweep(local_settings) == [str(dead)]
    assert opened.drill_root("shop@latest").exists()
    assert f"pgrestore clean {opened.drill_root('shop@latest')}" in told
    assert sweep(local_settings, kept=True) == [str(opened.root)]


def test_copies_do_not_outlive_the_time_limit(local_settings: LocalSettings) -> None:
    """A hung pytest, or a forgotten kept instance, must not leave production data behind."""
    run = LocalRun.open(
        replace(local_settings, max_lifetime_seconds=LIMIT_SECONDS), uuid4().hex[:8]
    )
    sandbox = empty_server(run, 18)

    wait_until(lambda: not sandbox.root.exists(), what="the limit", timeout_seconds=DEADLINE)

    with pytest.raises(HarnessError, match=r"time limit of 0:00:10 passed"):
        run.sandbox("other@latest", run.find_programs(18))
    assert run.close() == []


def test_a_kept_copy_goes_when_the_time_limit_passes(local_settings: LocalSettings) -> None:
    """The watchdog goes on for it, and does not delay the end of the run."""
    run = LocalRun.open(
        replace(local_settings, max_lifetime_seconds=LIMIT_SECONDS), uuid4().hex[:8]
    )
    sandbox = empty_server(run, 18)
    server = watchdog.server_of(sandbox.root)
    run.keep_drill("shop@latest")
    run.close()

    assert watchdog.alive(server)
    wait_until(lambda: not run.root.exists(), what="the limit", timeout_seconds=DEADLINE)
    assert not watchdog.alive(server)


def test_the_sweep_takes_a_kept_copy_whose_time_is_over(local_settings: LocalSettings) -> None:
    """A restart of the machine ends the watchdog that would have removed it."""
    root = (local_settings.directory or Path()) / f"pgrestore-{os.geteuid()}" / "old"
    (root / "drills" / "x").mkdir(parents=True)
    (root / "drills" / "x" / watchdog.KEEP).touch()
    (root / watchdog.LOCK).touch()
    (root / watchdog.UNTIL).write_text("1.0")

    assert sweep(local_settings) == [str(root)]
    assert not root.exists()


def test_the_memory_of_another_server_is_left_alone(local_run: LocalRun) -> None:
    """A backup of files may contain production's postmaster.pid, with the id of its segment."""
    production = empty_server(confined_by("landlock", local_run), 18, "production@latest")
    copy = local_run.sandbox("copy@latest", local_run.find_programs(18))
    (copy.data / "postmaster.pid").write_text((production.data / "postmaster.pid").read_text())
    memory = watchdog.memory_of_dead_server(production.root)

    teardown = local_run.close_drill("copy@latest")

    assert teardown.removed
    assert memory.existing()


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.5])
def test_a_stopped_initdb_leaves_no_shared_memory(local_run: LocalRun, seconds: float) -> None:
    """Its postgres leaves its segment behind when it is killed, so initdb gets a SIGTERM first."""
    before = orphaned_memory()
    sandbox = local_run.sandbox("shop@latest", local_run.find_programs(18))
    try:
        sandbox.programs.run(
            "initdb", "-D", str(sandbox.data), "-U", "boot", timeout_seconds=seconds
        )
    except HarnessError:
        pass

    wait_until(
        lambda: not orphaned_memory() - before, what="the segment to go", timeout_seconds=DEADLINE
    )


def test_a_server_that_nobody_wrote_down_is_removed(local_run: LocalRun) -> None:
    """The run may be killed between the start of the server and the writing of its record."""
    sandbox = empty_server(local_run, 18)
    server = watchdog.server_of(sandbox.root)
    (sandbox.root / watchdog.SERVER).unlink()

    watchdog.remove_drills(local_run.root)

    assert not watchdog.alive(server)
    assert not sandbox.root.exists()
