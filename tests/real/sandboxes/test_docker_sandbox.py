"""The docker sandbox on a real engine: storage, rights, ways in, limits, and their failures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.docker.run import DockerRun
from pytest_pgrestore.system.waiting import wait_until
from tests.real.sandboxes.docker_server import (
    DEADLINE,
    MAJOR,
    ask,
    connect_to,
    empty_server,
    inspect,
)


@pytest.mark.parametrize("storage", ["volume", "tmpfs", "bind"])
def test_a_server_runs_and_nothing_of_it_is_left(
    open_run: Callable[..., DockerRun], storage: str
) -> None:
    """The copy is stored as the user wants, and is gone afterwards, with proof."""
    run = open_run(storage=storage)

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


def test_the_container_has_no_rights_it_does_not_need(open_run: Callable[..., DockerRun]) -> None:
    """No network, no capability for the server, no new privileges, a read-only root, limits."""
    run = open_run(memory="512m", cpus=1.5, pids_limit=200, shm_size="64m")

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
    open_run: Callable[..., DockerRun],
) -> None:
    """For daemons that share no sockets, as Docker Desktop; the evidence says NOT cut."""
    run = open_run(connect_by="port", storage="bind")
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


def test_backups_are_mounted_read_only(open_run: Callable[..., DockerRun], tmp_path: Path) -> None:
    """Not even root in the container may write there."""
    (tmp_path / "a.dump").write_text("x")
    run = open_run()
    sandbox = run.sandbox("shop@latest", run.find_programs(MAJOR), reads=(tmp_path,))

    done = sandbox.container.execute(
        ["touch", f"{tmp_path}/b"], timeout_seconds=DEADLINE, user="0:0"
    )

    assert "Read-only file system" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.dump"]


def test_no_secret_is_in_the_container(
    open_run: Callable[..., DockerRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables of the caller's environment do not get in."""
    monkeypatch.setenv("SHOP_PASSWORD_OF_THIS_TEST", "geheim-4711")
    sandbox = empty_server(open_run())

    assert "geheim-4711" not in json.dumps(inspect(sandbox))
    assert "geheim-4711" not in sandbox.container.execute(["env"], timeout_seconds=DEADLINE).stdout


def test_a_container_out_of_memory_is_not_the_backups_fault(
    open_run: Callable[..., DockerRun],
) -> None:
    """The kernel kills a backend. With restart_after_crash = off the server ends too."""
    sandbox = empty_server(open_run(memory="96m", storage="volume"))
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


def test_a_tool_that_hangs_is_ended(open_run: Callable[..., DockerRun]) -> None:
    """A program in a container goes on when its client has gone, so a deadline there ends it."""
    run = open_run()
    sandbox = run.sandbox("shop@latest", run.find_programs(MAJOR))

    with pytest.raises(HarnessError, match="sleep did not end within 1 s"):
        sandbox.container.execute(["sleep", "1000"], timeout_seconds=1)


def test_input_is_fed_and_its_troubles_are_passed_on(open_run: Callable[..., DockerRun]) -> None:
    """Input larger than any buffer arrives complete; an error of the input is raised."""
    run = open_run()
    sandbox = run.sandbox("shop@latest", run.find_programs(MAJOR))
    chunks = [b"x" * 65536] * 64

    done = sandbox.container.execute(["sha256sum"], timeout_seconds=DEADLINE, stdin=iter(chunks))

    assert done.stdout.split()[0] == hashlib.sha256(b"".join(chunks)).hexdigest()

    def broken(error: Exception) -> Iterator[bytes]:
        yield b"x"
        raise error

    for error in (HarnessError("cut short", hint="take another."), OSError("cut short")):
        with pytest.raises(type(error), match="cut short"):
            sandbox.container.execute(["cat"], timeout_seconds=DEADLINE, stdin=broken(error))


def test_a_container_that_is_taken_away_is_one_sentence(open_run: Callable[..., DockerRun]) -> None:
    """Somebody prunes, or the daemon restarts."""
    sandbox = empty_server(open_run())
    assert ask(sandbox, "select 1") == 1

    sandbox.container.engine.client.api.kill(sandbox.container.identity)

    wait_until(lambda: sandbox.exit_status() is not None, what="the end", timeout_seconds=DEADLINE)
    assert "the container ended" in (sandbox.why_ended() or "")
    with pytest.raises(HarnessError, match=r"running .*psql in the container failed"):
        sandbox.programs.run("psql", "--version")
