"""Base backups in a directory, and the WAL archive that belongs to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.detectors.file_names import changes
from pytest_pgrestore.cli.init.looking import is_directory, is_open_directory, is_there
from pytest_pgrestore.cli.init.proposal import ProposedKey, ProposedSource
from pytest_pgrestore.cli.init.surroundings import entries, is_writable_text, literal, name_of
from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.model.wal import is_segment_name
from pytest_pgrestore.sources.basebackup.find_backups import find_backups
from pytest_pgrestore.sources.codecs import plain_name
from pytest_pgrestore.sources.wal.archive_names import names_in

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.cli.init.surroundings import Findings, Surroundings
    from pytest_pgrestore.sources.basebackup.directory import BackupDirectory

_SAYS_NOTHING = frozenset({"backup", "backups", "base", "basebackups", "data", "full", "physical"})
_DATA_DIRECTORY = "postmaster.pid"
"""File of a running server: its directory is no backup."""


def detect(surroundings: Surroundings, findings: Findings) -> None:
    """Add a source for each directory of base backups."""
    places = [path for path in surroundings.directories if not findings.is_taken(path)]
    for place in places:
        if findings.is_taken(place):
            continue
        found = _backups(place, findings)
        if not found:
            continue
        findings.taken.update(backup.path for backup in found)
        archive = _archive_of(found[-1], [*places, *_near(place)])
        if archive is not None:
            findings.taken.add(archive)
        findings.sources.append(_source(place, found, archive))
        findings.known.update({place, *(backup.path for backup in found)})


def _backups(place: Path, findings: Findings) -> list[BackupDirectory]:
    """Return the usable backups in a directory, or itself, oldest first."""
    try:
        found = find_backups(place)
    except PgRestoreError as exc:
        if any(form in exc.problem for form in ("permission", "Permission")):
            findings.tell(exc.problem, exc.hint)
        return []
    except OSError:
        return []
    usable = []
    for backup in found:
        if is_there(backup.path / _DATA_DIRECTORY) or not is_writable_text(backup.path):
            continue
        if is_directory(backup.path) and not is_open_directory(backup.path):
            continue  # told once, as what it is
        if backup.error is not None:
            findings.tell(f"{backup.path}: {backup.error.problem}", backup.error.hint)
        elif not backup.unfinished and (backup.label is not None or backup.manifest is not None):
            usable.append(backup)
    return usable


def _near(place: Path) -> list[Path]:
    """Return directories beside a place of backups, where its archive may be."""
    return [entry for entry in entries(place.parent) if is_directory(entry)]


def _source(place: Path, found: list[BackupDirectory], archive: Path | None) -> ProposedSource:
    newest = found[-1]
    path, comment = place, "A directory of base backups: each of them can be restored."
    if newest.path == place:
        comment = "One base backup."
    elif len(found) == 1 and not changes(newest.path.name):
        path, comment = newest.path, "One base backup; the job writes it anew each time."
    keys = {
        "type": ProposedKey(value="basebackup"),
        "path": ProposedKey(value=literal(path), comment=comment),
    }
    remarks = []
    if archive is not None:
        keys["wal"] = ProposedKey(
            value=literal(archive),
            comment="Archived WAL that follows the backup: it can be restored to any point in"
            " time.",
        )
    else:
        remarks.append(
            "No WAL archive that begins with the backup was found. With one, name it: wal ="
            ' "DIRECTORY".'
        )
    if newest.manifest is None:
        keys["verify"] = ProposedKey(
            value=False, comment="The backup has no manifest to compare its files with."
        )
    number = "1 base backup" if len(found) == 1 else f"{len(found)} base backups, the newest"
    beside = f", WAL in {archive}" if archive is not None else ""
    return ProposedSource(
        name=_name(place),
        found=f"{place}: {number} {newest.path.name} ({newest.form}){beside}",
        keys=keys,
        remarks=tuple(remarks),
    )


def _name(place: Path) -> str:
    """Return a name that says more than that there are backups."""
    name = name_of(place.name, "basebackup")
    return "basebackup" if name in _SAYS_NOTHING else name


def _archive_of(backup: BackupDirectory, places: list[Path]) -> Path | None:
    """Return the directory that has the segment with which recovery begins."""
    if backup.label is None:
        return None
    wanted = backup.label.start_file
    for place in dict.fromkeys(places):
        if place == backup.path or backup.path in place.parents or not is_writable_text(place):
            continue
        try:
            names = {plain_name(name) for _, name in names_in(place)}
        except (OSError, PgRestoreError):
            continue
        if is_segment_name(wanted) and wanted in names:
            return place
    return None
