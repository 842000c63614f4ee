"""Commands of the user: the worked example on a real server, and commands that go wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.sources.command.source import CommandSource
from pytest_pgrestore.sources.command.table import CommandTable
from tests.project import ROOT
from tests.real.production import Production, digests, production
from tests.real.tool_worlds import could_not_verify, failed, make_ledger, table_of
from tests.real.worlds import Drilled

Drilling = Callable[..., Drilled]

Changes = dict[str, Sequence[str]]

WITHOUT_LABEL = 'cp -a "$SHOP_BACKUPS/$0/data/." "$1/"; rm "$1/backup_label"'
EXAMPLE = ROOT / "examples" / "command"


@dataclass
class Taken:
    """A server, and backups that the example's own script took of it.

    Attributes:
        server: The production.
        commands: Directory of the commands.
        labels: Labels of the backups, oldest first.
    """

    server: Production
    commands: Path
    labels: list[str]

    def source(self, **changes: object) -> CommandSource:
        """Return the source that the example configures."""
        directory, commands = self.server.directory, self.commands
        backups, wal = directory / "backups", directory / "wal"
        plain = {
            "type": "command",
            "list": ["sh", f"{commands}/list"],
            "fetch": ["sh", f"{commands}/fetch", "{backup}", "{data}"],
            "wal_list": ["ls", str(wal)],
            "wal_fetch": ["sh", f"{commands}/wal", "{file}", "{path}"],
            "read_paths": [commands, backups, wal],
            "env": {"SHOP_BACKUPS": str(backups), "SHOP_WAL": str(wal)},
            "verify": False,
        }
        return CommandSource("shop", table_of(CommandTable, plain, changes))


@pytest.fixture(scope="module")
def taken() -> Iterator[Taken]:
    """Two backups by rsync, with rows and points after them."""
    with production(17, start=False) as server:
        directory = server.directory
        for name in ("wal", "backups"):
            server.run("mkdir", str(directory / name))
        commands = directory / "commands"
        shutil.copytree(EXAMPLE, commands)
        server.link_wal()
        server.start({"archive_command": f"cp %p {directory}/wal/%f"})
        make_ledger(server, tablespace=False)
        env = {"PGHOST": str(directory), "PGUSER": "postgres"}
        labels = []
        for _ in range(2):
            done = server.run(
                "sh", f"{commands}/take-backup", str(server.data), f"{directory}/backups", env=env
            )
            labels.append(done.stdout.strip())
            server.grow(5)
            server.sql("select pg_sleep(1.1)")  # labels and catalogues have whole seconds
        server.note_points()
        server.archived()
        yield Taken(server, commands, labels)


@pytest.mark.parametrize("point", ["latest", "time", "lsn", "name", "xid exclusive"])
def test_recovery_stops_exactly_there(taken: Taken, tool_drill: Drilling, point: str) -> None:
    """The row before the point is there, the row after it is not; the backups are as they were."""
    target, last = taken.server.points[point]
    before = digests(taken.server.directory / "backups")

    drilled = tool_drill(taken.source(), target, database="postgres")

    assert drilled.rows() == last
    assert drilled.verdict_of("target reached") == "passed"
    assert drilled.verdict_of("quarantine") == "passed"
    assert drilled.result.record.backup is not None
    assert drilled.result.record.backup.label == taken.labels[1]
    assert digests(taken.server.directory / "backups") == before


IN_FLIGHT = (
    'cp "$SHOP_WAL/$0" "$1" || exit 1; [ "$0" != "{newest}" ] || ! mkdir "$1.seen" 2>/dev/null'
    ' || truncate -s 1000 "$1"'
)


@pytest.mark.parametrize("tool_run", ["local"], indirect=True)
def test_the_newest_segment_is_being_copied_there(taken: Taken, tool_drill: Drilling) -> None:
    """At the first look it is short. It is looked at again before it convicts the backup."""
    wal = taken.server.directory / "wal"
    newest = max(path.name for path in wal.iterdir() if len(path.name) == 24)
    fetch = ["sh", "-c", IN_FLIGHT.replace("{newest}", newest), "{file}", "{path}"]

    drilled = tool_drill(taken.source(wal_fetch=fetch), database="postgres")

    assert drilled.cause == ""
    assert drilled.rows() == taken.server.rows


def test_an_older_backup_by_name(taken: Taken, tool_drill: Drilling) -> None:
    """Recovery reaches the end of the archive from it too."""
    drilled = tool_drill(taken.source(backup=taken.labels[0]), database="postgres")

    assert drilled.rows() == taken.server.rows


locally = pytest.mark.parametrize("tool_run", ["local"], indirect=True)


@locally
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"list": ["sh", "-c", "echo no >&2; exit 3"]},
            "the backups could not be listed: the command ended with status 3: no",
        ),
        ({"list": ["echo", "hello"]}, "the list command is not understood: it is no JSON"),
        ({"list": ["echo", '[{"label": "a", "sise": 1}]']}, "'a' lacks server_major"),
        ({"list": ["no-such-program"]}, "no-such-program is not on this machine"),
        (
            {"fetch": ["false", "{backup}", "{data}"]},
            "was not fetched: the command ended with status 1",
        ),
        ({"fetch": ["true", "{backup}", "{data}"]}, "left no PG_VERSION in {data}"),
        (
            {"wal_fetch": ["sh", "-c", "exit 2", "{file}", "{path}"]},
            "could not be brought: the command ended with status 2",
        ),
        ({"wal_list": ["false"]}, "the WAL could not be listed"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_command_that_fails(
    taken: Taken, tool_drill: Drilling, changes: dict[str, Sequence[str]], words: str
) -> None:
    """Nothing was learned about the backup."""
    could_not_verify(tool_drill(taken.source(**changes)), words)


@locally
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"list": ["echo", "[]"]}, "there is no backup in the list of source shop"),
        (
            {"wal_fetch": ["sh", "-c", "exit 1", "{file}", "{path}"]},
            "the WAL the backup needs to become consistent",
        ),
        (
            {"wal_list": ["echo", "000000010000000000000001"]},
            "the WAL the backup needs to become consistent",
        ),
        (
            {"fetch": ["sh", "-c", WITHOUT_LABEL, "{backup}", "{data}"]},
            "the backup has no backup_label",
        ),
    ],
    ids=["no backup", "no WAL", "WAL of long ago", "no label"],
)
def test_a_backup_that_is_bad(
    taken: Taken, tool_drill: Drilling, changes: dict[str, Sequence[str]], words: str
) -> None:
    """The commands end with status 0, and the backup does not restore."""
    failed(tool_drill(taken.source(**changes)), words)


@locally
def test_without_a_manifest_nothing_is_verified(taken: Taken, tool_drill: Drilling) -> None:
    """A backup without a manifest passes only with `verify = false`."""
    drilled = tool_drill(taken.source(verify=True))

    assert drilled.verdict_of("manifest") == "could not verify"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fetch": ["cp", "{backup}"]}, "fetch: {data} is missing"),
        (
            {"wal_fetch": ["cp", "{fiel}", "{path}"]},
            "wal_fetch: {fiel} means nothing there, {file} is missing",
        ),
        ({"list": []}, "list is empty"),
    ],
)
def test_a_command_that_is_wrong_is_a_mistake_of_the_settings(
    tmp_path: Path, changes: Changes, words: str
) -> None:
    """It is reported before anything runs."""
    with pytest.raises(ConfigError) as caught:
        Taken(Production(tmp_path, 17, ""), tmp_path, []).source(**changes)

    assert words in str(caught.value)
