"""A production server that was recovered once, and a copy that was let loose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import TargetUnreachable
from pytest_pgrestore.model.target import Timeline
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.basebackup_fixtures import (
    TAR,
    World,
    copy_of,
    drill,
    forked,
    locate_request,
    new_world,
)


@pytest.fixture(scope="module", params=[15, 18])
def recovered(request: pytest.FixtureRequest) -> Iterator[World]:
    """Two batches; then the server is lost, recovered to the first, and goes on with a third."""
    with new_world(request.param) as made:
        made.grow("zero")
        made.backup("a")
        made.grow("one")
        # After the fork, the old timeline has whole segments. Their commits were undone; they
        # are older than those of the new timeline.
        made.cluster.switch_wal()
        made.grow("two")
        made.cluster.switch_wal()
        made.cluster.stop()
        with forked(made, made.backups / "a", "one") as successor:
            made.cluster = successor
            made.grow("three", rows=7)
            made.backup("c", *TAR)
            made.grow("four", rows=7)
            successor.switch_wal()
            yield made


def test_latest_follows_the_newest_timeline(recovered: World, run: Run) -> None:
    """The second batch was undone by the recovery, so it must not be there."""
    restored = drill(
        BasebackupSource("shop", str(recovered.backups / "a"), wal=str(recovered.archive)), run
    )

    assert (restored.problem, restored.rows) == ("", (214, 214))
    assert "recovery follows timelines 1 to 2" in restored.record.notes


@pytest.mark.parametrize(("timeline", "rows"), [("current", 300), (1, 300), (2, 214)])
def test_a_timeline_can_be_chosen(
    recovered: World, run: Run, timeline: Timeline, rows: int
) -> None:
    """The old timeline has the commits that the recovery undid."""
    source = BasebackupSource("shop", str(recovered.backups / "a"), wal=str(recovered.archive))

    assert drill(source, run, timeline=timeline).rows == (rows, rows)


def test_a_timeline_that_is_not_there_is_refused(recovered: World, run: Run) -> None:
    """The timeline is refused before the restore."""
    source = BasebackupSource("shop", str(recovered.backups / "a"), wal=str(recovered.archive))

    with pytest.raises(TargetUnreachable, match="timeline 7 cannot be reached"):
        source.locate(locate_request(run, timeline=7))
    with pytest.raises(TargetUnreachable, match="timeline 1 cannot be reached"):
        BasebackupSource("shop", str(recovered.backups / "c"), wal=str(recovered.archive)).locate(
            locate_request(run, timeline=1)
        )


@pytest.mark.parametrize("wal", [True, False], ids=["archive", "own-wal"])
def test_a_backup_of_a_later_timeline_restores(recovered: World, run: Run, wal: bool) -> None:
    """A server refuses a timeline without a history file."""
    source = BasebackupSource(
        "shop", str(recovered.backups / "c"), wal=str(recovered.archive) if wal else None
    )

    assert drill(source, run).rows == ((214, 214) if wal else (207, 207))


def test_a_history_that_does_not_descend_from_the_backup_is_not_followed(
    recovered: World, run: Run, tmp_path: Path
) -> None:
    """A note names the timeline."""
    archive = copy_of(recovered.archive, tmp_path)
    (archive / "00000009.history").write_text("8\t0/5000000\tno recovery target specified\n")

    restored = drill(BasebackupSource("shop", str(recovered.backups / "a"), wal=str(archive)), run)

    assert restored.rows == (214, 214)
    assert any(
        "timeline 9 of the archive was not followed" in note for note in restored.record.notes
    )
