"""Each form pg_basebackup writes, on each major, restores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.basebackup_fixtures import (
    TAR,
    World,
    drill,
    fingerprint,
    locate_request,
    new_world,
)
from tests.real.worlds import MAJORS

FORMS = {
    "plain": (),
    "plain-without-wal": ("--wal-method=none",),
    "tar": TAR,
    "tar-gzip": (*TAR, "--gzip"),
    "tar-wal-inside": (*TAR, "--gzip", "--wal-method=fetch"),
    "tar-without-wal": (*TAR, "--wal-method=none"),
}
ONLY_15 = {
    # The wheels of 17 and 18 are built without these.
    "tar-zstd": (*TAR, "--compress=client-zstd"),
    "tar-lz4": (*TAR, "--compress=client-lz4"),
}


@pytest.fixture(scope="module", params=MAJORS)
def forms(request: pytest.FixtureRequest) -> Iterator[World]:
    """A backup of each form, then another batch of rows."""
    with new_world(request.param) as made:
        made.grow("one")
        for name, arguments in {**FORMS, **(ONLY_15 if request.param == 15 else {})}.items():
            made.backup(name, *arguments)
        made.grow("two")
        made.cluster.switch_wal()
        made.cluster.stop()
        yield made


def test_every_form_restores_with_the_archive(forms: World, run: Run) -> None:
    """The rows of both tablespaces come back, and the checks pass."""
    for backup in sorted(forms.backups.iterdir()):
        restored = drill(BasebackupSource("shop", str(backup), wal=str(forms.archive)), run)

        assert (backup.name, restored.problem, restored.rows) == (backup.name, "", (200, 200))
        assert restored.check("manifest").verdict is Verdict.PASSED
        assert restored.check("archive").verdict is Verdict.PASSED


def test_a_backup_with_wal_of_its_own_restores_without_an_archive(forms: World, run: Run) -> None:
    """Recovery ends where the backup ended, and the evidence says so."""
    for backup in sorted(forms.backups.iterdir()):
        if "without-wal" in backup.name:
            continue
        restored = drill(BasebackupSource("shop", str(backup)), run)

        assert (backup.name, restored.problem, restored.rows) == (backup.name, "", (100, 100))
        assert "no WAL archive" in " ".join(restored.record.notes)
        assert any("no WAL archive" in text for text in restored.record.not_checked)
        assert restored.record.data_loss.last_commit_seconds is not None


def test_a_backup_without_wal_needs_an_archive(forms: World, run: Run) -> None:
    """Without WAL it can never become consistent."""
    for name in ("plain-without-wal", "tar-without-wal"):
        with pytest.raises(BackupNotRestorable, match="needs to become consistent is not complete"):
            BasebackupSource("shop", str(forms.backups / name)).locate(locate_request(run))


def test_the_catalogue_knows_every_form(forms: World) -> None:
    """The facts come from label, manifest and PG_VERSION, in a compressed tar, too."""
    catalogue = BasebackupSource("shop", str(forms.backups), wal=str(forms.archive)).backups()

    assert [entry.label for entry in catalogue] == [
        *FORMS,
        *(ONLY_15 if forms.cluster.programs.major == 15 else {}),
    ]
    for entry in catalogue:
        assert entry.server_major == forms.cluster.programs.major
        assert (entry.kind, entry.timeline, entry.chain) == ("full", 1, ())
        assert entry.start_lsn is not None
        assert entry.stop_lsn is not None
        assert entry.start_lsn < entry.stop_lsn
        assert entry.started_at is not None
        assert entry.stopped_at is not None
        assert entry.started_at <= entry.stopped_at


def test_the_backup_is_only_read(forms: World, run: Run) -> None:
    """Recovery writes into its files, so the backup and the archive must not share them."""
    before = (
        fingerprint(forms.backups),
        fingerprint(forms.archive),
        fingerprint(forms.directory / "mapped"),
    )

    drill(BasebackupSource("shop", str(forms.backups / "plain"), wal=str(forms.archive)), run)

    assert before == (
        fingerprint(forms.backups),
        fingerprint(forms.archive),
        fingerprint(forms.directory / "mapped"),
    )
