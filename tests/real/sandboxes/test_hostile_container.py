"""A hostile server in a container: what it can see, do and leave there, as its own SQL shows.

Programs that COPY ... PROGRAM starts run as the server's user in its container, as those of a
dump's author would.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.restore.saved_logs import save_logs
from pytest_pgrestore.sandboxes.docker.drill_place import written_in
from pytest_pgrestore.sandboxes.docker.run import DockerRun
from pytest_pgrestore.sandboxes.docker.sandbox import DockerSandbox
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from tests.real.sandboxes.docker_server import (
    DEADLINE,
    MAJOR,
    ask,
    connect_to,
    empty_server,
    inspect,
)

KEY = "shop@latest"

TRIES = {
    "mount": "mount -t tmpfs none /tmp",
    "mount a disk": "mount /dev/sda /tmp || mount /dev/vda /tmp",
    "make a device": "mknod /tmp/disk b 8 0",
    "leave by a namespace": "unshare --user --mount true",
    "become root": "su root -c true || chroot / true",
    "change the kernel": "echo 1 > /proc/sys/vm/drop_caches",
    "write to the kernel's files": "echo x > /sys/kernel/uevent_helper",
    "read kernel memory": "head -c 1 /proc/kcore | grep -q .",
    "write to the image": "touch /usr/bin/x || touch /etc/x || touch /root/x",
    "read the first process": "tr '\\0' ' ' < /proc/1/environ | grep -q .",
    "follow the first process": "ls /proc/1/root/",
    "reach Docker": "ls /var/run/docker.sock || ls /run/docker.sock",
    "open a raw socket": "perl -MSocket -e 'socket(my $s, AF_INET, SOCK_RAW, 1) or exit 1'",
    "open a packet socket": "perl -MSocket -e 'socket(my $s, 17, SOCK_RAW, 768) or exit 1'",
    "reach an abstract socket": (
        "perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0);"
        ' connect($s, pack_sockaddr_un("\\0{abstract}")) or exit 1\''
    ),
    "reach the network": (
        "perl -MSocket -e 'socket(my $s, AF_INET, SOCK_STREAM, 0);"
        ' connect($s, sockaddr_in({port}, inet_aton("172.17.0.1"))) or exit 1\''
    ),
    "trace another process": (
        # 101 is ptrace of x86-64, 117 of aarch64; 16 is PTRACE_ATTACH (ptrace(2)).
        "perl -e 'exit(0 == syscall((`uname -m` =~ /x86/ ? 101 : 117), 16, 1, 0, 0) ? 0 : 1)'"
    ),
    "hold the run's lock": "flock --shared --nonblock {lock} true",
    "see the secrets of tools": "ls {secrets}",
    "change a backup": "touch {backup}/new || rm -f {backup}/file || chmod 777 {backup}/file",
    "change the configuration": "touch {place}/config/x || echo x >> {place}/config/pg_hba.conf",
    "make a record": "touch {place}/server.json || touch {place}/keep || touch {place}/x",
    "make a log": "touch {place}/starts/x || touch {place}/logs/x",
    "make a link among the logs": "ln -s /etc/passwd {place}/logs/container.json",
    "move a log": "mv {place}/starts/server-2.log {place}/starts/x",
    "remove a log": "rm -f {place}/starts/server-2.log",
    "make a directory beside the data": "mkdir {copy}/x || ln -s /etc {copy}/tables.list",
    "move the tablespaces": "mv {copy}/tablespaces {copy}/x || ln -s /etc {copy}/tablespaces/x",
}
"""What a program of the attacker's tries: each ends with a status other than 0."""

POSSIBLE = (
    "touch here",
    "touch /tmp/here",
    "command -v mount mknod unshare chroot flock perl >/dev/null",
    "perl -MSocket -e 'socket(my $s, AF_INET, SOCK_STREAM, 0) or exit 1'",
)
"""The control: what these programs need is there, and is not what fails."""

OF_ROOT = (
    "hold the run's lock",
    "make a directory beside the data",
    "move the tablespaces",
)
"""Tries that ownership forbids: the server's user is not the one who runs pytest."""


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A directory that the container sees, as a backup."""
    made = tmp_path / "backup"
    made.mkdir()
    (made / "file").write_text("x")
    return made


@pytest.fixture
def hostile(open_run: Callable[..., DockerRun], backup: Path) -> tuple[DockerRun, DockerSandbox]:
    """A running server, in a container beside which a tool ran that had a secret."""
    run = open_run(storage="volume")
    run.tool_runner(ToolRequirements(program="sh"), MAJOR).run("true", secrets={"KEY": "geheim"})
    return run, empty_server(run, KEY, reads=(backup,))


@pytest.fixture
def abstract() -> Iterator[str]:
    """An abstract socket of this machine that listens."""
    name = f"pgrestore-{uuid4().hex}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"\0{name}")
        listening.listen()
        yield name


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine that listens, on all its addresses."""
    with socket.create_server(("", 0)) as listening:
        yield listening.getsockname()[1]


def run_in(sandbox: DockerSandbox, command: str) -> str:
    """Return what a program prints that the server's SQL starts."""
    with connect_to(sandbox) as connection:
        connection.execute("create temporary table said (line text)")
        connection.execute(f"copy said from program $hand${command}$hand$".encode())
        rows = connection.execute("select line from said").fetchall()
    return "\n".join(str(row[0]) for row in rows)


def test_a_hostile_server_gains_nothing_in_its_container(
    hostile: tuple[DockerRun, DockerSandbox], backup: Path, abstract: str, port: int
) -> None:
    """Mounts, devices, sockets, other processes, our records: everything is denied."""
    run, sandbox = hostile
    assert ask(sandbox, "select 1") == 1
    words = {
        "abstract": abstract,
        "port": str(port),
        "lock": str(run.directory.lock),
        "secrets": str(run.root / "programs" / "secrets"),
        "backup": str(backup),
        "place": str(sandbox.place),
        "copy": str(sandbox.root),
    }
    reached = []
    for name, command in TRIES.items():
        if name in OF_ROOT and not sandbox.account.drop:
            continue
        text = command
        for word, value in words.items():
            text = text.replace("{" + word + "}", value)
        if run_in(sandbox, f"({text}) >/dev/null 2>&1 && echo reached || echo denied") == "reached":
            reached.append(name)

    assert reached == []
    for command in POSSIBLE:
        assert run_in(sandbox, f"({command}) && echo reached || echo denied") == "reached"
    assert [path.name for path in backup.iterdir()] == ["file"]


def test_a_hostile_server_sees_its_own_mounts_only(
    hostile: tuple[DockerRun, DockerSandbox], backup: Path
) -> None:
    """Of this machine: the backups, the run's scratch directory and lock, its socket, its logs."""
    run, sandbox = hostile
    mounts = inspect(sandbox)["Mounts"]
    bound = {mount["Source"]: mount["RW"] for mount in mounts if mount["Type"] == "bind"}
    place = sandbox.place

    logs = {str(path): True for path in written_in(place)}
    assert bound == logs | {
        str(run.root / "programs" / "passwd"): False,
        str(run.root / "scratch"): False,
        str(run.directory.lock): False,
        str(backup): False,
        str(place): False,
    }


def test_the_kernel_s_limits_are_on_each_process(
    hostile: tuple[DockerRun, DockerSandbox],
) -> None:
    """No capability in any set, no new privileges, seccomp's filter, few processes, little /tmp."""
    _, sandbox = hostile
    assert ask(sandbox, "select 1") == 1

    lines = run_in(sandbox, "tr '\\t' ' ' </proc/self/status").splitlines()
    status = dict(line.split(": ", 1) for line in lines if ": " in line)
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert int(run_in(sandbox, "df -k /tmp | tail -n 1 | awk '{ print $2 }'")) <= 256 * 1024
    assert inspect(sandbox)["HostConfig"]["PidsLimit"] == 1024


def test_a_record_of_ours_is_not_written_through_a_link(
    hostile: tuple[DockerRun, DockerSandbox], tmp_path: Path
) -> None:
    """The state of the container is written beside the logs, by us."""
    run, sandbox = hostile
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    assert ask(sandbox, "select 1") == 1
    link = sandbox.logs / "container.json"

    run_in(sandbox, f"ln -s {victim} {link} || true")
    run.note_state(KEY)

    assert victim.read_text() == "untouched"


def test_a_log_that_grows_without_end_is_kept_in_part(
    hostile: tuple[DockerRun, DockerSandbox], tmp_path: Path
) -> None:
    """A terabyte of nothing: its beginning and end are kept, and starts that never were are not."""
    run, sandbox = hostile
    assert ask(sandbox, "select 1") == 1

    run_in(sandbox, "truncate -s 1T $(readlink /proc/self/fd/2)")
    saved = save_logs(run, KEY, tmp_path / "logs")

    text = (tmp_path / saved[-1]).read_text()
    assert "left out" in text
    assert len(text) < 20 << 20
    assert [Path(name).name for name in saved if "server" in name] == ["server-1.log"]


def test_a_program_that_prints_without_end_is_stopped(open_run: Callable[..., DockerRun]) -> None:
    """Its output would fill the disk first, and then memory."""
    run = open_run(storage="tmpfs")
    sandbox = run.sandbox(KEY, run.find_programs(MAJOR))

    with pytest.raises(HarnessError, match="printed more than"):
        sandbox.container.execute(["cat", "/dev/zero"], timeout_seconds=DEADLINE)


def test_files_of_this_machine_have_the_owners_they_need(
    hostile: tuple[DockerRun, DockerSandbox],
) -> None:
    """Directories are ours; the server's user owns its data, its socket's place and its logs."""
    _, sandbox = hostile
    assert ask(sandbox, "select 1") == 1
    ours, theirs = os.geteuid(), sandbox.account.uid

    owners = {
        path: path.stat().st_uid
        for path in (
            *(sandbox.place, sandbox.config, sandbox.logs, sandbox.root),
            *(sandbox.tablespaces, sandbox.wal),
            *(sandbox.data, sandbox.socket_directory, sandbox.server_log()),
        )
    }

    assert set(list(owners.values())[:6]) == {ours}, owners
    assert set(list(owners.values())[6:]) == {theirs}, owners
