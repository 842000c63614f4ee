"""The advice about a path that this user may not read, asked by an unprivileged process."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.system.account import server_account
from pytest_pgrestore.system.who_may_read import advice_in, who_may_read


def asked_by_nobody(ask: Callable[[], str]) -> str:
    """Return the advice that the server's user gets, in a child of this process.

    A new interpreter would not do: the one in use may lie where that user may not read.
    """
    account = server_account()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
            os.write(writing, ask().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return text


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")
@pytest.mark.parametrize(
    ("group", "mode", "folder_mode", "said"),
    [
        (12345, 0o640, 0o755, "group '12345' may read {file}: add the user who runs pytest"),
        (12345, 0o640, 0o750, "group '12345' may read {folder}: add"),
        (12345, 0o600, 0o755, "only '4321' may read {file}: run pytest as '4321'"),
        (0, 0o640, 0o755, "only '4321' may read {file}"),
        (0, 0o644, 0o755, "let the user who runs pytest read {file}"),
    ],
)
def test_the_group_that_may_read(group: int, mode: int, folder_mode: int, said: str) -> None:
    """It is about the first obstacle on the way. Nobody is sent into the group of root."""
    folder = short_directory()
    try:
        file = folder / "pgbackrest.conf"
        file.touch()
        for path, bits in ((file, mode), (folder, folder_mode)):
            os.chown(path, 4321, group)
            path.chmod(bits)

        advice = asked_by_nobody(lambda: who_may_read(file))
        text = f"unable to open file '{file}' for read: [13] Permission denied"
        found = asked_by_nobody(lambda: advice_in(text, "let the user who runs pytest read it."))

        assert said.format(file=file, folder=folder) in advice
        assert found == (
            advice if "let the user" not in said else "let the user who runs pytest read it."
        )
    finally:
        file.unlink()
        folder.rmdir()
