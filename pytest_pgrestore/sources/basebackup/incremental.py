"""Incremental backups (PostgreSQL 17+): the chain a backup depends on, and pg_combinebackup."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.basebackup.unpacking import TABLESPACE_MAP, Places, lay_out
from pytest_pgrestore.sources.wal.segments import empty_wal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.basebackup.directory import BackupDirectory

WORKSHOP = "chain"
"""Directory of the sandbox that tars of a chain are unpacked in, until they are combined and verified."""

_SINCE = 17
_LINK_SINCE = 18


def chain_of(
    directory: BackupDirectory, all_of_them: Sequence[BackupDirectory]
) -> tuple[BackupDirectory, ...]:
    """Return the backups that restoring `directory` takes, the full one first, itself last.

    Raises:
        BackupNotRestorable: One of them is missing.
    """
    chain = [directory]
    while (label := chain[0].label) is not None and label.incremental_from is not None:
        parent = next(
            (other for other in all_of_them if _starts_at(other, label.incremental_from)), None
        )
        if parent is None or parent in chain:
            raise BackupNotRestorable(
                f"backup {chain[0].path.name} is incremental to a parent that starts at {label.incremental_from},"
                " which is not there",
                hint="keep every backup of a chain, back to the full one, and name the directory that holds them all.",
            )
        chain.insert(0, parent)
    return tuple(chain)


def known_chain(
    directory: BackupDirectory, all_of_them: Sequence[BackupDirectory]
) -> tuple[str, ...]:
    """Return the labels of the backups `directory` depends on, as far as they are there."""
    try:
        return tuple(link.path.name for link in chain_of(directory, all_of_them)[:-1])
    except BackupNotRestorable:
        # Matters only when this backup is the one that is chosen.
        return ()


def combine(chain: Sequence[BackupDirectory], sandbox: Sandbox, timeout_seconds: float) -> str:
    """Fill the sandbox from a chain; return words for the phase.

    Backups in plain format are read where they lie. Nothing is ever linked to them, because recovery writes into
    its files; what was unpacked from tars is ours to link to.

    Raises:
        BackupNotRestorable: The tool refuses the chain.
        HarnessError: The tool is missing, or the disk full.
    """
    if sandbox.programs.major < _SINCE:
        raise HarnessError(
            f"incremental backups need pg_combinebackup of PostgreSQL {_SINCE}, and this is {sandbox.programs.major}",
            hint="set sandbox.bindir to newer programs.",
        )
    inputs = [_as_plain(directory, sandbox, last=directory is chain[-1]) for directory in chain]
    ours = all(directory.tar for directory in chain)
    ways = ["--clone", "--copy-file-range", "--copy"]
    if ours and sandbox.programs.major >= _LINK_SINCE:
        ways.insert(1, "--link")
    for way in ways:
        # A way the file system cannot go is said at the first file; the next one starts from nothing.
        problem = _run(inputs, way, sandbox, timeout_seconds)
        if problem is None:
            _tidy(sandbox)
            names = " + ".join(directory.path.name for directory in chain)
            return f"{len(chain)} backups combined ({way.removeprefix('--')}): {names}"
        _clear(sandbox)
    raise BackupNotRestorable(
        f"pg_combinebackup refused the chain: {problem}",
        hint="a full backup and every incremental one after it are needed, unchanged.",
    )


def inputs_of(chain: Sequence[BackupDirectory], sandbox: Sandbox) -> list[Path]:
    """Return the plain directories that `combine` read: backups in place, or what was unpacked of them."""
    return [
        _unpacked(directory, sandbox) if directory.tar else directory.path for directory in chain
    ]


def forget(sandbox: Sandbox) -> None:
    """Remove what was unpacked for `combine`."""
    shutil.rmtree(sandbox.root / WORKSHOP, ignore_errors=True)


def _starts_at(directory: BackupDirectory, lsn: int) -> bool:
    return (
        directory.label is not None
        and directory.label.start_lsn == lsn
        and not directory.unfinished
    )


def _unpacked(directory: BackupDirectory, sandbox: Sandbox) -> Path:
    return sandbox.root / WORKSHOP / directory.path.name


def _as_plain(directory: BackupDirectory, sandbox: Sandbox, *, last: bool) -> Path:
    if not directory.tar:
        return directory.path
    data = _unpacked(directory, sandbox)
    tablespaces = data.with_name(f"{data.name}.tablespaces")
    for folder in (data, tablespaces):
        folder.mkdir(mode=0o700, parents=True)
    lay_out(directory, Places(data, tablespaces, sandbox.wal if last else None))
    return data


def _run(inputs: Sequence[Path], way: str, sandbox: Sandbox, timeout_seconds: float) -> str | None:
    """Run the tool one way; return why it failed, None when it did not."""
    links = [entry for entry in sorted((inputs[-1] / "pg_tblspc").iterdir()) if entry.is_symlink()]
    mappings = [
        f"--tablespace-mapping={link.readlink()}={sandbox.tablespaces / link.name}"
        for link in links
    ]
    done = sandbox.programs.run(
        "pg_combinebackup",
        *(str(path) for path in inputs),
        f"--output={sandbox.data}",
        "--no-sync",
        way,
        *mappings,
        timeout_seconds=timeout_seconds,
        check=False,
        # It may have to read backups that are closed to the server's user; it runs nothing of what it reads.
        as_caller=True,
    )
    if "No space left on device" in done.stderr:
        raise HarnessError(
            "pg_combinebackup found no space left on the device",
            hint="free the disk or set sandbox.directory to a larger one.",
        )
    return None if done.status == 0 else done.tail()


def _tidy(sandbox: Sandbox) -> None:
    """Take out of the result what must not steer a server: WAL comes later, checked."""
    (sandbox.data / TABLESPACE_MAP).unlink(missing_ok=True)
    empty_wal(sandbox.data)


def _clear(sandbox: Sandbox) -> None:
    """Make the sandbox empty again for another way; the tool removes directories it was given, too."""
    for folder in (sandbox.data, sandbox.tablespaces):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
