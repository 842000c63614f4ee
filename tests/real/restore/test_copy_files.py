"""What root does in the directory of a copy: links that somebody put there are never followed."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.restore.clone import clone
from pytest_pgrestore.restore.instance import RestoredInstance
from pytest_pgrestore.restore.quarantine.files import make_empty, sanitise
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.runtimes import opened_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Run, Sandbox
    from tests.real.worlds import Drilled, World

VALUE = "root-only-8d20"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox whose copy is empty and was never started."""
    with opened_run("local") as run:
        yield run.sandbox("shop@latest", run.find_programs(None))


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A file of root's outside of every copy."""
    path = tmp_path / "precious" / "file"
    path.parent.mkdir()
    path.write_text(VALUE)
    path.chmod(0o600)
    return path


def test_a_link_in_place_of_a_directory_that_is_emptied_is_refused(
    sandbox: Sandbox, precious: Path
) -> None:
    """Replication slots are removed from the copy; through the link they would be root's files."""
    (sandbox.data / "pg_replslot").symlink_to(precious.parent)

    with pytest.raises(BackupNotRestorable, match="outside the sandbox"):
        sanitise(sandbox)
    assert precious.read_text() == VALUE


@pytest.mark.parametrize("kind", ["link", "file", "directory", "nothing"])
def test_the_slots_are_an_empty_directory_of_the_servers(sandbox: Sandbox, kind: str) -> None:
    """Whatever the backup has in their place; where a link inside the copy leads is left alone."""
    slots, base = sandbox.data / "pg_replslot", sandbox.data / "base"
    (base / "1").mkdir(parents=True)
    if kind == "link":
        slots.symlink_to("base")
    elif kind == "file":
        slots.write_text("broken")
    elif kind == "directory":
        (slots / "standby1").mkdir(parents=True)
        (slots / "standby1" / "link").symlink_to("../../base")

    sanitise(sandbox)

    assert not slots.is_symlink()
    assert list(slots.iterdir()) == []
    assert (base / "1").is_dir()
    for path in (slots, sandbox.data / "recovery.signal", sandbox.data / "postgresql.auto.conf"):
        assert path.stat().st_uid == sandbox.data.stat().st_uid
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize("kind", ["link", "pipe", "nothing"])
def test_a_file_that_is_made_empty_is_a_new_one(
    sandbox: Sandbox, precious: Path, kind: str
) -> None:
    """In a private copy of a running server, its user may have put something there meanwhile."""
    path = sandbox.data / "postgresql.auto.conf"
    if kind == "link":
        path.symlink_to(precious)
    elif kind == "pipe":
        os.mkfifo(path)

    make_empty(sandbox.data, path.name)

    assert precious.read_text() == VALUE
    assert stat.S_ISREG(path.lstat().st_mode)
    assert path.stat().st_size == 0


def test_a_private_copy_takes_no_file_that_a_data_file_was_swapped_for(
    worlds: Callable[[int], World],
    drill: Callable[..., Drilled],
    run: Run,
    precious: Path,
) -> None:
    """Programs of the copy run as the server's user, and may make any link in its directory."""
    drilled = drill(BasebackupSource("shop", str(worlds(15).backup("plain"))), database="shop")
    access = drilled.result.access
    assert access is not None, drilled.cause
    link = "rm '{path}' && ln -s {precious} '{path}'"
    with access.open() as connection:
        connection.execute("create table swapped as select 1 i")
        row = connection.execute(
            "select current_setting('data_directory'), pg_relation_filepath('swapped')"
        ).fetchone()
        assert row is not None
    with access.open() as connection:
        for path in (f"{row[0]}/{row[1]}", f"{row[0]}/postgresql.auto.conf"):
            program = link.format(path=path, precious=precious)
            connection.execute(f"copy (select 1) to program $${program}$$".encode())

    copied = ""
    try:
        copy = clone(RestoredInstance(access, drilled.result.record), run, "shop@latest clone 1")
        with copy.connect() as connection:
            assert connection.execute("select count(*) from ledger").fetchone() == (100,)
        copied = "".join(
            path.read_text(errors="replace")
            for path in run.drill_root("shop@latest clone 1").rglob("*")
            if stat.S_ISREG(path.lstat().st_mode)
        )
    except HarnessError as exc:
        copied = str(exc)
    finally:
        assert run.close_drill("shop@latest clone 1").removed

    assert copied
    assert VALUE not in copied
    assert precious.read_text() == VALUE
