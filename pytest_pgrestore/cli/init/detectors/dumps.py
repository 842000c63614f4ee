"""Dumps in a directory: files of one job become a source, and globals go beside them.

A file's first bytes decide what it is. So no other file of SQL is taken for a dump.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.detectors.dump_kinds import (
    has_databases,
    is_roles,
    is_surely_one,
)
from pytest_pgrestore.cli.init.detectors.file_names import (
    changes,
    escaped,
    is_dated,
    numbers_and_moments,
    pattern_for,
    shape,
)
from pytest_pgrestore.cli.init.looking import is_file
from pytest_pgrestore.cli.init.proposal import ProposedKey, ProposedSource
from pytest_pgrestore.cli.init.surroundings import entries, is_writable_text, literal, name_of
from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.sources.dump.reading import dump_file, foreign, globs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.cli.init.surroundings import Findings, Surroundings
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile


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
        if is_file(path) and path not in findings.known:
            _add(path.parent, [path], findings, alone=True)
    for directory in surroundings.directories:
        if findings.is_taken(directory):
            continue
        if globs.is_dump_directory(directory):
            if directory in surroundings.paths:
                _add(directory.parent, [directory], findings, alone=True)
            continue
        _add(directory, _without_links(entries(directory)), findings, alone=False)


def _add(directory: Path, candidates: list[Path], findings: Findings, *, alone: bool) -> None:
    """Add the sources of some files of one directory.

    `alone`: whether the user named them. Then SQL without its title is a dump, too.
    """
    there = [path for path in entries(directory) if globs.may_be_a_dump(path)]
    groups: dict[tuple[str, bool, str | None], _Group] = {}
    roles: list[DumpFile] = []
    for dump in _dumps(candidates, findings, alone=alone):
        whole = dump.form == "cluster"
        if whole and not has_databases(dump):
            roles.append(dump)
            continue
        key = (shape(dump.path.name), whole, dump.database)
        groups.setdefault(key, _Group(directory, whole)).dumps.append(dump)
    if groups and alone:
        roles = [one for one in _dumps(there, findings, alone=False) if is_roles(one)]
    jobs = [job for group in groups.values() for job in _jobs(group)]
    for job in jobs:
        findings.sources.append(_source(job, roles, there, findings, named=alone))
    findings.known.update(dump.path for group in groups.values() for dump in group.dumps)
    if roles and not groups:
        findings.tell(
            f"{roles[-1].path} has roles and no database",
            "take dumps of the databases beside it: pg_dump --format=custom.",
        )


def _without_links(paths: list[Path]) -> list[Path]:
    """Return paths without the links to others of them: ``latest.dump`` is no further job."""
    return [
        path for path in paths if not (path.is_symlink() and Path(os.path.realpath(path)) in paths)
    ]


def _jobs(group: _Group) -> list[_Group]:
    """Return a group, or a group for each number if two files have one moment: they are of two."""
    seen: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    jobs: dict[tuple[str, ...], _Group] = {}
    for dump in group.dumps:
        numbers, moments = numbers_and_moments(dump.path.name)
        seen.setdefault(moments, set()).add(numbers)
        jobs.setdefault(numbers, _Group(group.directory, group.whole)).dumps.append(dump)
    return list(jobs.values()) if any(len(one) > 1 for one in seen.values()) else [group]


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
        elif dump is None or not (alone or is_surely_one(dump)):
            continue
        elif not is_writable_text(path):
            findings.tell(f"{str(path)!r} is no UTF-8", "rename it: TOML cannot have its name.")
        else:
            yield dump


def _source(
    group: _Group, roles: list[DumpFile], there: list[Path], findings: Findings, *, named: bool
) -> ProposedSource:
    newest, count = group.newest, len(group.dumps)
    keys = {
        "type": ProposedKey(value="dump"),
        "path": _path(group, there, findings, named=named),
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


def _path(group: _Group, there: list[Path], findings: Findings, *, named: bool) -> ProposedKey:
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
        if is_dated(newest.path.name):
            findings.tell(
                f"{newest.path}: this file alone is restored, also when there are newer dumps,"
                " because no pattern tells the names of this job from those of others here",
                "let each job write into a directory of its own, and correct `path`.",
            )
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
