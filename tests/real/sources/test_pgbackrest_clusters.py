"""pgBackRest stanzas after an upgrade, with backups of a stopped server, with WAL in the backup."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from pytest_pgrestore.model.target import AtTime, Immediate
from tests.real.tool_histories import History, Stanza, history
from tests.real.tool_worlds import failed, passed
from tests.real.worlds import Drilled

Drilling = Callable[..., Drilled]

pytestmark = [
    pytest.mark.long,
    pytest.mark.parametrize("tool_run", ["local"], indirect=True),
]


@dataclass
class Stages:
    """A stanza, and copies of it from earlier days.

    Attributes:
        upgraded: Production is a new cluster without a backup.
        stopped: Before that, the newest backup was of a stopped server. It went on after it.
        between: A moment between the last two backups of the old cluster.
    """

    upgraded: History
    stopped: Stanza
    between: AtTime


@pytest.fixture(scope="module")
def stages() -> Iterator[Stages]:
    """One production grows older."""
    with history(Stanza, "archive-copy=y", "repo1-bundle=y") as world:
        stanza = world.repository
        assert isinstance(stanza, Stanza)
        world.grow()
        world.back_up("online")
        world.grow()
        between = world.moment()
        world.grow()
        world.switch()
        world.cluster.stop()
        world.back_up("stopped", "--no-online")
        stopped, _ = stanza.copied()
        world.start()
        world.grow()
        world.switch()
        world.cluster.stop()
        world.new_cluster()
        world.cluster.start({"archive_mode": "off"})
        stanza.run(world.cluster, "stanza-upgrade")
        world.cluster.stop()
        world.start()
        world.switch()
        yield Stages(world, stopped, between)
        shutil.rmtree(stopped.directory)


def test_a_new_cluster_without_a_backup(stages: Stages, tool_drill: Drilling) -> None:
    """A default restore brings the old cluster back without a word. To name its backup is green."""
    world = stages.upgraded
    source = world.repository.source

    failed(tool_drill(source()), "production has no backup", "system identifier", "name its backup")
    named = tool_drill(source(backup=world.labels["stopped"]), database="postgres")
    passed(named, 40)
    recovered = named.result.record.recovered_to
    assert recovered is not None
    assert recovered.archive_end_lsn is not None
    assert "since `stanza-upgrade`" in str(named.result.record.notes)
    # A moment is the same in all clusters, so the old one's is what is asked for.
    passed(tool_drill(source(), stages.between, database="postgres"), 20)


def test_a_backup_of_a_stopped_server(stages: Stages, tool_drill: Drilling) -> None:
    """It is the newest, so a default restore takes it; an older one reaches what lies before."""
    newest = tool_drill(stages.stopped.source(), database="postgres")
    before = tool_drill(stages.stopped.source(), stages.between, database="postgres")

    passed(newest, 30)
    passed(before, 20)
    labels = stages.upgraded.labels
    used = [drilled.result.record.backup for drilled in (newest, before)]
    assert [backup and backup.label for backup in used] == [labels["stopped"], labels["online"]]
    assert newest.verdict_of("archive") == "passed"
    assert "is of a stopped server (--no-online)" in str(newest.result.record.notes)


def test_wal_that_only_the_backup_keeps(stages: Stages, tool_drill: Drilling) -> None:
    """It is consistent. That the archive is lost makes `latest` fail: later commits were in it."""
    label = stages.upgraded.labels["online"]
    with History.without(stages.upgraded, "000000010000000000*") as repository:
        kept = tool_drill(repository.source(backup=label), Immediate(), database="postgres")
        latest = tool_drill(repository.source(backup=label))

    passed(kept, 10)
    assert "the backup keeps its own WAL (archive-copy)" in str(kept.result.record.notes)
    failed(latest, "the archive has none of the WAL of backup", 'target = "immediate"')
