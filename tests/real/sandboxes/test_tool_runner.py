"""A backup tool on this machine or in a container beside the drill's, with its secrets hidden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.docker.daemon.client import connect
from pytest_pgrestore.sandboxes.docker.sandbox import DockerSandbox
from pytest_pgrestore.sandboxes.protocol import Run, Sandbox, ToolRequirements
from pytest_pgrestore.system.network import interfaces_of
from tests.real.runtimes import BACKUP_TOOLS, opened_run

SECRET = {"STORE_KEY": 'it\'s "secret"; echo $HOME'}


@pytest.fixture
def sandbox(tool_run: Run) -> Iterator[Sandbox]:
    """An empty sandbox of PostgreSQL 17."""
    key = uuid4().hex
    yield tool_run.sandbox(key, tool_run.find_programs(17))
    assert tool_run.close_drill(key).removed


def shell(*, reads: tuple[Path, ...] = (), network: bool = False) -> ToolRequirements:
    """Return the requirements of a shell: it can do whatever a tool can."""
    return ToolRequirements(program="sh", reads=reads, network=network)


def test_a_tool_fills_the_sandbox_and_the_server_s_user_gets_it(sandbox: Sandbox) -> None:
    """It writes as the caller; in the end the server's user owns the copy."""
    done = sandbox.tool_runner(shell()).run(
        "sh", "-c", f"echo 17 > {sandbox.data}/PG_VERSION; umask; id -u"
    )

    assert done.status == 0, done
    assert (sandbox.data / "PG_VERSION").read_text() == "17\n"
    sandbox.adopt(sandbox.data)
    assert (sandbox.data / "PG_VERSION").stat().st_uid == sandbox.data.stat().st_uid


def test_a_tool_reads_what_it_needs_and_nothing_else_of_this_machine(
    tool_run: Run, tmp_path: Path
) -> None:
    """A repository is mounted read-only; a container does not see paths that are not named."""
    for name in ("repository", "else"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("content")
    tool_runner = tool_run.tool_runner(shell(reads=(tmp_path / "repository",)), 17)

    assert tool_runner.run("sh", "-c", f"cat {tmp_path}/repository/file").stdout == "content"
    if tool_runner.origin.startswith("a container"):
        assert tool_runner.run("sh", "-c", f"echo x >> {tmp_path}/repository/file").status != 0
        assert tool_runner.run("sh", "-c", f"cat {tmp_path}/else/file").status != 0


def test_secrets_reach_the_tool_and_nobody_else(tool_run: Run) -> None:
    """Not even the daemon: everybody who may call it can list what it runs."""
    tool_runner = tool_run.tool_runner(shell(), 17)
    script = (
        'printf "%s" "$STORE_KEY"; tr "\\0" " " </proc/1/environ; tr "\\0" " " </proc/$PPID/cmdline'
    )

    done = tool_runner.run("sh", "-c", script, secrets=SECRET)

    assert done.stdout.startswith(SECRET["STORE_KEY"])
    assert SECRET["STORE_KEY"] not in done.stdout.removeprefix(SECRET["STORE_KEY"])
    assert not list(tool_run.root.rglob(".env-*"))


def test_a_program_that_is_not_there_is_named_with_its_package(tool_run: Run) -> None:
    """That is could not verify, and the error has a hint."""
    tool_runner = tool_run.tool_runner(ToolRequirements(program="no-such-tool"), 17)

    with pytest.raises(HarnessError, match="no-such-tool") as caught:
        tool_runner.run("no-such-tool", "--version")

    assert caught.value.hint


@pytest.mark.parametrize("storage", ["tmpfs", "volume", "bind"])
def test_the_network_ends_before_the_server_starts(storage: str) -> None:
    """The drill's container never has one. The tool's container is removed before the start."""
    with opened_run("docker", packages=BACKUP_TOOLS, tool_network="host", storage=storage) as run:
        sandbox = run.sandbox("shop", run.find_programs(17))
        assert isinstance(sandbox, DockerSandbox)
        tool_runner = sandbox.tool_runner(shell(network=True))
        assert tool_runner.network == "Docker network host"
        assert (
            tool_runner.run(
                "sh", "-c", f"echo hello > {sandbox.wal}/there; cat /proc/net/dev"
            ).stdout.count(":")
            > 1
        )
        assert interfaces_of(sandbox.container.pid) == ["lo"]
        label = ["pgrestore.tool=true", f"pgrestore.run={run.root.name}"]
        assert len(connect().client.containers.list(all=True, filters={"label": label})) == 1

        sandbox.stop_tools()

        assert connect().client.containers.list(all=True, filters={"label": label}) == []
        assert (sandbox.wal / "there").read_text() == "hello\n"
        assert run.close_drill("shop").removed
