"""Archives of several timelines: failovers, branches that were left, copies that archived.

Each world is drilled, and one backup of it is restored by hand with PostgreSQL's own defaults.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp

import pytest

from pytest_pgrestore.demo.cluster import Cluster
from pytest_pgrestore.model.errors import (
    BackupNotRestorable,
    HarnessError,
    PgRestoreError,
    TargetUnreachable,
)
from pytest_pgrestore.model.target import (
    AtLsn,
    AtName,
    AtTime,
    AtXid,
    Immediate,
    Latest,
    RecoveryTarget,
    Timeline,
    parse_timeline,
)
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from pytest_pgrestore.sources.basebackup.table import BasebackupTable
from pytest_pgrestore.sources.registry import make_source
from pytest_pgrestore.sources.wal.activity import ActivityInWal
from pytest_pgrestore.sources.wal.segments import scan
from tests.real.basebackup_fixtures import (
    Restored,
    World,
    copied,
    copy_of,
    drill,
    forked,
    locate_request,
    new_world,
    promote,
)

local = pytest.mark.parametrize("run", ["local"], indirect=True)
NO_WAL = ("-X", "none")
"""Arguments of pg_basebackup: all WAL comes from the archive."""


def by_hand(world: World, backup: str, archive: Path | None = None) -> int | str:
    """Restore a backup with PostgreSQL's defaults; return the rows, or the log without a server."""
    cluster = copied(world, world.backups / backup, "hand")
    try:
        promote(cluster, archive or world.archive, {"archive_mode": "off"})
    except HarnessError:
        return cluster.log.read_text()
    else:
        rows: int = cluster.value("select count(*) from ledger")
        return rows
    finally:
        cluster.stop()
        shutil.rmtree(cluster.directory)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a user writes about a drill of all backups of a world."""

    target: RecoveryTarget = field(default_factory=Latest)
    timeline: Timeline = "latest"
    backup: str | None = None
    archive: Path | None = None

    def source(self, world: World) -> BasebackupSource:
        """Return the source of a table in a settings file."""
        table = BasebackupTable(
            type="basebackup",
            path=str(world.backups),
            wal=str(self.archive or world.archive),
            backup=self.backup,
        )
        source = make_source("shop", table, 60)
        assert isinstance(source, BasebackupSource)
        return source

    def drilled(self, world: World, run: Run) -> Restored:
        """Drill it."""
        return drill(self.source(world), run, self.target, self.timeline)

    def rows(self, world: World, run: Run) -> int:
        """Drill it, and return the rows."""
        restored = self.drilled(world, run)
        assert restored.problem == ""
        assert restored.rows is not None
        return restored.rows[0]

    def refusal(self, world: World, run: Run) -> PgRestoreError:
        """Return the error that comes before any restore."""
        with pytest.raises(PgRestoreError) as raised:
            self.source(world).locate(locate_request(run, self.target, self.timeline))
        return raised.value


def damaged(world: World, archive: Path, pattern: str) -> Path:
    """Return a copy of an archive without some files, where the server's user can read it."""
    into = Path(mkdtemp(dir=world.directory))
    copy = copy_of(archive, into)
    for path in copy.glob(pattern):
        path.unlink()
    world.cluster.programs.account.own_tree(into)
    return copy


@pytest.fixture(scope="module")
def failovers() -> Iterator[World]:
    """Ten rows before the backup, and ten on each of three timelines."""
    with new_world(15) as made:
        made.grow("zero", 10)
        made.backup("a", *NO_WAL)
        made.grow("one", 10)
        made.cluster.switch_wal()
        for point in ("two", "three"):
            made.cluster.stop()
            promote(made.cluster, made.archive)
            made.grow(point, 10)
            made.cluster.switch_wal()
        made.cluster.stop()
        yield made


@local
def test_failovers_are_followed(failovers: World, run: Run) -> None:
    """A default restore does so, too."""
    assert Choice().rows(failovers, run) == 40


@local
def test_a_history_in_the_middle_is_missing(failovers: World, run: Run) -> None:
    """PostgreSQL stops looking there and opens without a word; the hint is the way out."""
    archive = damaged(failovers, failovers.archive, "00000002.history")

    error = Choice(archive=archive).refusal(failovers, run)

    assert isinstance(error, BackupNotRestorable)
    assert "00000002.history is missing from the archive" in error.problem
    assert "timeline = 3 here" in error.hint
    assert Choice(archive=archive, timeline=3).rows(failovers, run) == 40
    assert by_hand(failovers, "a", archive) == 20


@pytest.fixture(scope="module")
def abandoned(request: pytest.FixtureRequest) -> Iterator[World]:
    """Production was put back to a moment before its newest backup, and has none since."""
    with new_world(request.param) as made:
        made.grow("zero", 10)
        made.backup("f1", *NO_WAL)
        made.cluster.sql("select pg_sleep(1)")
        made.grow("before", 10)
        made.cluster.switch_wal()
        made.grow("between", 10)
        made.backup("f2", *NO_WAL)
        made.grow("lost", 10)
        made.cluster.switch_wal()
        made.cluster.stop()
        with forked(made, made.backups / "f1", "before") as live:
            made.cluster = live
            for point in ("first", "second", "third", "fourth"):
                made.grow(point, 10)
                live.switch_wal()
            made.grow("later", 10)
            made.grow("end", 10)
            live.switch_wal()
            live.stop()
            yield made


on_15 = pytest.mark.parametrize("abandoned", [15], indirect=True)


@local
@on_15
@pytest.mark.parametrize("target", [Latest(), Immediate()], ids=str)
def test_the_newest_backup_lies_on_a_branch_that_production_left(
    abandoned: World, run: Run, target: RecoveryTarget
) -> None:
    """A default restore is FATAL."""
    error = Choice(target).refusal(abandoned, run)

    assert isinstance(error, BackupNotRestorable)
    assert "timeline 2 left timeline 1 at" in error.problem
    assert 'backup = "f1"' in error.hint
    assert "current" not in error.hint


@pytest.mark.parametrize(
    ("abandoned", "run"), [(15, "local"), (15, "docker"), (18, "local")], indirect=True
)
def test_the_hint_is_what_a_restore_by_hand_does(abandoned: World, run: Run) -> None:
    """The older backup reaches what production has now; the newer one does not start."""
    assert by_hand(abandoned, "f1") == 80
    assert Choice(backup="f1").rows(abandoned, run) == 80
    # The timeline has a segment of that number as well, without this checkpoint.
    assert "could not locate required checkpoint record" in str(by_hand(abandoned, "f2"))


@local
@on_15
@pytest.mark.parametrize("kind", ["time", "lsn", "xid", "name"])
def test_a_point_that_only_the_older_backup_reaches(abandoned: World, run: Run, kind: str) -> None:
    """The evidence says why the newer one was passed over."""
    mark = abandoned.marks["later"]

    restored = Choice(point(abandoned, "later", kind)).drilled(abandoned, run)

    assert (restored.problem, restored.rows) == ("", (mark.rows, mark.rows))
    assert restored.record.backup is not None
    assert "f2 passed over: not on the timeline" in restored.record.backup.selection


def point(world: World, name: str, kind: str) -> RecoveryTarget:
    """Return a mark of a world as a target of one kind."""
    mark = world.marks[name]
    targets: dict[str, RecoveryTarget] = {
        "time": AtTime(mark.when),
        "lsn": AtLsn(mark.lsn),
        "xid": AtXid(mark.xid),
        "name": AtName(name),
    }
    return targets[kind]


@local
@on_15
@pytest.mark.parametrize(("kind", "rows"), [("time", (30, 20)), ("lsn", None), ("xid", None)])
def test_a_point_that_exists_twice(
    abandoned: World, run: Run, kind: str, rows: tuple[int, int] | None
) -> None:
    """The hints lead to the rows that the server on each timeline had."""
    target = point(abandoned, "between", kind)

    error = Choice(target).refusal(abandoned, run)

    assert isinstance(error, HarnessError)
    assert "exists on two timelines" in error.problem
    assert "timeline = 1 for" in error.hint
    assert "timeline = 2 for" in error.hint
    if rows is not None:
        found = [Choice(target, timeline).rows(abandoned, run) for timeline in (1, 2)]
        assert tuple(found) == rows


@local
@on_15
def test_a_name_on_the_timeline_that_was_left(abandoned: World, run: Run) -> None:
    """A default restore does not come by; the timeline of the hint does."""
    error = Choice(AtName("between")).refusal(abandoned, run)

    assert isinstance(error, TargetUnreachable)
    assert "name:between lies on timeline 1, which a default restore leaves" in error.problem
    assert "timeline = 1" in error.hint
    assert Choice(AtName("between"), 1).rows(abandoned, run) == 30


@local
@on_15
@pytest.mark.parametrize("kind", ["time", "lsn", "xid", "name"])
def test_a_point_before_the_branches(abandoned: World, run: Run, kind: str) -> None:
    """All timelines are one there, so there is nothing to choose."""
    source, target = Choice().source(abandoned), point(abandoned, "before", kind)

    assert source.locate(locate_request(run, target)).backup.label == "f1"


@local
@on_15
def test_a_timeline_decides_which_backup(abandoned: World, run: Run) -> None:
    """The newest that reaches it; a backup by name that does not is refused."""
    source = Choice().source(abandoned)
    chosen: list[tuple[Timeline, str]] = [(1, "f2"), (2, "f1"), ("current", "f2")]
    for timeline, label in chosen:
        assert source.locate(locate_request(run, None, timeline)).backup.label == label

    refused = Choice(timeline=2, backup="f2").refusal(abandoned, run)

    assert "timeline 2 cannot be reached from backup f2 of timeline 1" in refused.problem
    assert "this backup reaches timeline = 1;" in refused.hint


@local
@on_15
def test_a_backup_that_is_not_there(abandoned: World, run: Run) -> None:
    """The hint has the names of those that are."""
    error = Choice(backup="f3").refusal(abandoned, run)

    assert error.hint == "there are: f1, f2."


@pytest.fixture(scope="module")
def stray() -> Iterator[tuple[World, Path]]:
    """A restore test archived a timeline of its own; production ended one segment and took f2.

    Also an archive as it was before f2.
    """
    with new_world(15) as made:
        made.grow("zero", 10)
        made.backup("f1", *NO_WAL)
        made.grow("one", 10)
        made.cluster.switch_wal()
        with forked(made, made.backups / "f1", None) as loose:
            # The copy commits nothing before production's last commit: its beginning must tell.
            made.cluster.sql("select pg_sleep(1.1)")
            made.grow("two", 10)
            made.cluster.switch_wal()
            loose.sql("insert into ledger (note) values ('foreign')")
            loose.switch_wal()
        early = made.directory / "early"
        shutil.copytree(made.archive, early)
        made.cluster.programs.account.own_tree(early)
        made.backup("f2", *NO_WAL)
        made.grow("three", 10)
        made.cluster.switch_wal()
        made.cluster.stop()
        yield made, early


@local
def test_a_copy_archived_its_own_timeline(stray: tuple[World, Path], run: Run) -> None:
    """A default restore follows the copy. Production ended one segment since."""
    world, early = stray

    error = Choice(archive=early, backup="f1").refusal(world, run)

    assert isinstance(error, BackupNotRestorable)
    assert "follows timeline 2, which may not be production's" in error.problem
    assert "timeline = 1 or timeline = 2" in error.hint
    assert Choice(archive=early, backup="f1", timeline=1).rows(world, run) == 30
    assert by_hand(world, "f1", early) == 21
    before = Choice(point(world, "one", "name"), archive=early).source(world)
    assert before.locate(locate_request(run, point(world, "one", "name"))).backup.label == "f1"


@local
def test_the_checkpoint_of_a_running_server_tells_its_time(
    stray: tuple[World, Path], run: Run
) -> None:
    """Where nobody commits. The last one is that of backup f2."""
    world, _ = stray
    files = scan(world.archive).segments
    activity = ActivityInWal(files, locate_request(run).find_programs(15))

    ran = activity.ran(sorted(name for name in files if name[:8] == "00000001"), Lsn(0))

    assert ran is not None
    assert world.marks["two"].when - timedelta(seconds=1) <= ran <= world.marks["three"].when


@local
def test_a_backup_since_a_copy_archived(stray: tuple[World, Path], run: Run) -> None:
    """A default restore is FATAL, and the hint stays on production's timeline."""
    world, _ = stray

    error = Choice().refusal(world, run)

    assert isinstance(error, BackupNotRestorable)
    assert "it follows timeline 2, the newest in the archive" in error.problem
    assert error.hint.startswith('timeline = "current" stays on timeline 1')
    assert Choice(timeline="current").rows(world, run) == 40
    assert "requested timeline 2 is not a child" in str(by_hand(world, "f2"))


@local
def test_a_copy_that_archived_its_history_only(stray: tuple[World, Path], run: Run) -> None:
    """PostgreSQL goes on with the old timeline; nobody can tell whether that is production's."""
    world, early = stray
    archive = damaged(world, early, "00000002????????????????")

    error = Choice(archive=archive, backup="f1").refusal(world, run)

    assert isinstance(error, HarnessError)
    assert "only its .history is in the archive" in error.problem
    for timeline in ("current", 2):
        choice = Choice(archive=archive, backup="f1", timeline=parse_timeline(timeline))
        assert choice.rows(world, run) == 30
    assert by_hand(world, "f1", archive) == 30


@pytest.fixture(scope="module")
def gap() -> Iterator[World]:
    """A server crashed in the middle of a segment, and went on as timeline 2."""
    with new_world(15) as made:
        made.grow("zero", 10)
        made.backup("a", *NO_WAL)
        made.grow("one", 10)
        made.cluster.switch_wal()
        made.grow("two", 10)
        _crash(made.cluster)
        promote(made.cluster, made.archive)
        made.grow("three", 10)
        made.cluster.switch_wal()
        made.cluster.stop()
        yield made


def _crash(cluster: Cluster) -> None:
    """End a server at once (PostgreSQL docs, "Shutting Down the Server")."""
    assert cluster._child is not None
    cluster._child.send_signal(signal.SIGQUIT)
    cluster.stop()


@local
def test_only_the_history_of_a_failover_arrived(gap: World, run: Run) -> None:
    """The old timeline's WAL ends before the fork: a default restore loses rows without a word."""
    assert Choice().rows(gap, run) == 40
    archive = damaged(gap, gap.archive, "00000002????????????????")

    error = Choice(archive=archive).refusal(gap, run)

    assert isinstance(error, BackupNotRestorable)
    assert "timeline 2 begins at" in error.problem
    assert by_hand(gap, "a", archive) == 20


@pytest.fixture(scope="module")
def moved() -> Iterator[tuple[World, Path]]:
    """Retention kept WAL from the backup on; then a new cluster archived to the same place.

    Also the archive as it was before that, with some WAL of a cluster that is older.
    """
    with new_world(15) as made, Cluster.create(made.directory / "o", 15) as old:
        old.sql("create table ledger (id int)")
        old.switch_wal()
        old.stop()
        for name in ("zero", "one", "two", "three"):
            made.grow(name, 10)
            made.cluster.switch_wal()
        kept = made.cluster.switch_wal()
        made.backup("a", "-X", "fetch")
        made.grow("four", 10)
        made.cluster.switch_wal()
        made.cluster.stop()
        for segment in made.archive.glob("0000000100000000????????"):
            if segment.name < kept:
                segment.unlink()
        before = made.directory / "before"
        shutil.copytree(made.archive, before)
        shutil.copytree(old.archive, before, dirs_exist_ok=True)
        with Cluster.create(made.directory / "n", 15) as new:
            new.archive = made.archive
            new.stop()
            new.start()
            new.sql("create table ledger (id int)")
            new.switch_wal()
        yield made, before


@local
@pytest.mark.parametrize("target", [Latest(), Immediate()], ids=str)
def test_a_new_cluster_archives_and_has_no_backup(
    moved: tuple[World, Path], run: Run, target: RecoveryTarget
) -> None:
    """A restore would bring the old cluster back, without a word; its name in `backup` means it."""
    world, before = moved

    error = Choice(target).refusal(world, run)

    assert isinstance(error, BackupNotRestorable)
    assert "that of another cluster: it has the system identifier" in error.problem
    for chosen in (Choice(target, archive=before), Choice(target, backup="a")):
        assert chosen.rows(world, run) == (50 if isinstance(target, Latest) else 40)


@local
def test_an_older_cluster_in_the_archive_is_told(moved: tuple[World, Path], run: Run) -> None:
    """Only WAL that is newer than the backup means that production moved."""
    world, before = moved

    chosen = Choice(archive=before).source(world).locate(locate_request(run))

    assert any("the archive has WAL of another cluster too" in note for note in chosen.notes)


@local
def test_the_wal_inside_a_backup_beside_a_lost_archive(moved: tuple[World, Path], run: Run) -> None:
    """It brings back the backup's own end and no more; that is told."""
    world, before = moved
    lost = damaged(world, before, "*")

    error = Choice(archive=lost).refusal(world, run)

    assert "holds no segment this backup needs" in error.problem
    assert "target = immediate" in error.hint
    restored = Choice(Immediate(), archive=lost).drilled(world, run)
    assert (restored.problem, restored.rows) == ("", (40, 40))
    assert any("only the WAL inside the backup was used" in x for x in restored.record.notes)
