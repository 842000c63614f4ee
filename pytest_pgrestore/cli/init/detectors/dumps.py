"""Dumps in a directory: files of one job become a source, and globals go beside them.

A file's first bytes decide what it is. So no other file of SQL is taken for a dump.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.detectors.file_names import changes, escaped, pattern_for, shape
from pytest_pgrestore.cli.init.proposal import ProposedKey, ProposedSource
from pytest_pgrestore.cli.init.surroundings import entries, is_writable_text, literal, name_of
from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.sources.dump.reading import dump_file, foreign, globs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.cli.init.surroundings import Findings, Surroundings
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile

_OF_A_DATABASE = b"-- PostgreSQL database dump\n"
"""Begins each database in the output of pg_dumpall; --globals-only has none.

Source: dumpDatabases of pg_dumpall.c, which runs pg_dump; RestoreArchive of pg_backup_archiver.c.
"""

_NAMED_AS_ONE = re.compile(r"\.(?:sql|dump|pgdump)\b", re.IGNORECASE)
_SMALL_BYTES = 1 << 24
"""Globals are smaller; what is larger holds databases. Roles of 16 MiB would be 100,000."""


@dataclass(slots=True)
class _Group:
    """Files of one job.

    Attributes:
        directory: Where they lie.
        dumps: Each of them.
        whole: Whether they hold a whole cluster.
    """

    directory: Path
    whole: bool
    dumps: list[DumpFile] = field(default_factory=list)

    @property
    def newest(self) -> DumpFile:
        told = [(one.started_at or one.written_at, one.path.name, one) for one in self.dumps]
        return max(told, key=lambda one: one[:2])[2]


def detect(surroundings: Surroundings, findings: Findings) -> None:
    """Add a source for each group of dumps."""
    for path in surroundings.paths:
        if path.is_file() and path not in findings.known:
            _add(path.parent, [path], findings, alone=True)
    for directory in surroundings.directories:
        if findings.is_taken(directory):
            continue
        if globs.is_dump_directory(directory):
            if directory in surroundings.paths:
                _add(directory.parent, [directory], findings, alone=True)
            continue
        _add(directory, entries(directory), findings, alone=False)


def _add(directory: Path, candidates: list[Path], findings: Findings, *, alone: bool) -> None:
    """Add the sources of some files of one directory.

    `alone`: whether the user named them. Then SQL without its title is a dump, too.
    """
    there = [path for path in entries(directory) if globs.may_be_a_dump(path)]
    groups: dict[tuple[str, bool, str | None], _Group] = {}
    roles: list[DumpFile] = []
    for dump in _dumps(candidates, findings, alone=alone):
        whole = dump.form == "cluster"
        if whole and not _has_databases(dump):
            roles.append(dump)
            continue
        key = (shape(dump.path.name), whole, dump.database)
        groups.setdefault(key, _Group(directory, whole)).dumps.append(dump)
    if groups and alone:
        roles = [one for one in _dumps(there, findings, alone=False) if _is_roles(one)]
    for group in groups.values():
        findings.sources.append(_source(group, roles, there, named=alone))
    findings.known.update(dump.path for group in groups.values() for dump in group.dumps)
    if roles and not groups:
        findings.tell(
            f"{roles[-1].path} has roles and no database",
            "take dumps of the databases beside it: pg_dump --format=custom.",
        )


def _dumps(candidates: list[Path], findings: Findings, *, alone: bool) -> Iterator[DumpFile]:
    for path in candidates:
        if not globs.may_be_a_dump(path):
            continue
        try:
            dump = dump_file.inspect(path)
            tool = foreign.encryption_of(path) if dump is None else None
        except PgRestoreError as exc:
            findings.known.add(path)
            findings.tell(exc.problem, exc.hint)
            continue
        except OSError:
            continue  # gone meanwhile, or a link to nothing
        if tool is not None:
            findings.known.add(path)
            findings.tell(
                f"{path} is encrypted by {tool}",
                'write a source with type = "dump", its path, and `decrypt`, such as decrypt ='
                ' ["gpg", "--decrypt", "--batch"]: docs/configuration.md.',
            )
        elif dump is None or not (alone or _is_surely_one(dump)):
            continue
        elif not is_writable_text(path):
            findings.tell(f"{str(path)!r} is no UTF-8", "rename it: TOML cannot have its name.")
        else:
            yield dump


def _is_surely_one(dump: DumpFile) -> bool:
    """Return whether a file that nobody named is a dump, and no other SQL and no WAL.

    Of a file that cannot be decompressed nothing is known but its name.
    """
    if not dump.readable:
        return _NAMED_AS_ONE.search(dump.path.name) is not None
    return dump.is_archive or dump.is_titled


def _is_roles(dump: DumpFile) -> bool:
    return dump.form == "cluster" and not _has_databases(dump)


def _has_databases(dump: DumpFile) -> bool:
    """Return whether a file of pg_dumpall has databases, and not roles alone."""
    seen, rest = 0, b""
    try:
        for chunk in dump_file.chunks(dump):
            if _OF_A_DATABASE in rest + chunk:
                return True
            rest = chunk[-len(_OF_A_DATABASE) :]
            seen += len(chunk)
            if seen > _SMALL_BYTES:
                return True
    except PgRestoreError:
        return seen > 0 and dump.size_bytes > _SMALL_BYTES
    return False


def _source(
    group: _Group, roles: list[DumpFile], there: list[Path], *, named: bool
) -> ProposedSource:
    newest, count = group.newest, len(group.dumps)
    keys = {
        "type": ProposedKey(value="dump"),
        "path": _path(group, there, named=named),
    }
    if roles and not group.whole:
        keys["globals"] = _globals(roles, there)
    if newest.database is not None and not group.whole:
        keys["database"] = ProposedKey(
            value=literal(newest.database), comment="The database that was dumped."
        )
    stem = "cluster" if group.whole else newest.path.name.partition(".")[0]
    number = "1 file" if count == 1 else f"{count} files, the newest"
    return ProposedSource(
        name=name_of(newest.database or shape(stem), "dump"),
        found=f"{group.directory}: {number} {newest.path.name} ({newest.words})",
        keys=keys,
        remarks=_remarks(newest),
    )


def _path(group: _Group, there: list[Path], *, named: bool) -> ProposedKey:
    """Return the key `path`: a pattern if the next dump will have another name."""
    newest = group.newest
    names = {dump.path.name for dump in group.dumps}
    single = ProposedKey(
        value=literal(escaped(newest.path)), comment="One file: the job writes it anew each time."
    )
    if not changes(newest.path.name):
        return single
    if named:
        comment = (
            "The file that was named. A pattern such as /backups/shop-*.dump follows the newest."
        )
        return ProposedKey(value=single.value, comment=comment)
    others = [path.name for path in there if path.name not in names]
    pattern = pattern_for(names, others)
    if pattern is None:
        comment = "Other files here have names that no pattern tells apart: correct it."
        return ProposedKey(value=single.value, comment=comment)
    return ProposedKey(
        value=literal(f"{escaped(group.directory)}/{pattern}"),
        comment="The newest match is restored.",
    )


def _globals(roles: list[DumpFile], there: list[Path]) -> ProposedKey:
    """Return the key `globals`: the newest file of roles, by a pattern if there will be others."""
    comment = "pg_dumpall --globals-only: the roles that own what is in the dump."
    newest = max(roles, key=lambda dump: dump.written_at).path
    alike = {dump.path.name for dump in roles if shape(dump.path.name) == shape(newest.name)}
    others = [path.name for path in there if path.name not in alike]
    pattern = pattern_for(alike, others) if changes(newest.name) else None
    value = escaped(newest) if pattern is None else f"{escaped(newest.parent)}/{pattern}"
    return ProposedKey(value=literal(value), comment=comment)


def _remarks(newest: DumpFile) -> tuple[str, ...]:
    if newest.started_at is not None:
        return ()
    remark = (
        "The dump does not say when it was taken, so its age cannot be judged. Take it with"
        " --verbose, or set taken_at: docs/configuration.md."
    )
    return (remark,)
