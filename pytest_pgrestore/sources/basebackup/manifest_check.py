"""The check `manifest`: pg_verifybackup compares the restored files with the backup's manifest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sources.basebackup.manifest import MANIFEST, MAX_FILES, read_manifest
from pytest_pgrestore.sources.basebackup.unpacking import TABLESPACE_MAP

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.system.process import Completed

NAME = "manifest"
INSTEAD = "relation files"
"""Name of the drill's check of files without a manifest (NAME in checks/relation_files.py)."""

_EXTRA = re.compile(r'"(.+)" is present on disk but not in the manifest')
"""Message of report_extra_files in src/bin/pg_verifybackup/pg_verifybackup.c."""

_FOREIGN = re.compile(r"\.DS_Store|\._.+|Thumbs\.db|desktop\.ini|\.nfs[0-9a-f]+|\.directory")
"""Names that file managers and NFS make; a directory that is empty, as lost+found, is no matter."""

_MOST_FOREIGN = 1000
"""Most files that are left out: their names are arguments of the program."""

_FORMAT_SINCE = 18
"""First server major whose pg_verifybackup has the option ``--format``."""


def verify(
    sandbox: Sandbox,
    inputs: Sequence[Path],
    *,
    unpacked: Collection[Path] = (),
    max_files: int = MAX_FILES,
) -> Check:
    """Verify the backups of a chain, then the data directory.

    pg_combinebackup computes checksums of the files it writes. It does not verify the files it
    reads, so damage in them would get a good checksum. So each backup is verified against its own
    manifest. Source: PostgreSQL docs, pg_combinebackup; src/bin/pg_combinebackup/reconstruct.c.

    Args:
        sandbox: Contains the restored files.
        inputs: The backups of a chain, as plain directories; empty for a full backup.
        unpacked: Those of `inputs` that the server's user can read.
        max_files: Most files of a backup.
    """
    directories = [*inputs, sandbox.data]
    without = [path.name for path in inputs or directories if not (path / MANIFEST).is_file()]
    if without:
        return _check(
            Verdict.COULD_NOT_VERIFY,
            f"{_named(without, inputs)} has no manifest, so its files cannot be verified: take"
            " backups with a manifest, or set verify = false to go without",
        )
    for path in directories:
        problem = _problem(path, sandbox, ours=path == sandbox.data or path in unpacked)
        if problem:
            return _check(Verdict.FAILED, f"{path.name}: {problem}" if path in inputs else problem)
    return _check_of_manifests(directories, inputs, max_files)


def _check_of_manifests(
    directories: Sequence[Path], inputs: Sequence[Path], max_files: int
) -> Check:
    """Return the check for files that match: passed if the manifests have checksums."""
    read = [read_manifest(path / MANIFEST, max_files) for path in directories]
    unverifiable = sum(manifest.unverifiable for manifest in read if manifest is not None)
    if unverifiable:
        return _check(
            Verdict.COULD_NOT_VERIFY,
            f"the manifest has no checksum for {unverifiable} files (--manifest-checksums=none):"
            " their sizes match, and nothing is known of what is in them",
        )
    files = sum(manifest.files for manifest in read if manifest is not None)
    of = f" of the {len(inputs)} backups and of their combination" if inputs else ""
    return _check(
        Verdict.PASSED, f"{files} files{of} have the sizes and checksums their manifest says"
    )


def switched_off() -> Check:
    """Return the check for a source with ``verify = false``."""
    return _check(Verdict.SKIPPED, "switched off by verify = false")


def _problem(path: Path, sandbox: Sandbox, *, ours: bool) -> str:
    """Return the first error of pg_verifybackup, one sentence; empty if there is none."""
    # The tablespace map is never copied. WAL is checked segment by segment when it is staged.
    arguments = ["--no-parse-wal", "--quiet", f"--ignore={TABLESPACE_MAP}"]
    if sandbox.programs.major >= _FORMAT_SINCE:
        # Without this option, a directory without PG_VERSION counts as a backup in tar format.
        # Source: src/bin/pg_verifybackup/pg_verifybackup.c, main.
        arguments.append("--format=plain")
    done = _run(sandbox, arguments, path, ours=ours)
    errors = _errors(done)
    if foreign := _foreign_files(errors):
        arguments += [f"--ignore={name}" for name in foreign]
        done = _run(sandbox, arguments, path, ours=ours)
        errors = _errors(done)
    if done.status == 0:
        return ""
    more = f", and {len(errors) - 1} more complaints" if len(errors) > 1 else ""
    return (errors[0] if errors else done.tail()) + more


def _run(sandbox: Sandbox, arguments: Sequence[str], path: Path, *, ours: bool) -> Completed:
    return sandbox.programs.run(
        "pg_verifybackup", *arguments, str(path), check=False, as_caller=not ours
    )


def _errors(done: Completed) -> list[str]:
    lines = done.stderr.splitlines()
    return [line.partition("error: ")[2] for line in lines if "error: " in line]


def _foreign_files(errors: Sequence[str]) -> list[str]:
    """Return the files of the desktop among what pg_verifybackup complains of.

    No server reads a file of such a name, and they come with any copy.
    """
    extra = (match[1] for error in errors if (match := _EXTRA.fullmatch(error)))
    names = [name for name in extra if _FOREIGN.fullmatch(name.rpartition("/")[2])]
    return names[:_MOST_FOREIGN]


def _named(names: Sequence[str], inputs: Sequence[Path]) -> str:
    return f"backup {', '.join(names)}" if inputs else "the backup"


def _check(verdict: Verdict, message: str) -> Check:
    return Check(name=NAME, verdict=verdict, message=message)
