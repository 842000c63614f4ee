"""Where the copies would be, and the user that servers would run as."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.sandboxes.base_directory import (
    require_proc,
    require_traversable,
    temporary_directory,
)
from pytest_pgrestore.system.account import server_account

if TYPE_CHECKING:
    from pytest_pgrestore.cli.doctor.diagnosis import Diagnosis
    from pytest_pgrestore.settings.read_file import SandboxTable
    from pytest_pgrestore.system.account import Account

_GIB = 1024**3


def examine_place(sandbox: SandboxTable, diagnosis: Diagnosis) -> Account | None:
    """Report user and directory; return the user, or None if there is none."""
    with diagnosis.problems_from():
        require_proc()
    with diagnosis.problems_from():
        account = server_account(sandbox.user)
        dropped = " (root drops to it)" if account.drop else ""
        diagnosis.echo(f"servers run as: {account.name}{dropped}")
        _examine_directory(Path(sandbox.directory or temporary_directory()), account, diagnosis)
        account.require_name()
        return account
    return None


def _examine_directory(directory: Path, account: Account, diagnosis: Diagnosis) -> None:
    if not os.access(directory, os.W_OK | os.X_OK) or not directory.is_dir():
        diagnosis.problems.append(
            f"copies cannot live in {directory}: no directory that can be written\n"
            "HINT: make it, or set sandbox.directory to another one."
        )
        return
    free = shutil.disk_usage(directory).free / _GIB
    diagnosis.echo(f"copies live in: {directory}, {free:.1f} GiB free")
    if account.drop:
        with diagnosis.problems_from():
            require_traversable(directory, account)
