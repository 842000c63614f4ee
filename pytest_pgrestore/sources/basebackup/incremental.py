"""Incremental backups (PostgreSQL 17 and later): the chain of a backup, and pg_combinebackup."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.basebackup.links import TABLESPACES, open_tablespace, tablespaces_of
from pytest_pgrestore.sources.basebackup.unpacking import TABLESPACE_MAP, Places, lay_out
from pytest_pgrestore.sources.codecs import reading
from pytest_pgrestore.sources.trees import open_directory, require_no_links
from pytest_pgrestore.sources.wal.staging import empty_wal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.basebackup.directory import BackupDirectory
    from pytest_pgrestore.system.process import Completed

WORKSHOP = "chain"
"""Directory of the sandbox for the unpacked tars of a chain, until they are verified."""

_SINCE = 17
"""First server major with pg_combinebackup."""

_LINK_SINCE = 18
"""First server major whose pg_combinebackup has the option ``--link``."""


def chain_of(
    directory: BackupDirectory, all_of_them: Sequence[BackupDirectory]
) -> tuple[BackupDirectory, ...]:
    """Return the backups needed to restore `directory`: the full one first, `directory` last.

    Raises:
        BackupNotRestorable: One of them is missing.
    """
    chain = [directory]
    starts: dict[int, BackupDirectory] = {}
    for other in all_of_them:
        if other.label is not None and not other.unfinished:
            starts.setdefault(other.label.start_lsn, other)
    while (label := chain[0].label) is not None and label.incremental_from is not None:
        parent = starts.get(label.incremental_from)
        # A label that names itself or a child would lead round and round.
        if parent is None or label.incremental_from >= label.start_lsn:
            raise BackupNotRestorable(
                f"backup {chain[0].path.name} is incremental to a parent that starts at"
                f" {label.incremental_from}, which is not there",
                hint="keep every backup of a chain, back to the full one, and name the directory"
                " that holds them all.",
            )
        chain.insert(0, parent)
    return tuple(chain)


def known_chain(
    directory: BackupDirectory, all_of_them: Sequence[BackupDirectory]
) -> tuple[str, ...]:
    """Return the labels of the backups `directory` depends on; empty if one is missing."""
    try:
        return tuple(link.path.name for link in chain_of(directory, all_of_them)[:-1])
    except BackupNotRestorable:
        # This is a finding only if this backup is chosen: chain_of raises it again.
        return ()


def combine(chain: Sequence[BackupDirectory], sandbox: Sandbox, timeout_seconds: float) -> str:
    """Fill the sandbox from a chain; return a description for the report of the phase.

    Plain backups are read in place. The result is never linked to them, because recovery writes
    into its files. It may be linked to files that were unpacked from tars.

    Raises:
        BackupNotRestorable: pg_combinebackup refuses the chain.
        HarnessError: pg_combinebackup is missing, or the disk is full.
    """
    if sandbox.programs.major < _SINCE:
        raise HarnessError(
            f"incremental backups need pg_combinebackup of PostgreSQL {_SINCE},"
            f" and this is {sandbox.programs.major}",
            hint="set sandbox.bindir to newer programs.",
        )
    for directory in chain:
        _prepare(directory, sandbox, last=directory is chain[-1])
    for way in _copy_options(chain, sandbox):
        # The tool fails at the first file if the file system does not support an option.
        done = _run(chain, way, sandbox, timeout_seconds)
        if done.status == 0:
            _tidy(sandbox)
            names = " + ".join(directory.path.name for directory in chain)
            return f"{len(chain)} backups combined ({way.removeprefix('--')}): {names}"
        _clear(sandbox)
    raise BackupNotRestorable(
        f"pg_combinebackup refused the chain: {done.tail()}",
        hint="a full backup and every incremental one after it are needed, unchanged.",
    )


def _copy_options(chain: Sequence[BackupDirectory], sandbox: Sandbox) -> list[str]:
    """Return the options of pg_combinebackup that choose how files are copied, fastest first."""
    unpacked = all(directory.tar for directory in chain)
    if unpacked and sandbox.programs.major >= _LINK_SINCE:
        return ["--clone", "--link", "--copy-file-range", "--copy"]
    return ["--clone", "--copy-file-range", "--copy"]


def inputs_of(chain: Sequence[BackupDirectory], sandbox: Sandbox) -> list[Path]:
    """Return the plain directories that `combine` read: plain backups, and unpacked tars."""
    return [
        _unpacked(directory, sandbox) if directory.tar else directory.path for directory in chain
    ]


def forget(sandbox: Sandbox) -> None:
    """Remove the tars that `combine` unpacked."""
    shutil.rmtree(sandbox.root / WORKSHOP, ignore_errors=True)


def _unpacked(directory: BackupDirectory, sandbox: Sandbox) -> Path:
    return sandbox.root / WORKSHOP / directory.path.name


def _prepare(directory: BackupDirectory, sandbox: Sandbox, *, last: bool) -> None:
    """Make the backup ready for tools: unpack it if it is in tar format, otherwise look through it.

    Only the WAL of the last backup is unpacked.

    Raises:
        BackupNotRestorable: A plain backup has links or other things that no backup has. The tools
            follow links, and may run as root.
    """
    if not directory.tar:
        _require_plain_files(directory)
        return
    data = _unpacked(directory, sandbox)
    tablespaces = data.with_name(f"{data.name}.tablespaces")
    for folder in (data, tablespaces):
        folder.mkdir(mode=0o700, parents=True)
    lay_out(directory, Places(data, tablespaces, sandbox.wal if last else None))
    sandbox.adopt(sandbox.root / WORKSHOP)


def _require_plain_files(directory: BackupDirectory) -> None:
    path = directory.path
    with reading(path), open_directory(path) as descriptor:
        require_no_links(descriptor, str(path), {"pg_wal", TABLESPACES})
    for oid in tablespaces_of(path):
        with reading(path), open_tablespace(path, oid, directory.rules) as space:
            require_no_links(space.descriptor, str(space.place))


def _run(
    chain: Sequence[BackupDirectory], way: str, sandbox: Sandbox, timeout_seconds: float
) -> Completed:
    """Run pg_combinebackup with one option for copying.

    Raises:
        HarnessError: The disk is full.
    """
    inputs = inputs_of(chain, sandbox)
    spaces = inputs[-1] / TABLESPACES
    links = [spaces / oid for oid in tablespaces_of(inputs[-1])]
    mappings = []
    for link in links:
        if link.is_symlink():
            # The tool takes an empty directory. It could make none: the one above is the caller's.
            place = sandbox.tablespaces / link.name
            place.mkdir(mode=0o700, exist_ok=True)
            sandbox.adopt(place)
            mappings.append(f"--tablespace-mapping={_escaped(link.readlink())}={place}")
    done = sandbox.programs.run(
        "pg_combinebackup",
        *(str(path) for path in inputs),
        f"--output={sandbox.data}",
        "--no-sync",
        way,
        *mappings,
        timeout_seconds=timeout_seconds,
        check=False,
        # Only the caller may be able to read plain backups. What was unpacked is the server's.
        as_caller=not all(directory.tar for directory in chain),
    )
    if "No space left on device" in done.stderr:
        raise HarnessError(
            "pg_combinebackup found no space left on the device",
            hint="free the disk or set sandbox.directory to a larger one.",
        )
    return done


def _escaped(path: Path) -> str:
    """Return a path as ``--tablespace-mapping`` wants it: the first ``=`` ends it."""
    return str(path).replace("=", "\\=")


def _tidy(sandbox: Sandbox) -> None:
    """Remove the tablespace map and the WAL from the result. WAL is checked and staged later."""
    (sandbox.data / TABLESPACE_MAP).unlink(missing_ok=True)
    empty_wal(sandbox.data)


def _clear(sandbox: Sandbox) -> None:
    """Make the sandbox empty for the next try.

    The failed tool removes the directories it was given.
    Source: src/bin/pg_combinebackup/pg_combinebackup.c, cleanup_directories_atexit.
    """
    for folder in (sandbox.data, sandbox.tablespaces):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        sandbox.adopt(folder)
