"""Production servers backed up by pgBackRest: every kind of backup, in repositories of every kind on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pytest_pgrestore.lab.cluster import short_directory
from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.process import Completed
from pytest_pgrestore.sources.pgbackrest.source import PgbackrestSettings, PgbackrestSource
from tests.real.production import Production, production

STANZA = "main"
PASSPHRASE = "three-quiet-owls-at-noon"  # noqa: S105 - of a repository that lives for a test

BLOCK_SINCE = 17
"""Major whose distribution has a pgBackRest that knows block-incremental backups (2.46)."""


@dataclass
class Backed:
    """A server and its repositories; the server may have stopped by now.

    Attributes:
        server: The production.
        labels: Kind of backup and repository, as in ``full1``, to its label.
    """

    server: Production
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """PgBackRest's configuration."""
        return self.server.directory / "pgbackrest.conf"

    def repository(self, number: int) -> Path:
        """Return the path of a repository."""
        return self.server.directory / f"repo{number}"

    def tool(self, *arguments: str) -> Completed:
        """Run pgBackRest where production runs it."""
        return self.server.run("pgbackrest", f"--config={self.config}", f"--stanza={STANZA}", *arguments)

    def backup(self, kind: str, number: int) -> str:
        """Take a backup into a repository and return its label."""
        import json

        self.tool(f"--repo={number}", f"--type={kind}", "backup")
        found = json.loads(self.tool(f"--repo={number}", "info", "--output=json").stdout)
        label = str(found[0]["backup"][-1]["label"])
        self.labels[f"{kind}{number}"] = label
        return label

    def source(self, repo: int | None = 1, **changes: object) -> PgbackrestSource:
        """Return the source a user would configure."""
        plain: dict[str, object] = {"stanza": STANZA, "config": self.config, "repo": repo, "env": {}, "secrets": {}}
        if changes.get("secrets"):
            changes["secrets"] = {name: Secret(str(value)) for name, value in dict(changes["secrets"]).items()}  # type: ignore[call-overload]
        return PgbackrestSource("shop", PgbackrestSettings(**(plain | changes)), 120.0)  # type: ignore[arg-type]

    def copied(self) -> Backed:
        """Return a copy of configuration and repositories that may be damaged; remove its directory afterwards."""
        directory = short_directory()
        old, new = str(self.server.directory), str(directory)
        for number in (1, 2):
            shutil.copytree(self.repository(number), directory / f"repo{number}", symlinks=True)
        (directory / "pgbackrest.conf").write_text(self.config.read_text().replace(old, new))
        server = Production(directory, self.server.major, "")
        server.points, server.rows = self.server.points, self.server.rows
        return Backed(server, dict(self.labels))


def configuration(server: Production, more: str = "") -> str:
    """Return a configuration as production has it."""
    block = "repo1-block=y\n" if server.major >= BLOCK_SINCE else ""
    directory = server.directory
    return f"""
[global]
repo1-path={directory}/repo1
repo1-bundle=y
{block}repo1-retention-full=9
repo2-path={directory}/repo2
repo2-cipher-type=aes-256-cbc
repo2-cipher-pass={PASSPHRASE}
repo2-retention-full=9
compress-type=zst
process-max=2
log-path={directory}/log
lock-path={directory}/lock
spool-path={directory}/spool
log-level-file=off
start-fast=y
{more}
[{STANZA}]
pg1-path={server.data}
pg1-socket-path={directory}
pg1-user=postgres
"""


@contextmanager
def backed(major: int, more: str = "") -> Iterator[Backed]:
    """Make a production server with a tablespace, its stanza, and a full, a differential and an incremental backup.

    ``repo1`` is bundled and, where the tool knows it, block-incremental; ``repo2`` is encrypted. 100 rows are in the
    full backup, 5 more in the differential, 10 in the incremental one; the points lie behind all of them.
    """
    with production(major, start=False) as server:
        made = Backed(server)
        made.config.write_text(configuration(server, more))
        push = f"pgbackrest --config={made.config} --stanza={STANZA} archive-push %p"
        server.start({"archive_command": push})
        space = server.directory / "space"
        server.run("mkdir", str(space))
        server.sql(f"create tablespace extra location '{space}'")
        server.sql("create table ledger (i int primary key) tablespace extra")
        server.sql("insert into ledger select generate_series(1, 100)")
        server.rows = 100
        made.tool("stanza-create")
        made.backup("full", 1)
        server.grow(5)
        made.backup("diff", 1)
        server.grow(5)
        made.backup("incr", 1)
        made.backup("full", 2)
        server.note_points()
        server.archived()
        yield made
