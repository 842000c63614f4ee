"""``drill_*.toml``: drills and their assertions in SQL, collected by pytest like a test file.

Imports pydantic; therefore imported inside functions only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.session.collection.dbt_project import DbtProject
from pytest_pgrestore.session.collection.drill_suite import read_drill
from pytest_pgrestore.session.collection.other_side import other_request
from pytest_pgrestore.session.collection.sql_assertion import SqlAssertion
from pytest_pgrestore.session.collection.tap_script import TapScript
from pytest_pgrestore.session.drill_request import DrillRequest, copies_of, make_request
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.keys import (
    MARKER,
    OTHER_REQUEST,
    REQUEST,
    SEVERITY,
    WORDS_OWN_FAILURE,
)
from pytest_pgrestore.session.one_test import ERROR

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_pgrestore.session.collection.drill_suite import DrillSuite, Written


_Item = TypeVar("_Item", bound=pytest.Item)


class DrillFile(pytest.File):
    """A drill file in the tree of the session.

    Attributes:
        params_file: The file with parameters that it names, once it was read.
    """

    params_file: Path | None = None

    def collect(self) -> Iterator[SqlAssertion | TapScript | DbtProject]:
        """Yield an item per assertion and drill. Mistakes go to the one usage error of the run."""
        state = self.config.stash[SESSION]
        state.require_settings_of(self.path)
        try:
            suite = read_drill(self.path)
            requests = self._requests(suite)
        except ConfigError as exc:
            state.usage_errors.add(self.nodeid, str(exc))
            return
        if suite.table.params_file is not None:
            self.params_file = self.path.parent / suite.table.params_file
        for name, request in requests.items():
            state.register(request)
            for written in suite.assertions:
                yield self._item(written, request, name)
            for script in suite.scripts:
                title = f"{script.name} [{name}]" if name else script.name
                item = TapScript.from_parent(
                    self, name=title, script=script, asking=suite.table.session()
                )
                yield self._of_drill(item, request, suite.table.severity)
            if (project := suite.table.dbt) is not None:
                title = f"dbt {project.project}{f' [{name}]' if name else ''}"
                tests = DbtProject.from_parent(
                    self, name=title, table=project, asking=suite.table.session()
                )
                yield self._of_drill(tests, request, suite.table.severity)

    def _of_drill(self, item: _Item, request: DrillRequest, severity: str | None) -> _Item:
        """Return an item that belongs to a drill and words its own failure."""
        item.stash[REQUEST] = request
        item.stash[SEVERITY] = severity or ERROR
        item.stash[WORDS_OWN_FAILURE] = True
        item.add_marker(getattr(pytest.mark, MARKER)(request.drill.source))
        return item

    def _item(self, written: Written, request: DrillRequest, drill: str) -> SqlAssertion:
        table = written.table
        name = f"{table.name} [{drill}]" if drill else table.name
        item = SqlAssertion.from_parent(self, name=name, written=written)
        self._of_drill(item, request, table.severity)
        if (other := self._other(written, request)) is not None:
            item.stash[OTHER_REQUEST] = other
        return item

    def _other(self, written: Written, request: DrillRequest) -> DrillRequest | None:
        """Return the drill that an assertion compares with; None without one."""
        state = self.config.stash[SESSION]
        try:
            other = other_request(state.settings, written.table.compare, request)
        except ConfigError as exc:
            place = f"{self.nodeid}: assert {written.table.name!r}: compare"
            state.usage_errors.add(place, str(exc))
            return None
        if other is not None:
            state.register(other)
        return other

    def _requests(self, suite: DrillSuite) -> dict[str, DrillRequest]:
        """Return the drills of the file, each by the name that tells it from the others.

        It is "" for the only one, the copy's for ``source = "NAME.*"``, else the drill's key.

        Raises:
            ConfigError: A drill has a mistake, or is there twice.
        """
        settings = self.config.stash[SESSION].settings
        found: dict[str, DrillRequest] = {}
        several = len(suite.table.source or ()) > 1
        for arguments in suite.drills():
            named = arguments.get("source")
            copies = {"": None} if named is None else copies_of(named, settings.sources)
            for copy, source in copies.items():
                given = arguments if source is None else {**arguments, "source": source}
                request = make_request(given, settings.given, settings.sources, self.nodeid)
                name = request.drill.key if several else copy
                if name in found:
                    raise ConfigError(
                        f"source: drill {name} is there twice", hint="take one of them out."
                    )
                found[name] = request
        return found
