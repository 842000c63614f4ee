"""A script of pgTAP as an item of pytest; each ``ok`` and ``not ok`` is a test of its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.assertions import tap
from pytest_pgrestore.assertions.question import Session, begin
from pytest_pgrestore.model.errors import AssertionFailed, ConfigError
from pytest_pgrestore.session.collection.file_item import FileItem
from pytest_pgrestore.session.collection.reported import Parts
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.instances import clone_for

if TYPE_CHECKING:
    from pathlib import Path


class TapScript(FileItem):
    """One script.

    Attributes:
        script: Its path.
        asking: Who runs it, and how long each statement may take.
    """

    def __init__(self, *, script: Path, asking: Session, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.script = script
        self.asking = asking

    def runtest(self) -> None:
        """Run the script on a private copy, and report each of its tests.

        Raises:
            ConfigError: It cannot be read, or has a command of psql.
            HarnessError: It cannot be run here, or ended early.
        """
        try:
            text = self.script.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(
                f"{self.script} cannot be read ({type(exc).__name__})", hint="correct `tap`."
            ) from None
        sql = tap.sql_of(text, str(self.script))
        with clone_for(self, self._instance) as copy, copy.connect() as connection:
            connection.autocommit = True
            tap.add_pgtap(connection)
            begin(connection, self.asking)
            output = tap.run_script(connection, sql)
        shows_values = self.config.stash[SESSION].redaction.shows_values
        parts = Parts(self, script=self.script, asking=self.asking)
        for result in tap.read_tap(output, text):
            title = f"{result.number}{' ' if result.title else ''}{result.title}"
            parts.report(title, partial(_judge, result, shows_values=shows_values))
        parts.conclude()

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the script."""
        return self.script, 0, self.name


def _judge(result: tap.TapResult, *, shows_values: bool) -> None:
    if result.left_out:
        raise pytest.skip.Exception(f"TAP: {result.left_out}")
    if not result.ok:
        words = f"not ok {result.number}{' - ' if result.title else ''}{result.title}"
        raise AssertionFailed(f"{words}\n{result.details}" if shows_values else words)
