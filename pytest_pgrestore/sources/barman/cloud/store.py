"""An object store as barman-cloud reads it: its backups and its WAL.

Source: Barman manual, "barman-cloud-backup-list", "barman-cloud-restore",
"barman-cloud-wal-restore".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.wal import is_segment_name
from pytest_pgrestore.sources.barman import catalogue
from pytest_pgrestore.sources.barman.cloud import scripts
from pytest_pgrestore.sources.barman.messages import failed
from pytest_pgrestore.sources.barman.other_cluster import Trace, telling
from pytest_pgrestore.sources.copying import WORKERS, in_parallel
from pytest_pgrestore.sources.json_answer import (
    AnswerError,
    parse_after_warnings,
    understood,
)
from pytest_pgrestore.sources.wal.stored_wal import StoredWal
from pytest_pgrestore.sources.wal.timelines import histories_among

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pytest_pgrestore.sources.backup_tool import BackupTool
    from pytest_pgrestore.sources.barman.catalogue import Entry
    from pytest_pgrestore.sources.barman.table import BarmanTable
    from pytest_pgrestore.sources.json_answer import Answer

LIST, RESTORE, WAL = "barman-cloud-backup-list", "barman-cloud-restore", "barman-cloud-wal-restore"
_AT_ONCE = 32
"""Most segments for one process: its start costs little then, and several processes can run."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store has of a server.

    Attributes:
        entries: Its backups, oldest first, with incomplete ones.
        unreadable: Labels of backups whose description cannot be read.
        unfinished: Labels of backups without a description.
        names: Names of its WAL files, with the time each was stored; None if unknown.
        unknown: Names of segments with a suffix that this Barman does not know.
        version: Version of barman-cloud.
    """

    entries: list[Entry]
    unreadable: list[str]
    unfinished: list[str]
    names: dict[str, datetime | None]
    unknown: list[str]
    version: str


@dataclass(frozen=True, slots=True)
class Store:
    """The object store of a source, and the arguments that name it to each command."""

    table: BarmanTable

    @property
    def url(self) -> str:
        """Its address, as barman-cloud takes it."""
        return self.table.url or ""

    @property
    def place(self) -> str:
        """Its address and the server, for messages."""
        at = f" at {self.table.endpoint_url}" if self.table.endpoint_url else ""
        return f"{self.url}{at} (server {self.table.server})"

    def program(self, name: str) -> str:
        """Return a command of barman-cloud: beside Barman, if `program` is an absolute path."""
        named = Path(self.table.program)
        return str(named.with_name(name)) if named.is_absolute() else name

    def arguments(self, *options: str) -> tuple[str, ...]:
        """Return the options of every command, `options`, the address and the server."""
        table = self.table
        provider = ("--cloud-provider", table.cloud_provider) if table.cloud_provider else ()
        endpoint = ("--endpoint-url", table.endpoint_url) if table.endpoint_url else ()
        return (*provider, *endpoint, *options, self.url, table.server)

    def read(self, tool: BackupTool) -> Stored:
        """Return what the store has.

        Raises:
            HarnessError: It cannot be read, or has nothing of the server.
        """
        script = ("-c", scripts.BESIDE, self.program(LIST), scripts.CATALOGUE)
        done = tool.run("catalogue", *script, *self.arguments(), program="sh", quiet=True)
        if done.status != 0:
            # No backup was read yet, so the error is never a finding about one.
            error = failed(done, self.place, "the catalogue could not be read")
            raise HarnessError(error.problem, hint=error.hint)
        with understood(
            f"barman-cloud's answer about {self.place} is not understood",
            hint="read the saved log of `catalogue`.",
        ):
            stored = self.stored_in(parse_after_warnings(done.stdout))
        if not (stored.entries or stored.names or stored.unreadable or stored.unfinished):
            raise HarnessError(
                f"there is nothing of server {self.table.server!r} in {self.url}",
                hint="correct `server` or `url`.",
            )
        return stored

    def stored_in(self, answer: Answer) -> Stored:
        """Return what the JSON object says that the script printed."""
        location = f"{self.url.rstrip('/')}/{self.table.server}"
        return Stored(
            entries=catalogue.entries(answer["backups"].values(), location),
            unreadable=[label.text() for label in answer["unreadable"].values()],
            unfinished=[label.text() for label in answer["unfinished"].values()],
            names={name: _stored_at(answer["wals"], name) for name, _ in answer["wals"].items()},
            unknown=[name.text() for name in answer["unknown"].values()],
            version=answer["version"].text(longest=100),
        )

    def wal(self, tool: BackupTool, found: Stored) -> tuple[StoredWal, list[Trace]]:
        """Return the WAL that was found, and which clusters wrote it.

        History files are downloaded, and a few segments.

        Raises:
            BackupNotRestorable: A history file is damaged.
            HarnessError: The store cannot be read.
        """
        segments = {name: when for name, when in found.names.items() if is_segment_name(name)}
        timelines = histories_among(found.names)
        probed = telling(StoredWal(segments=segments, histories={}))
        starts = self._beginnings(tool, [*timelines.values(), *probed])
        histories = {
            timeline: starts.get(name, b"").decode(errors="backslashreplace")
            for timeline, name in timelines.items()
        }
        traces = (Trace.read(name, starts.get(name, b""), segments[name]) for name in probed)
        stored = StoredWal(segments=segments, histories=histories)
        return stored, [trace for trace in traces if trace is not None]

    def _beginnings(self, tool: BackupTool, names: Sequence[str]) -> dict[str, bytes]:
        """Return the beginning of each WAL file that is still there, uncompressed.

        A segment that cannot be read is left out: whether the drill needs it is not known yet.
        """
        found: dict[str, bytes] = {}
        into = str(tool.tool_runner.writable)
        script = ("-c", scripts.BESIDE, self.program(WAL), scripts.BEGINNINGS)
        for at in range(0, len(names), _AT_ONCE):
            words = (*self.arguments(), into, ",".join(names[at : at + _AT_ONCE]))
            done = tool.run("catalogue", *script, *words, program="sh", quiet=True)
            if done.status != 0:
                raise failed(done, self.place, "WAL could not be read")
            with understood(
                f"barman-cloud's answer about WAL of {self.place} is not understood",
                hint="read the saved log of `catalogue`.",
            ):
                answer = parse_after_warnings(done.stdout)
                found |= {name: _bytes(text) for name, text in answer["found"].items()}
                for name, problem in answer["problems"].items():
                    if not is_segment_name(name):
                        bad = replace(done, status=1, stdout="", stderr=problem.text())
                        raise failed(bad, self.place, f"{name} could not be read")
        return found

    def fetch(self, tool: BackupTool, step: str, into: str, batch: str) -> None:
        """Write WAL files, whose names have commas between them, to the tool's directory `into`.

        Raises:
            BackupNotRestorable: One is damaged.
            HarnessError: The store cannot be read.
        """
        script = ("-c", scripts.BESIDE, self.program(WAL), scripts.WAL)
        done = tool.run(step, *script, *self.arguments(), into, batch, program="sh", quiet=True)
        if done.status != 0:
            raise failed(done, self.place, "WAL could not be brought")


@dataclass(frozen=True, slots=True)
class Bringer:
    """Fetches segments from the store, several at a time."""

    store: Store
    tool: BackupTool

    def __call__(self, names: Sequence[str], into: Path) -> None:
        """Write each of `names` to `into`; see `stored_wal.Bring`."""
        share = min(_AT_ONCE, -(-len(names) // WORKERS) or 1)
        batches = [names[begin : begin + share] for begin in range(0, len(names), share)]
        in_parallel(lambda batch: self._fetch(batch, into), batches)

    def _fetch(self, batch: Sequence[str], into: Path) -> None:
        self.store.fetch(self.tool, "wal", str(into), ",".join(batch))


def _stored_at(wals: Answer, name: str) -> datetime | None:
    when = wals.get(name)
    return None if when is None else when.epoch()


def _bytes(text: Answer) -> bytes:
    """Return the bytes that a text spells with hexadecimal digits."""
    try:
        return bytes.fromhex(text.text(longest=2 * scripts.HISTORY_BYTES))
    except ValueError:
        raise AnswerError(f"{text.place} is not written with hexadecimal digits") from None
