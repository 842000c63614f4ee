"""Hostile worlds: for each way of the table, the sources of a project and what may come of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.plugin.hostile import dumps, hands

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.hostile.canaries import Canaries
    from tests.plugin.hostile.lab import Lab

PASSED, FAILED, UNSURE = "passed", "failed", "could not verify"
ANY = frozenset({PASSED, FAILED, UNSURE})
"""The attack gained nothing: whether the copy is whole is not what its row is about."""

DAMAGED = frozenset({FAILED})
REFUSED = frozenset({FAILED, UNSURE})
"""A backup that is damaged, or larger than a limit or a disk of ours."""

HEALTHY = frozenset({PASSED})
CANNOT = frozenset({UNSURE})
UNHARMED = frozenset({PASSED, UNSURE})
"""The attack may have had no effect; a finding about the backup it is not."""

_TEST = """
import pytest
from pathlib import Path

@pytest.mark.pgrestore("{name}")
def test_{name}(pgrestore_conn):
    said = pgrestore_conn.execute("select pg_read_file('hand.txt', true)").fetchone()[0]
    if said:
        Path("{name}.hand").write_text(said)
"""


@dataclass
class World:
    """What a project drills.

    Attributes:
        place: Directory of the backups.
        lab: Healthy and prepared backups.
        canaries: What the attacker is after.
        sources: The table of each source, by name.
        allowed: The verdicts each may get.
        told: A text that the record of a source must have.
        tests: Test functions, as text.
        hands: Sources whose dump starts a hand.
        ended: Sources whose drill is ended by a signal.
        sandbox: More lines of the sandbox's table.
    """

    place: Path
    lab: Lab
    canaries: Canaries
    sources: dict[str, str] = field(default_factory=dict)
    allowed: dict[str, frozenset[str]] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    tests: list[str] = field(default_factory=list)
    hands: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    sandbox: str = ""

    def add(self, name: str, table: str, allowed: frozenset[str], test: str = _TEST) -> None:
        """Add a source with one test."""
        self.sources[name] = table
        self.allowed[name] = allowed
        self.tests.append(test.replace("{name}", name))

    def dump(
        self,
        name: str,
        sql: str = "",
        allowed: frozenset[str] = ANY,
        *,
        hand: str = "",
        cluster: bool = False,
        test: str = _TEST,
    ) -> None:
        """Add a plain dump with `sql`, after which a `hand` runs."""
        if hand:
            sql = hands.started(hand, self.canaries.words()) + sql
            self.hands.append(name)
        path = dumps.plain(self.place / f"{name}.sql", sql, cluster=cluster)
        self.add_dump(name, path, allowed, "" if cluster else "owners = false\n", test)

    def add_dump(
        self, name: str, path: Path, allowed: frozenset[str], more: str = "", test: str = _TEST
    ) -> None:
        """Add a dump at `path`."""
        table = f'type = "dump"\npath = "{path}"\n{more}'
        self.add(name, table, allowed, test)

    def base(self, name: str, of: str = "base") -> Path:
        """Copy a base backup of the lab; the copy's name is the source's."""
        return self.lab.take(of, self.place / name)

    def add_base(
        self,
        name: str,
        allowed: frozenset[str],
        *,
        path: Path | None = None,
        wal: Path | None = None,
        database: str = "shop",
        more: str = "",
    ) -> None:
        """Add the base backup that `base` copied, or the directory of backups at `path`."""
        table = f'type = "basebackup"\npath = "{path or self.place / name}"\n'
        table += f'database = "{database}"\n' + (f'wal = "{wal}"\n' if wal else "")
        table += more
        self.add(name, table, allowed)

    @property
    def module(self) -> str:
        """The project's tests."""
        return "\n".join(self.tests)
