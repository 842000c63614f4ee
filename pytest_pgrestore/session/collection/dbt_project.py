"""A dbt project as an item of pytest; each of its tests is a test of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.assertions import dbt
from pytest_pgrestore.session.collection.file_item import FileItem
from pytest_pgrestore.session.collection.reported import Parts
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.instances import clone_for
from pytest_pgrestore.session.keys import SEVERITY
from pytest_pgrestore.session.one_test import WARN

if TYPE_CHECKING:
    from pytest_pgrestore.assertions.question import Session


class DbtProject(FileItem):
    """One project.

    Attributes:
        table: The key of the drill file.
        asking: Who asks, and how long each statement may take.
    """

    def __init__(self, *, table: dbt.DbtTable, asking: Session, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.table = table
        self.asking = asking

    def runtest(self) -> None:
        """Run the tests on a private copy, and report each of them.

        Raises:
            ConfigError: dbt does not understand the project.
            HarnessError: dbt cannot be run here, or ended early.
        """
        run = self.config.stash[SESSION].run
        # dbt's log may quote rows: the watchdog removes this directory even after SIGKILL.
        scratch = run.root / "scratch"
        with (
            clone_for(self, self._instance) as copy,
            tempfile.TemporaryDirectory(prefix="dbt-", dir=scratch) as place,
        ):
            results = dbt.run_tests(
                self.table,
                self.path.parent / self.table.project,
                Path(place),
                copy.env,
                asking=self.asking,
                timeout_seconds=run.timeout_seconds,
            )
        parts = Parts(self, table=self.table, asking=self.asking)
        for result in results:
            stash = {SEVERITY: WARN} if result.status == WARN else None
            parts.report(result.name, result.judge, stash)
        parts.conclude()

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the drill file."""
        return self.path, 0, self.name
