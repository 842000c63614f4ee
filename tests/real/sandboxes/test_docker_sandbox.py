"""The docker sandbox on a real engine: limits, storage, ways in, troubles of the daemon, and nothing left."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.docker.daemon import image as images
from pytest_pgrestore.sandboxes.docker.daemon import removal
from pytest_pgrestore.sandboxes.docker.daemon.client import Engine, connect
from pytest_pgrestore.sandboxes.docker.run import DockerRun, sweep
from pytest_pgrestore.sandboxes.docker.sandbox import DockerSandbox
from pytest_pgrestore.sandboxes.settings import DockerSettings
from pytest_pgrestore.system.waiting import wait_until
from tests.project import ROOT
from tests.real.runtimes import docker_settings, require_docker

MAJOR = 17
DEADLINE = 60.0


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The daemon."""
    require_docker()
    return connect()


@pytest.fixture
def settings(engine: Engine) -> Iterator[DockerSettings]:  # noqa: ARG001 - asked for its refusal
    """How the containers of a test are set up; as users have them, in an anonymous volume."""
    place = short_directory()
    yield docker_settings(place, storage="volume")
    subprocess.run(["rm", "-rf", str(place)], check=True)


@pytest.fixture
def opening(settings: DockerSettings) -> Iterator[Callable[..., DockerRun]]:
    """Open runs; closed after the test, with nothing left."""
    runs: list[DockerRun] = []

    def _open(**changes: Any) -> DockerRun:
        runs.append(DockerRun.open(replace(settings, **changes), uuid4().hex[:8]))
        return runs[-1]

    yield _open
    for run in runs:
        assert run.close() == []
        assert left_of(run.engine, run.root.name) == []


def left_of(engine: Engine, run_id: str) -> list[str]:
    """Return containers and volumes of a run, whatever state they are in."""
    label = {"label": f"{removal.RUN}={run_id}"}
    containers = [entry["Id"] for entry in engine.client.api.containers(all=True, filters=label)]
    volumes = engine.client.api.volumes(filters=label)["Volumes"] or []
    return containers + [volume["Name"] for volume in volumes]


def empty_server(run: DockerRun, key: str = "shop@latest") -> DockerSandbox:
    """Start a server on an empty cluster."""
    sandbox = run.sandbox(key, run.find_programs(MAJOR))
    sandbox.programs.run(
        "initdb", "-D", str(sandbox.data), "-U", "boss", "-A", "trust", "--no-sync"
    )
    sandbox.start({})
    return sandbox


def connect_to(sandbox: DockerSandbox) -> psycopg.Connection[Any]:
    """Connect as the superuser."""
    return psycopg.connect(make_conninfo(**sandbox.client_address, user="boss", dbname="postgres"))


def ask(sandbox: DockerSandbox, query: str) -> Any:
    """Answer a query, waiting for the server."""
    found: list[Any] = []

    def answered() -> bool:
        try:
            with connect_to(sandbox) as connection:
                row = connection.execute(query.encode()).fetchone()
        except psycopg.OperationalError:
            assert sandbox.exit_status() is None, sandbox.server_log().read_text()
            return False
        found.append(None if row is None else row[0])
        return True

    wait_until(answered, what="the server", timeout_seconds=DEADLINE)
    return found[0]


def inspect(sandbox: DockerSandbox) -> Any:
    """Return what the daemon says of the container."""
    return sandbox.container.engine.client.api.inspect_container(sandbox.container.identity)


@pytest.mark.parametrize("storage", ["volume", "tmpfs", "bind"])
def test_a_server_runs_and_nothing_of_it_is_left(
    opening: Callable[..., DockerRun], storage: str
) -> None:
    """The copy lives where the user wants it, and is gone afterwards, with proof."""
    run = opening(storage=storage)

    sandbox = empty_server(run)

    assert ask(sandbox, "show data_directory") == str(sandbox.data)
    assert (sandbox.data / "PG_VERSION").read_text().strip() == str(MAJOR)
    mount = next(
        mount for mount in inspect(sandbox)["Mounts"] if mount["Destination"] == str(sandbox.root)
    )
    assert mount["Type"] == ("bind" if storage == "bind" else "volume")
    if storage != "bind":
        kind = sandbox.container.execute(
            ["stat", "-f", "-c", "%T", str(sandbox.root)], timeout_seconds=DEADLINE
        )
        assert (kind.stdout.strip() == "tmpfs") == (storage == "tmpfs")
    gone = run.close_drill("shop@latest")
    assert gone.removed, gone.message
    assert "asked from the Docker daemon" in gone.message
    assert not sandbox.place.exists()
    assert not sandbox.root.exists()


def test_the_container_has_no_rights_it_does_not_need(opening: Callable[..., DockerRun]) -> None:
    """No network, no capability for the server, no new privileges, a root file system that is only read, limits."""
    run = opening(memory="512m", cpus=1.5, pids_limit=200, shm_size="64m")

    sandbox = empty_server(run)

    host = inspect(sandbox)["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["Privileged"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"], host["ShmSize"]) == (
        512 << 20,
        1_500_000_000,
        200,
        64 << 20,
    )
    assert ask(
        sandbox,
        "select string_agg(x, '') from regexp_split_to_table("
        "pg_read_file('/proc/self/status'), '\n') x where x ~ '^CapEff'",
    ).endswith("0" * 16)
    assert ask(sandbox, "select pg_read_file('/proc/self/net/dev') !~ 'eth|ens|docker'")
    assert sandbox.network.startswith("cut")


def test_a_port_is_published_on_this_machine_only_and_asks_for_a_password(
    opening: Callable[..., DockerRun],
) -> None:
    """Where a socket cannot cross, as with Docker Desktop; and the evidence says what that costs."""
    run = opening(connect_by="port", storage="bind")
    sandbox = empty_server(run)
    wait_until(
        lambda: sandbox.allow_login("boss", "") == "", what="the server", timeout_seconds=DEADLINE
    )

    assert sandbox.client_address["host"] == "127.0.0.1"
    assert ask(sandbox, "select 1") == 1
    published = inspect(sandbox)["NetworkSettings"]["Ports"]["5432/tcp"]
    assert {entry["HostIp"] for entry in published} == {"127.0.0.1"}
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(
            host="127.0.0.1", port=sandbox.client_address["port"], user="boss", dbname="postgres"
        )
    passfile = Path(sandbox.client_address["passfile"])
    assert passfile.stat().st_mode & 0o777 == 0o600
    assert passfile.read_text().strip().rpartition(":")[2] not in json.dumps(inspect(sandbox))
    assert sandbox.network.startswith("NOT cut")


def test_backups_are_mounted_read_only(opening: Callable[..., DockerRun], tmp_path: Path) -> None:
    """Not even root in the container may write there."""
    (tmp_path / "a.dump").write_text("x")
    run = opening()
    sandbox = run.sandbox("shop@latest", run.find_programs(MAJOR), reads=(tmp_path,))

    done = sandbox.container.execute(
        ["touch", f"{tmp_path}/b"], timeout_seconds=DEADLINE, user="0:0"
    )

    assert "Read-only file system" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.dump"]


def test_no_secret_is_in_the_container(opening: Callable[..., DockerRun]) -> None:
    """What the caller's environment holds does not get in."""
    os.environ["SHOP_PASSWORD_OF_THIS_TEST"] = "geheim-4711"  # noqa: S105 - a mark to look for
    try:
        sandbox = empty_server(opening())
    finally:
        del os.environ["SHOP_PASSWORD_OF_THIS_TEST"]

    assert "geheim-4711" not in json.dumps(inspect(sandbox))
    assert "geheim-4711" not in sandbox.container.execute(["env"], timeout_seconds=DEADLINE).stdout


# Troubles of machine and daemon: each is "could not verify", in one sentence.


@pytest.fixture
def another_daemon() -> Iterator[Callable[[str], None]]:
    """Point this process at another daemon."""
    before = os.environ.get("DOCKER_HOST")

    def _point(address: str) -> None:
        os.environ["DOCKER_HOST"] = address

    yield _point
    os.environ.pop("DOCKER_HOST", None)
    if before is not None:
        os.environ["DOCKER_HOST"] = before


def test_an_absent_daemon_is_one_sentence(
    another_daemon: Callable[[str], None], settings: DockerSettings
) -> None:
    """The most common trouble of all."""
    another_daemon("unix:///nonexistent/docker.sock")

    with pytest.raises(HarnessError) as refused:
        DockerRun.open(settings, "x")

    assert "no Docker daemon answers there" in refused.value.problem
    assert 'runtime = "local"' in refused.value.hint
    assert "\n" not in refused.value.problem
    del refused
    gc.collect()  # what docker-py left open would warn here


def test_a_hanging_daemon_is_given_up(
    another_daemon: Callable[[str], None], settings: DockerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the connection and never answers."""
    from pytest_pgrestore.sandboxes.docker.daemon import client as module

    monkeypatch.setattr(module, "CALL_SECONDS", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        another_daemon(f"tcp://127.0.0.1:{silent.getsockname()[1]}")

        with pytest.raises(HarnessError, match="did not answer within 1 s"):
            DockerRun.open(settings, "x")
    gc.collect()


def test_a_daemon_that_is_gone_before_a_container_is_one_sentence(
    another_daemon: Callable[[str], None], opening: Callable[..., DockerRun]
) -> None:
    """The library that starts it asks for the daemon's version first."""
    run = opening()
    programs = run.find_programs(MAJOR)
    another_daemon("unix:///nonexistent/docker.sock")

    with pytest.raises(
        HarnessError,
        match=r"starting a container of image .* failed: no Docker daemon answers there",
    ):
        run.sandbox("shop@latest", programs)


def test_a_missing_image_is_not_pulled_behind_the_users_back(
    opening: Callable[..., DockerRun],
) -> None:
    """With pull = false."""
    run = opening(image="pgrestore-no-such-image:{major}")

    with pytest.raises(HarnessError) as refused:
        run.find_programs(MAJOR)

    assert (
        "pgrestore-no-such-image:17 is not on this machine, and pulling is off"
        in refused.value.problem
    )
    assert "docker pull" in refused.value.hint


def test_an_image_that_cannot_be_pulled_is_named(opening: Callable[..., DockerRun]) -> None:
    """A registry that refuses, or is not there."""
    run = opening(image="127.0.0.1:1/nothing:here", pull=True)

    with pytest.raises(HarnessError, match=r"127\.0\.0\.1:1/nothing:here could not be pulled"):
        run.find_programs(MAJOR)


def test_an_image_without_a_server_is_named(opening: Callable[..., DockerRun]) -> None:
    """A bare Debian, as a user's image."""
    run = opening(image="pgrestore-test-base:17")

    with pytest.raises(HarnessError, match="has no PostgreSQL server"):
        run.find_programs(MAJOR)


def test_an_image_of_another_major_is_refused_for_files_and_fine_for_dumps(
    opening: Callable[..., DockerRun], engine: Engine, settings: DockerSettings
) -> None:
    """A copy of files is never restored across majors; a dump may go up."""
    lock = (settings.directory or Path()) / "lock"
    newest = images.image_for(engine, settings, 18, lock)
    run = opening(image=newest.name)

    with pytest.raises(HarnessError, match="has PostgreSQL 18, and the backup needs 17"):
        run.find_programs(MAJOR)
    assert run.find_programs(MAJOR, at_least=True).major == 18


def test_a_package_that_does_not_exist_fails_the_build_with_its_name(
    opening: Callable[..., DockerRun],
) -> None:
    """The last lines of the build are in the message."""
    run = opening(packages=("postgresql-17-nosuchextension",))

    with pytest.raises(HarnessError) as refused:
        run.find_programs(MAJOR)

    assert "could not be built" in refused.value.problem
    assert "postgresql-17-nosuchextension" in refused.value.problem


def test_an_image_is_built_once(engine: Engine, settings: DockerSettings) -> None:
    """The same content is the same image; another list of packages is another one."""
    lock = (settings.directory or Path()) / "lock"
    first = images.image_for(engine, settings, MAJOR, lock)

    assert images.image_for(engine, settings, MAJOR, lock) == first
    base = engine.client.images.get("pgrestore-test-base:17").id or ""
    more = replace(settings, packages=("postgresql-17-cron",))
    assert images.content_digest(base, more, MAJOR) != images.content_digest(base, settings, MAJOR)


def test_a_container_out_of_memory_is_not_the_backups_fault(
    opening: Callable[..., DockerRun],
) -> None:
    """The kernel kills a backend; with restart_after_crash = off the server ends, and we know why."""
    sandbox = empty_server(opening(memory="96m", storage="volume"))
    assert ask(sandbox, "select 1") == 1
    greedy = (
        "select cardinality(array_agg(repeat('x', 1000) || i)) from generate_series(1, 1000000) i"
    )

    with (
        pytest.raises(psycopg.OperationalError),
        connect_to(sandbox) as connection,
    ):
        connection.execute(greedy.encode())

    wait_until(
        lambda: sandbox.why_ended() is not None, what="the kernel's word", timeout_seconds=DEADLINE
    )
    assert "ran out of its memory limit of 96m" in (sandbox.why_ended() or "")


def test_a_tool_that_hangs_is_ended(opening: Callable[..., DockerRun]) -> None:
    """Also in the container, which a client that goes away does not end."""
    run = opening()
    sandbox = run.sandbox("shop@latest", run.find_programs(MAJOR))

    with pytest.raises(HarnessError, match="sleep did not end within 1 s"):
        sandbox.container.execute(["sleep", "1000"], timeout_seconds=1)


def test_input_is_fed_and_its_troubles_are_passed_on(opening: Callable[..., DockerRun]) -> None:
    """More than any buffer holds goes through whole; an exception of the feeder is the answer."""
    run = opening()
    sandbox = run.sandbox("shop@latest", run.find_programs(MAJOR))
    chunks = [b"x" * 65536] * 64

    done = sandbox.container.execute(["sha256sum"], timeout_seconds=DEADLINE, stdin=iter(chunks))

    import hashlib

    assert done.stdout.split()[0] == hashlib.sha256(b"".join(chunks)).hexdigest()

    def broken() -> Iterator[bytes]:
        yield b"x"
        raise HarnessError("the dump was cut short", hint="take another one.")

    with pytest.raises(HarnessError, match="cut short"):
        sandbox.container.execute(["cat"], timeout_seconds=DEADLINE, stdin=broken())


def test_a_container_that_is_taken_away_is_one_sentence(opening: Callable[..., DockerRun]) -> None:
    """Somebody prunes, or the daemon restarts."""
    sandbox = empty_server(opening())
    assert ask(sandbox, "select 1") == 1

    sandbox.container.engine.client.api.kill(sandbox.container.identity)

    wait_until(lambda: sandbox.exit_status() is not None, what="the end", timeout_seconds=DEADLINE)
    assert "the container ended" in (sandbox.why_ended() or "")
    with pytest.raises(HarnessError, match=r"running .*psql in the container failed"):
        sandbox.programs.run("psql", "--version")


# Nothing left.

RUNS_AWAY = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from tests.real.runtimes import docker_settings
from tests.real.sandboxes.test_docker_sandbox import ask, empty_server
from pytest_pgrestore.sandboxes.docker.run import DockerRun
run = DockerRun.open(docker_settings(Path({place!r}), storage={storage!r}), "child")
ask(empty_server(run), "select 1")
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("storage", ["volume", "bind"])
def test_the_kernel_ends_the_container_of_a_killed_run(
    engine: Engine, settings: DockerSettings, storage: str
) -> None:
    """SIGKILL leaves nobody to clean up but the lock and the daemon."""
    here = str(ROOT)
    text = RUNS_AWAY.format(here=here, place=str(settings.directory), storage=storage)
    child = subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == b"ready\n"
    assert left_of(engine, "child") != []

    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stdout.close()

    wait_until(
        lambda: left_of(engine, "child") == [],
        what="the end of the container",
        timeout_seconds=DEADLINE,
    )
    runs = (settings.directory or Path()) / f"pgrestore-{os.geteuid()}"
    wait_until(lambda: not (runs / "child").exists(), what="the watchdog", timeout_seconds=DEADLINE)


def test_a_container_ends_when_its_time_has_passed(
    opening: Callable[..., DockerRun], engine: Engine
) -> None:
    """Though the harness lives."""
    run = opening(max_lifetime_seconds=3.0)
    run.sandbox("shop@latest", run.find_programs(MAJOR))

    wait_until(
        lambda: left_of(engine, run.root.name) == [], what="the limit", timeout_seconds=DEADLINE
    )


def test_the_sweep_takes_ours_and_leaves_other_peoples(
    opening: Callable[..., DockerRun], engine: Engine, settings: DockerSettings
) -> None:
    """A dead run's container that was made and never started; a live run's, and one that has nothing to do with us."""
    live = opening()
    live.sandbox("shop@latest", live.find_programs(MAJOR))
    image = images.image_for(engine, settings, MAJOR, (settings.directory or Path()) / "lock")
    stranger = engine.client.containers.create(image.name, "true", labels={"somebody": "else"})
    from pytest_pgrestore.sandboxes.docker.daemon.client import boot_identity

    dead = engine.client.containers.create(
        image.name,
        "true",
        labels={
            removal.MANAGED: "true",
            removal.RUN: "dead",
            removal.ROOT: "/nonexistent/dead",
            removal.HOST: boot_identity(),
        },
    )
    elsewhere = engine.client.containers.create(
        image.name,
        "true",
        labels={
            removal.MANAGED: "true",
            removal.RUN: "remote",
            removal.ROOT: "/nonexistent/remote",
            removal.HOST: "another-machine/boot",
        },
    )
    try:
        removed = sweep()

        assert f"container {(dead.id or '')[:12]}" in removed
        left = {entry["Id"] for entry in engine.client.api.containers(all=True)}
        assert {stranger.id, elsewhere.id} <= left
        assert left_of(engine, live.root.name) != []
    finally:
        for container in (stranger, elsewhere):
            container.remove(force=True)


def test_a_kept_container_outlives_the_run_until_it_is_cleaned(
    settings: DockerSettings, engine: Engine
) -> None:
    """--pgrestore-keep says how to get in, and how to remove it."""
    from pytest_pgrestore.cli.clean import clean_up

    run = DockerRun.open(settings, "kept")
    sandbox = empty_server(run)
    assert ask(sandbox, "select 1") == 1

    told = run.keep_drill("shop@latest")
    assert run.close() == []

    assert f"psql -h {sandbox.socket_directory}" in told
    assert ask(sandbox, "select 2") == 2
    said: list[str] = []
    clean_up(sandbox.place, settings.directory, said.append)
    assert left_of(engine, "kept") == []
    assert not sandbox.place.exists()
